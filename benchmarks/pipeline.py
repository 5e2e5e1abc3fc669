"""One run of `kit bench`: check the contenders, inject faults, run the trials, write the records, create the report.

Slow to import, because it imports everything that a run needs. The command line shows progress first.
"""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.analysis.findings import Findings
from benchmarks.faults.fault_trials import FaultPlan
from benchmarks.faults.suite import has_rabbitmq, inject_all, subjects
from benchmarks.load.environment import kit_revision, kit_version, libraries_of, library_versions, machine
from benchmarks.load.trial_runner import TrialProgress, TrialRunner
from benchmarks.plan.conformance import NotConforming, admit
from benchmarks.plan.contenders import contender_records, null_contender
from benchmarks.plan.run_request import RunRequest
from benchmarks.records.faults import FaultTrial, read_fault_trials
from benchmarks.records.run import RunError, RunRecord
from benchmarks.records.samples import SamplesError, pack
from benchmarks.report.progress import Steps
from benchmarks.report.publish import write_report
from patterns import CELERY_QUEUE
from patterns.contract.settings import SettingsError
from patterns.serving.errors import CannotServe
from patterns.serving.processes import ProcessFailed

RUN_ERRORS = (ProcessFailed, CannotServe, SettingsError, SamplesError, RunError, OSError)


@dataclass(frozen=True)
class RunResult:
    """The findings, if any, and the problem that ended the run, if any."""

    findings: Findings | None = None
    problem: str = ""
    exit_code: int = 0


def run(request: RunRequest, steps: Steps) -> RunResult:
    """Run the request and leave nothing running. Raises `BrokenPipeError` if the reader of the progress has gone."""
    try:
        return _Pipeline(request, steps).run()
    except BrokenPipeError:
        raise  # the reader of the output has closed it, as `head` does: exit silently
    except NotConforming as error:
        return RunResult(problem=str(error), exit_code=1)
    except RUN_ERRORS as error:
        return RunResult(problem=str(error), exit_code=2)


class _Pipeline:
    def __init__(self, request: RunRequest, steps: Steps) -> None:
        self._request = request
        self._steps = steps
        self._folder = request.folder
        self._step = 0

    def run(self) -> RunResult:
        folder = self._folder.path
        try:
            for pattern in self._request.external:
                self._step += 1
                admit([pattern], folder, self._say_in_step)
            fault_trials = self._inject_faults() if self._request.faults else []
        except KeyboardInterrupt:
            kept = f"The fault trials so far are in {folder}." if read_fault_trials(folder) else ""
            return RunResult(problem=f"Interrupted. {kept or 'Nothing was measured yet.'}", exit_code=130)
        record, stopped = self._measure()
        findings = None
        if record.trials or fault_trials:
            self._steps.at(len(self._request.seconds()) - 1, "Creating the report")
            try:
                findings = write_report(self._folder)
            except KeyboardInterrupt:
                how = f"All measurements are in {folder}. To create the report: kit bench report {folder}"
                return RunResult(problem=f"Interrupted. {how}", exit_code=130)
        return self._result(findings, record, fault_trials, stopped)

    def _result(
        self,
        findings: Findings | None,
        record: RunRecord,
        fault_trials: Sequence[FaultTrial],
        stopped: BaseException | None,
    ) -> RunResult:
        if isinstance(stopped, KeyboardInterrupt):
            kept = f"The measurements so far are in {self._folder.path}"
            return RunResult(findings, f"Interrupted. {kept if record.trials else 'Nothing was measured yet.'}", 130)
        if stopped:
            return RunResult(findings, str(stopped), 2)
        if wrong := [f"{trial.contender} on {trial.fault}" for trial in fault_trials if trial.contradicts]:
            problem = f"More tasks were lost than declared, or the trial failed: {', '.join(wrong)}."
            return RunResult(findings, problem, 1)
        return RunResult(findings)

    def _say_in_step(self, what: str) -> None:
        self._steps.at(self._step, what)

    def _inject_faults(self) -> list[FaultTrial]:
        contenders = self._request.contenders
        self._step += 1
        self._say_in_step("Injecting faults")
        if CELERY_QUEUE.name in {contender.name for contender in contenders} and not has_rabbitmq():
            self._steps.say(
                "RabbitMQ is not installed, so celery_queue over it is skipped (Debian: apt install rabbitmq-server)."
            )
        patterns = [contender.pattern for contender in contenders if contender.kind != "matrix"]
        return inject_all(
            subjects(patterns), FaultPlan(), self._folder.path, lambda trial: self._steps.say(_line(trial))
        )

    def _measure(self) -> tuple[RunRecord, BaseException | None]:
        request, before = self._request, self._step
        contenders = [*request.contenders, null_contender()]
        began = _now()

        def show(progress: TrialProgress) -> None:
            where = f"{progress.visit}/{len(request.visits)} {progress.contender}: {progress.step}"
            self._steps.at(before + progress.visit, where)

        runner = TrialRunner(contenders, request.plan, self._folder, show, request.load_processes)
        stopped: BaseException | None = None
        try:
            runner.run(request.visits)
        except BrokenPipeError:
            raise
        except (KeyboardInterrupt, *RUN_ERRORS) as error:
            stopped = error
        libraries = {library for pattern in request.external for library in libraries_of(pattern)}
        broker = {"broker": runner.redis} if runner.redis else {}
        record = RunRecord(
            kit=kit_version(),
            began=began,
            ended=_now(),
            complete=stopped is None,
            seed=request.plan.seed,
            command=shlex.join(["kit", *sys.argv[1:]]),
            settings=request.plan.settings(),
            host=machine(),
            versions={**library_versions(libraries), **broker},
            git=kit_revision(),
            contenders=contender_records(contenders),
            trials=tuple(runner.trials),
        )
        self._folder.write_record(record)
        if self._folder.samples.exists():
            pack(self._folder.samples)
        return record, stopped


def _line(trial: FaultTrial) -> str:
    if trial.trouble:
        return f"{trial.contender} {trial.fault}: {trial.trouble}"
    return f"{trial.contender} {trial.fault}: {trial.completed} of {trial.accepted} completed"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
