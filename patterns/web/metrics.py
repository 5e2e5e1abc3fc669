"""`GET /metrics`: the counters in Prometheus' text format.

Each scrape builds its own registry from the counters, so two apps in one process do not collide. Counters in Redis are
the same in every web process. Counters in memory have a `process` label: several web processes may share one port, and
a scrape reaches any of them.
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

#: A delivery that is still waiting after an attempt will be retried.
_ATTEMPT_OUTCOMES = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.WAITING: "retried",
    DeliveryState.DEAD: "dead",
}
#: Every outcome of a task. All are exported from the start, so that the first failure is an increase from 0.
_OUTCOMES = (
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
    """Add `GET /metrics`. While the store is unavailable, it returns the counters of this process only."""

    @app.get(
        "/metrics",
        summary="Metrics for Prometheus",
        tags=["server"],
        response_class=PlainTextResponse,
        responses={200: {"description": "The metrics, in Prometheus' text format."}},
    )
    async def metrics() -> Response:
        tasks, deliveries = None, None
        with suppress(Unavailable):
            tasks = await store.task_counters()
            deliveries = await store.delivery_counters() if pattern.can_call_back else None
        scrape = _Scrape(pattern, settings, tasks, submits, deliveries)
        return Response(scrape.text(), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class _Scrape(Collector):
    """The metrics at the time of one scrape."""

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
        """Nothing: otherwise the registry would collect twice, the first time for the names only."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("longjobs", "The pattern that this server runs.", {"pattern": self._pattern.name})
        yield GaugeMetricFamily(
            "longjobs_queue_limit_tasks",
            "Unfinished tasks at which submit returns 503 (KIT_QUEUE_SIZE).",
            self._settings.queue_size,
        )
        yield GaugeMetricFamily(
            "longjobs_store_up",
            "1 if the store of the task records is available. If not, there are no metrics of tasks.",
            int(self._tasks is not None),
        )
        submits = CounterMetricFamily(
            "longjobs_submits",
            f"Responses to POST /agent/submit. {BY_THIS_PROCESS}",
            labels=["answer", "process"],
        )
        for answer in ANSWERS:
            submits.add_metric([answer, self._process], self._submits[answer])
        yield submits
        if self._tasks:
            yield from _task_metrics(self._tasks)
        if self._deliveries:
            yield from _delivery_metrics(self._deliveries)


def _delivery_metrics(deliveries: DeliveryCounters) -> Iterator[Metric]:
    attempts = CounterMetricFamily(
        "longjobs_delivery_attempts",
        f"Attempts to deliver a callback, by outcome: delivered, retried, or dead (given up). {deliveries.counted}",
        labels=["outcome"],
    )
    for state, outcome in _ATTEMPT_OUTCOMES.items():
        attempts.add_metric([outcome], deliveries.attempts[state])
    yield attempts
    yield GaugeMetricFamily(
        "longjobs_deliveries_under_way",
        "Deliveries that are running, or waiting for their next attempt.",
        deliveries.under_way,
    )
    yield GaugeMetricFamily(
        "longjobs_dead_letters", "Deliveries that were given up, and can be sent again.", deliveries.dead_letters
    )


def _task_metrics(tasks: TaskCounters) -> Iterator[Metric]:
    unfinished = GaugeMetricFamily(
        "longjobs_tasks", "Unfinished tasks: pending (waiting in the queue) or running.", labels=["state"]
    )
    unfinished.add_metric(["pending"], tasks.pending)
    unfinished.add_metric(["running"], tasks.running)
    yield unfinished
    finished = CounterMetricFamily(
        "longjobs_tasks_finished",
        f"Finished tasks, by outcome; code says why a task failed. {tasks.counted}",
        labels=["state", "code"],
    )
    for status, code in _OUTCOMES:
        finished.add_metric([status, code or ""], tasks.finished[status, code])
    yield finished
    yield _histogram("longjobs_queue_wait_seconds", f"From accepted to started. {tasks.counted}", tasks.queue_wait)
    yield _histogram("longjobs_execution_seconds", f"From started to finished. {tasks.counted}", tasks.execution)
    if tasks.workers is not None:
        yield GaugeMetricFamily("longjobs_workers", "Worker processes with a recent heartbeat.", tasks.workers)


def _histogram(name: str, documentation: str, durations: Durations) -> Metric:
    cumulative = accumulate(durations.counts)
    buckets = [(le, float(count)) for le, count in zip([*map(str, BOUNDS), "+Inf"], cumulative, strict=True)]
    return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=durations.total)
