"""GET /agent/events/{task_id}: the changes of a task as server-sent events."""

import json
import random
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import pytest

from tests.contract.agents import REPORTS
from tests.contract.task_shape import check_problem, check_task
from tests.support.event_stream import Event, follow, stream
from tests.support.serving import Json, Served
from tests.support.waiting import eventually

_LAST = 90
_REPORTS = [(10, "page 1"), (20, "page 2"), (20, "page 3"), (30,), (30, "page 3"), (_LAST,)]
_CHANGES = [
    ("pending", 0, None),
    ("running", 0, None),
    ("running", 10, "page 1"),
    ("running", 20, "page 2"),
    ("running", 20, "page 3"),
    ("running", 30, "page 3"),
    ("running", _LAST, "page 3"),
    ("cancelled", _LAST, "page 3"),
]


def changes(events: Sequence[Event]) -> list[tuple[str, int, str | None]]:
    """What changed from event to event."""
    return [(event.task["status"], event.task["progress"], event.task["message"]) for event in events]


def without_delivery(task: Json) -> Json:
    """The task without the delivery of its callback, which goes on after the outcome."""
    return {name: value for name, value in task.items() if name != "delivery"}


def waiting_task(served: Served, reports: Sequence[object] = _REPORTS) -> tuple[str, str]:
    """A task that keeps the only worker busy, and a task that makes these reports when the worker is free."""
    busy = served.accept("work that does not end by itself")
    served.until(busy, "running")
    return busy, served.accept(REPORTS + json.dumps(reports))


def history(served: Served) -> list[Event]:
    """All events of a task, from pending to cancelled."""
    busy, task_id = waiting_task(served)
    seen: list[Event] = []
    with stream(served, task_id) as arriving:
        for event in arriving:
            seen.append(event)
            if len(seen) == 1:
                served.cancel(busy)
            if event.task["progress"] == _LAST and event.task["status"] == "running":
                served.cancel(task_id)
    return seen


def test_the_task_as_it_is_comes_first_then_every_change(small: Served) -> None:
    seen = history(small)

    assert changes(seen) == _CHANGES
    for event in seen:
        check_task(event.task, small)
    assert without_delivery(seen[-1].task) == without_delivery(small.task(seen[0].task["task_id"]))


def test_every_event_has_its_own_id(small: Served) -> None:
    ids = [event.id for event in history(small)]

    assert len(set(ids)) == len(ids)


def test_a_stream_ends_after_the_outcome(quick: Served) -> None:
    seen = follow(quick, quick.accept())

    assert seen[-1].task["status"] == "completed"
    assert seen[-1].task["result"]
    assert all(event.task["result"] is None for event in seen[:-1])


def test_a_failed_task_ends_with_its_error(quick: Served) -> None:
    seen = follow(quick, quick.accept("fail: on purpose"))

    assert seen[-1].task["error"]["code"] == "agent_error"


def test_a_finished_task_has_one_event(quick: Served) -> None:
    task_id = quick.accept()
    quick.outcome(task_id)

    (event,) = follow(quick, task_id)

    assert without_delivery(event.task) == without_delivery(quick.task(task_id))


def test_a_stream_continues_after_any_event(small: Served) -> None:
    seen = history(small)
    task_id = seen[0].task["task_id"]

    for number, event in enumerate(seen[:-1], start=1):
        rest = follow(small, task_id, event.id)

        assert [event.id for event in rest] == [event.id for event in seen[number:]]
        assert [without_delivery(event.task) for event in rest] == [
            without_delivery(event.task) for event in seen[number:]
        ]


@pytest.mark.parametrize("seed", range(3))
def test_a_stream_that_is_cut_again_and_again_has_every_change_once(quick: Served, seed: int) -> None:
    rng, task_id = random.Random(seed), quick.accept()
    seen: list[Event] = []
    while not (seen and seen[-1].task["finished_at"]):
        with stream(quick, task_id, seen[-1].id if seen else None) as arriving:
            for _ in range(rng.randint(1, 3)):
                if (event := next(arriving, None)) is None:
                    break
                seen.append(event)

    whole = follow(quick, task_id, seen[0].id)
    assert [event.id for event in seen[1:]] == [event.id for event in whole]
    assert changes(seen[1:]) == changes(whole)


