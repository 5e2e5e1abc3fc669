"""The CPU time of other programs is measured, recorded and reported. Older records without it can still be read."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.analysis.analyse_run import analyse_samples
from benchmarks.load.machine_watch import MachineWatch
from benchmarks.records.run import MachineUse, RunFolder, Trial
from benchmarks.report.caveats import busy
from tests.benchmarks.trial_factory import record, rows, trial

_BURN = "import time\nwhile time.process_time() < 0.6: pass"
#: A process whose parent ends at once, so that it is no descendant of the test; the pipe signals its end.
_DETACHED = f"import os\nif os.fork() == 0:\n    exec({_BURN!r})"
PUBLISHED = Path(__file__).parents[2] / "benchmarks" / "published" / "run.json"


def use(others: float, steal: float = 0.0) -> MachineUse:
    """The machine use of ten seconds on two cores."""
    return MachineUse(cores=2, wall_seconds=10, own_cpu_seconds=3, other_cpu_seconds=others, steal_seconds=steal)


def warning(machine: MachineUse | None, latency: float = 0.001) -> str:
    """The warning of a run with one contender and the null contender."""
    samples, nothing = rows(50), rows(50, trial=2, pattern="null", latency=latency, work=0.0)
    trials = [trial(samples, machine=machine), trial(nothing, machine=machine)]
    return busy(analyse_samples(record(trials, ["one", "null"]), [*samples, *nothing], {}))


def test_the_usage_of_a_child_counts_as_own_even_after_it_has_ended() -> None:
    with MachineWatch() as watch:
        subprocess.run([sys.executable, "-c", _BURN], check=True)
    assert watch.use().own_cpu_seconds > 0.5


def test_the_usage_of_an_unrelated_process_counts_as_other() -> None:
    read, write = os.pipe()
    with MachineWatch() as watch:
        before = os.times()
        subprocess.run([sys.executable, "-c", _DETACHED], pass_fds=[write], check=True)
        os.close(write)
        assert os.read(read, 1) == b""  # it has ended
    os.close(read)
    after = os.times()
    mine = sum(after[:4]) - sum(before[:4])
    assert watch.use().other_cpu_seconds > 0.5
    assert watch.use().own_cpu_seconds < mine + 0.3


def test_an_idle_machine_gives_no_warning() -> None:
    assert warning(use(1.0)) == ""


@pytest.mark.parametrize(
    ("machine", "latency", "words"),
    [
        (use(9.0), 0.001, "other programs used 0.9 of 2 cores (0.9 during `one`)"),
        (use(2.0, steal=5.0), 0.001, "the hypervisor gave 0.5 cores to other virtual machines"),
        (use(0.0), 0.03, "a submit to the null contender, which does no work, took 30 ms (p95 30 ms)"),
        (None, 0.03, "the null contender, which does no work, took 30 ms"),
    ],
)
def test_a_busy_machine_is_reported_with_numbers(machine: MachineUse | None, latency: float, words: str) -> None:
    assert words in warning(machine, latency)


def test_the_machine_use_survives_writing_and_reading(tmp_path: Path) -> None:
    samples = rows(10)
    folder = RunFolder(tmp_path)
    run = record([trial(samples, machine=use(4.0))])
    run = replace(run, contenders=(replace(run.contenders[0], parts=("web", "broker")),))
    folder.write_record(run)
    assert folder.read_record() == run


def test_an_older_record_without_machine_use_can_be_read() -> None:
    old = RunFolder(PUBLISHED.parent).read_record()
    trials: tuple[Trial, ...] = old.trials
    assert trials
    assert all(trial.machine is None for trial in trials)
    assert all(contender.parts is None for contender in old.contenders)
