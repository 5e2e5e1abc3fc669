"""`GET /metrics`: the counters in Prometheus' text format.

Made for each scrape, from counters that are kept anyway: no registry is shared, so two apps in one process do not
collide. What Redis counts is the same in every web process. What a process counts itself has a label that names the
process: several of them may share one address, and a scrape reaches any of them.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from patterns.contract import DeliveryState, ErrorCode, TaskStatus
from patterns.contract.descriptor import Pattern
from patterns.contract.settings import Settings
from patterns.observability.counters import BOUNDS, BY_THIS_PROCESS, DeliveryCounters, Durations, TaskCounters
from patterns.tasks.store import TaskStore, Unavailable
from patterns.web.submit_observer import ANSWERS

#: A delivery that still waits after an attempt will be tried again.
_ATTEMPT_OUTCOMES = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.WAITING: "retried",
    DeliveryState.DEAD: "dead",
}
#: Every way in which a task can end. Present from the start, so that the first failure is a step up from 0.
_ENDS = (
    (TaskStatus.COMPLETED, None),
    (TaskStatus.CANCELLED, None),
    *((TaskStatus.FAILED, code) for code in ErrorCode),
)


def add_metrics_route(
    app: FastAPI,
    pattern: Pattern,
    settings: Settings,
    store: TaskStore,
    submits: Counter[str],
) -> None:
    """Add `GET /metrics`. It answers 200 also while the store is away, with what this process counts itself."""

    @app.get(
        "/metrics",
        summary="Counters for Prometheus",
        tags=["server"],
        response_class=PlainTextResponse,
        responses={200: {"description": "In Prometheus' text format."}},
    )
    async def metrics() -> Response:
        tasks, deliveries = None, None
        with suppress(Unavailable):
            tasks = await store.task_counters()
            deliveries = await store.delivery_counters() if pattern.can_call_back else None
        scrape = _Scrape(pattern, settings, tasks, submits, deliveries)
        return Response(scrape.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class _Scrape(Collector):
    """One scrape."""

    def __init__(
        self,
        pattern: Pattern,
        settings: Settings,
        tasks: TaskCounters | None,
        submits: Counter[str],
        deliveries: DeliveryCounters | None,
    ) -> None:
        self._pattern = pattern
        self._settings = settings
        self._tasks = tasks
        self._submits = submits
        self._deliveries = deliveries
        self._process = str(os.getpid())

    def text(self) -> bytes:
        registry = CollectorRegistry()
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> list[Metric]:
        """Nothing: the registry need not collect once more to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("longjobs", "The pattern that is served here.", {"pattern": self._pattern.name})
        yield GaugeMetricFamily(
            "longjobs_queue_limit_tasks",
            "Unfinished tasks at which submit answers 503 (KIT_QUEUE_SIZE).",
            self._settings.queue_size,
        )
        yield GaugeMetricFamily(
            "longjobs_store_up",
            "1 while the store of the task records answers; without it nothing is known of tasks.",
            int(self._tasks is not None),
        )
        submits = CounterMetricFamily(
            "longjobs_submits",
            f"Answers to POST /agent/submit. {BY_THIS_PROCESS}",
            labels=["answer", "process"],
        )
        for answer in ANSWERS:
            submits.add_metric([answer, self._process], self._submits[answer])
        yield submits
        if self._tasks:
            yield from _of_tasks(self._tasks)
        if self._deliveries:
            yield from _of_deliveries(self._deliveries)


def _of_deliveries(deliveries: DeliveryCounters) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "longjobs_delivery_attempts",
        f"Callbacks sent, by their outcome: delivered, to be retried, or given up (dead). {deliveries.counted}",
        labels=["outcome"],
    )
    for state, outcome in _ATTEMPT_OUTCOMES.items():
        attempts.add_metric([outcome], deliveries.attempts[state])
    yield attempts
    yield GaugeMetricFamily(
        "longjobs_deliveries_under_way",
        "Outcomes being delivered, or waiting for their next attempt.",
        deliveries.under_way,
    )
    yield GaugeMetricFamily(
        "longjobs_dead_letters", "Outcomes that could not be delivered, and are kept.", deliveries.dead_letters
    )


def _of_tasks(tasks: TaskCounters) -> Iterator[Metric]:
    unfinished = GaugeMetricFamily(
        "longjobs_tasks", "Unfinished tasks: pending ones wait in the queue.", labels=["state"]
    )
    unfinished.add_metric(["pending"], tasks.pending)
    unfinished.add_metric(["running"], tasks.running)
    yield unfinished
    finished = CounterMetricFamily(
        "longjobs_tasks_finished",
        f"Tasks by how they ended; code says why one failed. {tasks.counted}",
        labels=["state", "code"],
    )
    for status, code in _ENDS:
        finished.add_metric([status, code or ""], tasks.finished[status, code])
    yield finished
    yield _histogram("longjobs_queue_wait_seconds", f"From accepted to started. {tasks.counted}", tasks.queue_wait)
    yield _histogram(
        "longjobs_execution_seconds", f"From started to finished, whichever way. {tasks.counted}", tasks.execution
    )
    if tasks.workers is not None:
        yield GaugeMetricFamily("longjobs_workers", "Worker processes with a recent heartbeat.", tasks.workers)


def _histogram(name: str, explained: str, durations: Durations) -> Metric:
    below = accumulate(durations.counts)
    buckets = [(le, float(count)) for le, count in zip([*map(str, BOUNDS), "+Inf"], below, strict=True)]
    return HistogramMetricFamily(name, explained, buckets=buckets, sum_value=durations.total)