def test_after_the_outcome_there_is_no_content(quick: Served) -> None:
    task_id = quick.accept()
    (*_, outcome) = follow(quick, task_id)

    response = quick.http.get(f"/agent/events/{task_id}", headers={"Last-Event-ID": outcome.id})

    assert response.status_code == 204
    assert response.content == b""


@pytest.mark.parametrize("headers", [{}, {"Last-Event-ID": "1"}])
def test_an_unknown_task_gives_404(quick: Served, headers: dict[str, str]) -> None:
    check_problem(quick.http.get("/agent/events/unknown", headers=headers), 404)


@pytest.mark.parametrize("event_id", ["", "unknown", "-1", "1.5", "12345", "9" * 30, "1-1", "0x1", "\u0663"])
def test_after_an_unknown_id_the_task_as_it_is_comes_next(quick: Served, event_id: str) -> None:
    task_id = quick.accept()
    (*_, outcome) = follow(quick, task_id)

    response = quick.http.get(f"/agent/events/{task_id}", headers={b"Last-Event-ID": event_id.encode()})

    assert response.status_code == 200
    assert response.text.count("data: ") == 1
    assert f"id: {outcome.id}\n" in response.text


def test_after_an_id_that_is_too_old_the_task_as_it_is_comes_next(small: Served) -> None:
    _, task_id = busy_and_waiting = waiting_task(small, [*([50, f"page {page}"] for page in range(300)), [_LAST]])
    with stream(small, task_id) as arriving:
        first = next(arriving)
    small.cancel(busy_and_waiting[0])
    reported = eventually(lambda: small.task(task_id), lambda task: task["progress"] == _LAST)

    with stream(small, task_id, first.id) as arriving:
        event = next(arriving)
        assert without_delivery(event.task) == without_delivery(reported)
    small.cancel(task_id)

    assert changes(follow(small, task_id, event.id)) == [("cancelled", _LAST, "page 299")]


def test_a_client_that_does_not_read_holds_up_nothing(small: Served) -> None:
    reports = [*([50, f"page {page}"] for page in range(3000)), [_LAST]]
    task_id = small.accept(REPORTS + json.dumps(reports))
    address = urlsplit(small.url)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect((address.hostname, address.port))
        slow.sendall(f"GET /agent/events/{task_id} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())

        eventually(lambda: small.task(task_id), lambda task: task["progress"] == _LAST)
        assert small.cancel(task_id).status_code == 200

        slow.settimeout(20)
        received = b""
        while not received.endswith(b"0\r\n\r\n"):  # the end of a chunked body
            part = slow.recv(65_536)
            assert part, "the connection was closed before the end of the stream"
            received += part
    assert b'"status":"cancelled"' in received


def test_many_clients_get_the_same_events(small: Served) -> None:
    busy, task_id = waiting_task(small)
    clients = [small.connect() for _ in range(20)]
    try:
        responses = [client.stream("GET", f"/agent/events/{task_id}") for client in clients]
        opened = [response.__enter__() for response in responses]
        small.cancel(busy)
        eventually(lambda: small.task(task_id), lambda task: task["progress"] == _LAST)
        small.cancel(task_id)
        bodies = {without_pings(response) for response in opened}
        for response in responses:
            response.__exit__(None, None, None)
    finally:
        for client in clients:
            client.close()

    (body,) = bodies
    assert body.count("data: ") == len(_CHANGES)


def without_pings(response: httpx.Response) -> str:
    """The body of a stream that ends, without the comments that keep the connection open."""
    response.read()
    return response.text.replace(": ping\n\n", "")


def test_a_client_that_disconnects_leaves_the_task_alone(small: Served) -> None:
    task_id = small.accept()
    with stream(small, task_id) as arriving:
        next(arriving)

    small.until(task_id, "running")
    assert small.health() == 200
