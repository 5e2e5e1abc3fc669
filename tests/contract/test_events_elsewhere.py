"""A stream of events continues on another web process of celery_queue, and ends when a server stops."""

import json
from collections.abc import Iterator

import pytest

from patterns import CELERY_QUEUE, PATTERNS
from tests.contract.agents import REPORTS
from tests.support.callback_receiver import CallbackReceiver
from tests.support.event_stream import Event, follow, stream
from tests.support.serving import Served, Servers

_SETTINGS = {"KIT_AGENT": "tests.contract.agents:agent", "KIT_GRACE_SECONDS": "0.5"}
_PROMPT = REPORTS + json.dumps([[percent, f"page {percent}"] for percent in range(1, 100)])
_LAST = 99


@pytest.fixture
def servers(tmp_path_factory: pytest.TempPathFactory, callbacks: CallbackReceiver) -> Iterator[Servers]:
    """Starts servers for one test."""
    with Servers(tmp_path_factory.mktemp("elsewhere"), callbacks.url) as servers:
        yield servers


@pytest.fixture
def two_hosts(servers: Servers) -> tuple[Served, Served]:
    """Two servers of celery_queue that share a Redis."""
    env = {**_SETTINGS, "REDIS_URL": servers.redis().url}
    started = servers.side_by_side({"first": (CELERY_QUEUE, env), "second": (CELERY_QUEUE, env)})
    return started["first"], started["second"]


def read_until(served: Served, task_id: str, progress: int, last_event_id: str | None = None) -> list[Event]:
    """The events until one with this progress, after which the client disconnects."""
    seen: list[Event] = []
    with stream(served, task_id, last_event_id) as arriving:
        for event in arriving:
            seen.append(event)
            if event.task["progress"] >= progress:
                break
    return seen


def test_a_stream_continues_on_another_web_process(two_hosts: tuple[Served, Served]) -> None:
    first, second = two_hosts
    task_id = first.accept(_PROMPT)

    seen = read_until(first, task_id, 20, "0")  # however fast the agent is, all that follows is in the history
    seen += read_until(second, task_id, 60, seen[-1].id)
    seen += read_until(first, task_id, _LAST, seen[-1].id)
    second.cancel(task_id)
    seen += follow(second, task_id, seen[-1].id)

    ids = [int(event.id) for event in seen]
    assert ids == list(range(1, len(ids) + 1))
    assert seen[-1].task["status"] == "cancelled"


def test_a_change_reaches_the_streams_of_all_web_processes(two_hosts: tuple[Served, Served]) -> None:
    first, second = two_hosts
    task_id = first.accept(_PROMPT)
    first.until(task_id, "running")

    with stream(first, task_id) as here, stream(second, task_id) as there:
        next(here), next(there)
        second.cancel(task_id)
        (*_, last_here), (*_, last_there) = here, there

    assert last_here == last_there
    assert last_here.task["status"] == "cancelled"


def test_a_stream_ends_when_its_web_process_stops_and_continues_on_another(two_hosts: tuple[Served, Served]) -> None:
    first, second = two_hosts
    task_id = first.accept(_PROMPT)
    with stream(first, task_id) as arriving:
        seen = [next(arriving)]
        first.running.web[0].terminate()
        seen += list(arriving)
    assert seen[-1].task["finished_at"] is None

    second.cancel(task_id)

    assert follow(second, task_id, seen[-1].id)[-1].task["status"] == "cancelled"


@pytest.mark.parametrize("name", [name for name, pattern in PATTERNS.items() if not pattern.scales_out])
def test_a_stream_has_the_outcome_when_the_server_stops(servers: Servers, name: str) -> None:
    served = servers.serve(PATTERNS[name], _SETTINGS)
    task_id = served.accept(_PROMPT)

    with stream(served, task_id) as arriving:
        next(arriving)
        served.running.web[0].terminate()
        (*_, outcome) = arriving

    assert (outcome.task["status"], outcome.task["error"]["code"]) == ("failed", "shutdown")
