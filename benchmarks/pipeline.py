"""One run of `kit bench`: the contenders are checked, broken, measured, and reported on.

Slow to import: everything that a run needs comes with it. The command line imports it once something is shown.
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
from benchmarks.plan.contenders import contenders, null
from benchmarks.plan.run_request import RunRequest
from benchmarks.records.faults import FaultTrial, read_fault_trials
from benchmarks.records.run import RunError, RunRecord
from benchmarks.records.samples import SamplesError, pack
from benchmarks.report.progress import Steps
from benchmarks.report.publish import make_report
from patterns import CELERY_QUEUE
from patterns.contract.settings import SettingsError
from patterns.serving.processes import ProcessFailed
from patterns.serving.running import CannotServe

RUN_ERRORS = (ProcessFailed, CannotServe, SettingsError, SamplesError, RunError, OSError)


@dataclass(frozen=True)
class RunResult:
    """How it went: what there is to show, and what is wrong, if anything is."""

    findings: Findings | None = None
    problem: str = ""
    exit_code: int = 0


def run(wanted: RunRequest, steps: Steps) -> RunResult:
    """See all of it through; nothing is left running. Raises `BrokenPipeError` when nobody reads what it says."""
    try:
        return _Pipeline(wanted, steps).all()
    except BrokenPipeError:
        raise  # whoever reads the output has gone, as `head` does: an end without a word
    except NotConforming as error:
        return RunResult(problem=str(error), exit_code=1)
    except RUN_ERRORS as error:
        return RunResult(problem=str(error), exit_code=2)


class _Pipeline:
    def __init__(self, wanted: RunRequest, steps: Steps) -> None:
        self._wanted = wanted
        self._steps = steps
        self._folder = wanted.folder
        self._step = 0

    def all(self) -> RunResult:
        w = self._wanted
        try:
            for pattern in w.external:
                self._step += 1
                admit([pattern], self._folder.path, self._doing)
            cells = self._break() if w.faults else []
        except KeyboardInterrupt:
            counted = (
                f"The faults counted so far are in {self._folder.path}." if read_fault_trials(self._folder.path) else ""
            )
            return RunResult(problem=f"Interrupted. {counted or 'Nothing was measured yet.'}", exit_code=130)
        record, stopped = self._measure()
        found = None
        if record.trials or cells:
            self._steps.at(len(w.seconds()) - 1, "Making the report")
            try:
                found = make_report(self._folder)
            except KeyboardInterrupt:
                how = f"Everything was measured, and is in {self._folder.path}. Its report: kit bench report"
                return RunResult(problem=f"Interrupted. {how} {self._folder.path}", exit_code=130)
        return self._ended(found, record, cells, stopped)

    def _ended(
        self, found: Findings | None, record: RunRecord, cells: Sequence[FaultTrial], stopped: BaseException | None
    ) -> RunResult:
        if isinstance(stopped, KeyboardInterrupt):
            kept = f"What was measured so far is in {self._folder.path}"
            return RunResult(found, f"Interrupted. {kept if record.trials else 'Nothing was measured yet.'}", 130)
        if stopped:
            return RunResult(found, str(stopped), 2)
        if wrong := [f"{cell.contender} on {cell.fault}" for cell in cells if cell.contradicts]:
            said = f"More was lost than a descriptor says, or nothing was measured: {', '.join(wrong)}."
            return RunResult(found, said, 1)
        return RunResult(found)

    def _doing(self, what: str) -> None:
        self._steps.at(self._step, what)

    def _break(self) -> list[FaultTrial]:
        entrants = self._wanted.entrants
        who = subjects([one.pattern for one in entrants if one.kind != "matrix"])
        self._step += 1
        self._doing("Breaking things")
        if CELERY_QUEUE.name in {one.name for one in entrants} and not has_rabbitmq():
            self._steps.say(
                "No RabbitMQ is here: celery_queue over it is left out (Debian: apt install rabbitmq-server)."
            )
        return inject_all(who, FaultPlan(), self._folder.path, lambda cell: self._steps.say(_line(cell)))

    def _measure(self) -> tuple[RunRecord, BaseException | None]:
        w = self._wanted
        everybody = [*w.entrants, null()]
        began, before = _now(), self._step

        def watch(moment: TrialProgress) -> None:
            where = f"{moment.visit}/{len(w.visits)} {moment.contender}: {moment.doing}"
            self._steps.at(before + moment.visit, where)

        comparison = TrialRunner(everybody, w.plan, self._folder, watch, w.load_processes)
        stopped: BaseException | None = None
        try:
            comparison.run(w.visits)
        except BrokenPipeError:
            raise
        except (KeyboardInterrupt, *RUN_ERRORS) as error:
            stopped = error
        libraries = {library for one in w.external for library in libraries_of(one)}
        broker = {"broker": comparison.redis} if comparison.redis else {}
        record = RunRecord(
            kit=kit_version(),
            began=began,
            ended=_now(),
            complete=stopped is None,
            seed=w.plan.seed,
            command=shlex.join(["kit", *sys.argv[1:]]),
            settings=w.plan.settings(),
            host=machine(),
            versions={**library_versions(libraries), **broker},
            git=kit_revision(),
            contenders=contenders(everybody),
            trials=tuple(comparison.trials),
        )
        self._folder.write_record(record)
        if self._folder.samples.exists():
            pack(self._folder.samples)
        return record, stopped


def _line(cell: FaultTrial) -> str:
    if cell.trouble:
        return f"{cell.contender} {cell.fault}: {cell.trouble}"
    return f"{cell.contender} {cell.fault}: {cell.completed} of {cell.accepted} completed"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
