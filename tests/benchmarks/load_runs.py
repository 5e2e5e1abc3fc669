"""Runs the real load process against a fake server."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.process.load_report import read_load_report
from benchmarks.load.trial_runner import start_load, wait_for_load
from benchmarks.records.callbacks import count_callbacks
from benchmarks.records.run import LoadReport
from benchmarks.records.samples import Phase, Sample, read_samples
from patterns.serving.processes import Family
from tests.benchmarks.fake_server import SECRET, FakeServer

#: Enough to import Locust on a busy machine, plus the longest deadline of a test.
_MOST_SECONDS = 40.0


@dataclass(frozen=True)
class Loaded:
    """The files that the load process wrote."""

    rows: list[Sample]
    callbacks: Counter[str]
    report: LoadReport | None

    @property
    def measured(self) -> list[Sample]:
        """The rows of the measured phase."""
        return [row for row in self.rows if row.phase is Phase.MEASURED]


def load(server: FakeServer, folder: Path, processes: int = 1, **options: object) -> Loaded:
    """Offer load with these options (`rate=20` is `--rate 20`), and read the files that were written."""
    samples, callbacks, log = folder / "samples.csv", folder / "callbacks.csv", folder / "load.log"
    report = folder / "load.json"
    folder.mkdir(exist_ok=True)
    files = {"samples": samples, "callbacks": callbacks, "report": report}
    all_options = {"warm_up": 0, "deadline": 5, "poll_interval": 0.1, **files, **options}
    argv = [part for name, value in all_options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    with Family(log) as family:
        wait_for_load(start_load(family, server.url, SECRET, argv, processes), _MOST_SECONDS, log)
    counts = count_callbacks(callbacks)
    return Loaded(read_samples(samples), counts.get(server.behaviour.pattern, Counter()), read_load_report(report))
