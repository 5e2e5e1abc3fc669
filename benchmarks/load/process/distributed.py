"""The open loop over several processes or machines: each Locust worker sends its share of the tasks.

The master assigns the shares and the start time, and writes all rows to one file, so schedule, tasks and file are the
same as with a single process. Each worker finally reports how many rows it sent, so that a lost row is noticed. The
clocks of several machines must agree.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent

from benchmarks.load.process.load_report import write_load_report
from benchmarks.load.process.row_files import RowFiles
from benchmarks.records.run import LoadReport

#: From when all workers are ready to the first task: longer than a message takes.
_LEAD_SECONDS = 0.5
_READY_SECONDS = 60.0
_FLUSH_SECONDS = 0.2
#: The options that the master forwards to its workers.
_LOAD_OPTIONS = (
    "rate", "warm_up", "warm_up_rate", "duration", "burst", "recovery", "recovery_rate", "arrivals", "max_in_flight",
    "poll_interval", "wait", "deadline", "seed", "trial", "contender", "learns_by",
)  # fmt: skip


class WorkerLost(Exception):
    """A worker that could not start, or disappeared. The message is one line."""


class Master:
    """Leads the workers of one trial, on Locust's master runner."""

    def __init__(self, runner: Any, options: Namespace) -> None:
        self._runner = runner
        self._options = options
        self._workers: list[str] = []
        self._ready: set[str] = set()
        self._failed = ""
        self._reports: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, int] = {}
        self._files = RowFiles(options.samples, options.callbacks)

    def lead(self, host: str) -> None:
        """Run one trial. Raises `WorkerLost`."""
        self._workers = [client.id for client in self._runner.clients.ready]
        options = {name: getattr(self._options, name) for name in _LOAD_OPTIONS}
        for index, worker in enumerate(self._workers):
            share = {"index": index, "of": len(self._workers), "host": host, "options": options}
            self._runner.send_message("kit.begin", share, worker)
        self._wait_for(lambda: len(self._ready) == len(self._workers), _READY_SECONDS, "did not become ready")
        at = time.time() + _LEAD_SECONDS
        for worker in self._workers:
            self._runner.send_message("kit.go", {"at": at}, worker)
        o = self._options
        longest = o.warm_up + o.duration + o.recovery + 2 * o.deadline + _READY_SECONDS
        self._wait_for(lambda: len(self._reports) == len(self._workers), longest, "did not finish")
        sent = {worker: report["rows"] for worker, report in self._reports.items()}
        self._wait_for(lambda: self._rows == sent, _READY_SECONDS, "sent rows that did not arrive")
        if o.report:
            write_load_report(
                Path(o.report), merge_reports([LoadReport(**report["load"]) for report in self._reports.values()])
            )

    def listen(self) -> None:
        """Register for the messages of the workers."""
        for name, listener in (
            ("kit.ready", self._on_ready), ("kit.failed", self._on_failed), ("kit.rows", self._on_rows),
            ("kit.done", self._on_done),
        ):  # fmt: skip
            self._runner.register_message(name, listener)

    def _wait_for(self, until: Callable[[], bool], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not until():
            gone = [worker for worker in self._workers if worker not in self._runner.clients]
            if self._failed or gone or time.monotonic() > deadline:
                raise WorkerLost(self._failed or ("A load worker disappeared." if gone else f"A load worker {what}."))
            gevent.sleep(0.02)

    def _on_ready(self, msg: Any, **_: Any) -> None:
        self._ready.add(msg.node_id)

    def _on_failed(self, msg: Any, **_: Any) -> None:
        self._failed = str(msg.data)

    def _on_rows(self, msg: Any, **_: Any) -> None:
        rows = msg.data["rows"]
        self._files.write(msg.data["kind"], "".join(rows))
        self._rows[msg.node_id] = self._rows.get(msg.node_id, 0) + len(rows)

    def _on_done(self, msg: Any, **_: Any) -> None:
        self._reports[msg.node_id] = msg.data


class RowSender:
    """Sends rows to the master a few times a second, instead of writing files."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._waiting: dict[str, list[str]] = {}
        self.sent = 0
        gevent.spawn(self._flush_repeatedly)

    def write(self, kind: str, row: str) -> None:
        """Buffer a row."""
        self._waiting.setdefault(kind, []).append(row)

    def flush(self) -> None:
        """Send the buffered rows."""
        waiting, self._waiting = self._waiting, {}
        for kind, rows in waiting.items():
            self._runner.send_message("kit.rows", {"kind": kind, "rows": rows})
            self.sent += len(rows)

    def done(self, report: LoadReport | None) -> None:
        """Send the remaining rows, their total number and the report."""
        self.flush()
        self._runner.send_message("kit.done", {"rows": self.sent, "load": asdict(report) if report else None})

    def _flush_repeatedly(self) -> None:
        while True:
            gevent.sleep(_FLUSH_SECONDS)
            self.flush()


def merge_reports(reports: list[LoadReport]) -> LoadReport:
    """One report for several load processes, with the sums of their counts and the worst of their extremes."""
    return LoadReport(
        tasks=sum(report.tasks for report in reports),
        task_seconds=sum(report.task_seconds for report in reports),
        wall_seconds=max(report.wall_seconds for report in reports),
        busiest_cpu_share=max(report.busiest_cpu_share for report in reports),
        cpu_share=max(report.cpu_share for report in reports),
        clock_step_seconds=max((report.clock_step_seconds for report in reports), key=abs),
        longest_stall_seconds=max(report.longest_stall_seconds for report in reports),
    )
