"""`GET /metrics` of each pattern: it counts what happened."""

import signal

from prometheus_client.parser import text_string_to_metric_families

from patterns import PATTERNS
from tests.observability.scraping import Scrape, scrape, scrape_all, submits
from tests.support.serving import Served
from tests.support.waiting import eventually

_FINISHED = "longjobs_tasks_finished_total"
_ANSWERS = {"accepted", "queue_full", "unavailable", "invalid", "key_reused", "too_long", "error"}


def grown(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    """How much more it is."""
    return after.total(name, **labels) - before.total(name, **labels)


def occupy(served: Served, waiting: int = 0) -> list[str]:
    """Submit a task that runs until it is cancelled, and others that wait. Returns all ids, that one first."""
    running = served.accept("hang: until it is cancelled")
    served.until(running, "running")
    return [running, *(served.accept(f"wait {number}") for number in range(waiting))]


def test_each_pattern_exports_its_name_and_its_capacity(served: Served) -> None:
    seen = scrape(served)

    assert seen.total("longjobs_info", pattern=served.pattern.name) == 1
    assert seen.total("longjobs_queue_limit_tasks") == 3
    assert seen.total("longjobs_store_up") == 1


def test_the_content_type_is_the_one_that_prometheus_asks_for(served: Served) -> None:
    answer = served.http.get("/metrics")

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert list(text_string_to_metric_families(answer.text))


def test_names_follow_prometheus_own_rules(served: Served) -> None:
    for name, family in scrape(served).families.items():
        assert name.startswith("longjobs"), name
        assert family.documentation.endswith("."), name
        assert family.type != "counter" or all(sample.name.endswith("_total") for sample in family.samples)
        assert family.type != "histogram" or name.endswith("_seconds"), name


def test_every_web_process_counts_waiting_and_running_tasks_separately(served: Served) -> None:
    occupy(served, waiting=2)

    for seen in scrape_all(served).values():
        assert seen.total("longjobs_tasks", state="pending") == 2
        assert seen.total("longjobs_tasks", state="running") == 1

    served.cancel_all()

    for seen in scrape_all(served).values():
        assert seen.total("longjobs_tasks") == 0


def test_each_end_of_a_task_is_counted_with_its_reason(served: Served) -> None:
    before = scrape(served)
    for prompt in ("work", "work again", "fail: as told"):
        served.outcome(served.accept(prompt))
    running, waiting = occupy(served, waiting=1)
    served.cancel(waiting)
    served.cancel(running)
    served.cancel(running)  # cancelled already: it ends once

    after = scrape(served)

    assert grown(before, after, _FINISHED, state="completed", code="") == 2
    assert grown(before, after, _FINISHED, state="failed", code="agent_error") == 1
    assert grown(before, after, _FINISHED, state="cancelled", code="") == 2
    assert grown(before, after, _FINISHED) == 5


def test_every_reason_is_exported_before_it_has_happened(served: Served) -> None:
    seen = scrape(served)

    for code in ("timeout", "agent_error", "shutdown", "worker_lost"):
        assert seen.total(_FINISHED, state="failed", code=code) >= 0
    assert {s.labels["answer"] for s in seen.samples if s.name == "longjobs_submits_total"} == _ANSWERS


def test_how_long_tasks_wait_and_run_is_sorted_into_buckets(served: Served) -> None:
    before = scrape(served)
    running, waiting = occupy(served, waiting=1)
    served.cancel(running)
    task = served.outcome(waiting)
    after = scrape(served)

    for name in ("longjobs_queue_wait_seconds", "longjobs_execution_seconds"):
        assert grown(before, after, f"{name}_count") == 2
        assert grown(before, after, f"{name}_bucket", le="+Inf") == 2
        assert grown(before, after, f"{name}_sum") > 0
    assert task["status"] == "completed"
    # its five steps of 0.02 s are longer than this, each, on every machine
    assert grown(before, after, "longjobs_execution_seconds_sum") > 0.09
    assert grown(before, after, "longjobs_execution_seconds_bucket", le="0.05") <= 1


def test_a_task_that_never_ran_is_in_no_histogram(served: Served) -> None:
    running, waiting = occupy(served, waiting=1)
    before = scrape(served)
    served.cancel(waiting)
    after = scrape(served)

    assert grown(before, after, "longjobs_queue_wait_seconds_count") == 0
    assert grown(before, after, "longjobs_execution_seconds_count") == 0
    served.cancel(running)


def test_submits_are_counted_by_their_answer(served: Served) -> None:
    before = submits(served)
    running = occupy(served, waiting=2)[0]
    for _ in range(2):
        assert served.submit().status_code == 503
    served.cancel_all()
    assert served.submit("one", key=f"metrics {running}").status_code == 202
    assert served.submit("one", key=f"metrics {running}").status_code == 202
    assert served.submit("another", key=f"metrics {running}").status_code == 422
    assert served.http.post("/agent/submit", json={"promt": "hello"}).status_code == 422
    assert served.http.post("/agent/submit", content=b"{").status_code == 422
    assert served.submit("x" * 20_000).status_code == 413
    assert served.http.get("/agent/submit").status_code == 405  # no submit at all

    after = submits(served)

    assert {answer: after[answer] - before[answer] for answer in after} == {
        "accepted": 5,
        "queue_full": 2,
        "invalid": 2,
        "key_reused": 1,
        "too_long": 1,
        "unavailable": 0,
        "error": 0,
    }


def test_only_patterns_with_workers_count_them(served: Served) -> None:
    seen = scrape(served)

    if served.running.workers:
        assert seen.total("longjobs_workers") == len(served.running.workers)
    else:
        assert "longjobs_workers" not in seen.families


def test_what_is_counted_in_redis_is_the_same_in_every_web_process(fleet: dict[str, Served]) -> None:
    served = fleet["celery_queue"]
    for _ in range(3):
        served.until_delivery(served.accept("work", callback_url=served.callback_url))

    one, other = scrape_all(served).values()

    shared = [sample for sample in one.samples if "process" not in sample.labels]
    assert shared == [sample for sample in other.samples if "process" not in sample.labels]
    assert "Counted in Redis" in one.families["longjobs_tasks_finished"].documentation
    assert "Counted in Redis" in one.families["longjobs_delivery_attempts"].documentation
    assert "by this web process" in one.families["longjobs_submits"].documentation


def test_without_redis_a_web_process_still_exports_its_own_counters(fleet: dict[str, Served]) -> None:
    served = fleet["celery_queue"]
    broker = served.running.redis
    assert broker is not None
    before = submits(served)
    broker.kill(signal.SIGSTOP)
    try:
        refused = served.submit()
        seen = scrape(served)
    finally:
        broker.kill(signal.SIGCONT)

    assert refused.status_code == 503
    assert seen.total("longjobs_store_up") == 0
    assert "longjobs_tasks" not in seen.families
    assert submits(served)["unavailable"] == before["unavailable"] + 1
    eventually(lambda: scrape(served).total("longjobs_store_up"), lambda up: up == 1)
    served.until_healthy()


def test_each_delivery_attempt_is_counted_by_its_outcome(caller: Served) -> None:
    attempts = "longjobs_delivery_attempts_total"
    before = scrape(caller)
    caller.until_delivery(caller.accept("work", callback_url=caller.callback_url))
    task_id = caller.accept("work", callback_url="http://127.0.0.1:9/nobody")
    caller.until_delivery(task_id, "dead")

    after = scrape(caller)

    assert grown(before, after, attempts, outcome="delivered") == 1
    assert grown(before, after, attempts, outcome="retried") == 1
    assert grown(before, after, attempts, outcome="dead") == 1
    assert grown(before, after, "longjobs_dead_letters") == 1
    assert after.total("longjobs_deliveries_under_way") == 0


def test_only_patterns_that_can_call_back_count_deliveries(fleet: dict[str, Served]) -> None:
    for name, served in fleet.items():
        assert ("longjobs_delivery_attempts" in scrape(served).families) == PATTERNS[name].can_call_back
