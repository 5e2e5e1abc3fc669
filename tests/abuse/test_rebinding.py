"""A receiver at a public address turns hostile, or its name resolves to a private address: that is never called.

The server's names resolve as a hostile name server would answer them, see `hostile_network`.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response

from patterns import WEBHOOK
from tests.abuse.hostile_network import PUBLIC
from tests.support.callback_receiver import CallbackReceiver
from tests.support.scripted_server import Scripts, scripted_server
from tests.support.serving import Served, Servers
from tests.support.tripwire import Tripwire

_PUBLIC = PUBLIC.replace(".", "-")
_OURS = (
    *("127-0-0-1", "127-1-2-3", "0-0-0-0", "10-0-0-1", "172-16-0-1", "192-168-0-1", "169-254-169-254", "100-64-0-1"),
    *("xx1", "xx", "fe80xx1", "fd00xec2xx254", "fc00xx1", "xxffffx7f00x1", "64xff9bxx7f00x1", "2002x7f00x1xx"),
    *("xxffffxa9fexa9fe", "192-0-0-192", "100-100-100-200", "224-0-0-1", "255-255-255-255", "ff02xx1"),
)


@pytest.fixture(scope="module")
def tripwire() -> Iterator[Tripwire]:
    with Tripwire() as tripwire:
        yield tripwire


@pytest.fixture(scope="module")
def scripts() -> Iterator[Scripts]:
    with scripted_server() as scripts:
        yield scripts


@pytest.fixture
def receiver(scripts: Scripts) -> CallbackReceiver:
    """What is at the public address. Its URL is on this machine: tests ask for its path under another name."""
    return CallbackReceiver(scripts.script())


@pytest.fixture(scope="module")
def guarded(scripts: Scripts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The webhook pattern in a hostile network: private addresses are not allowed; three attempts, quickly."""
    port = str(urlsplit(scripts.script().url).port)
    with Servers(tmp_path_factory.mktemp("hostile"), "http://nobody.test/") as servers:
        yield servers.serve(
            WEBHOOK,
            {
                "KIT_AGENT": "tests.abuse.hostile_network:agent",
                "HOSTILE_RECEIVER_PORT": port,
                "KIT_WEBHOOK_ALLOW_PRIVATE": "0",
                "KIT_WEBHOOK_ATTEMPTS": "3",
                "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.05",
                "KIT_WEBHOOK_TIMEOUT_SECONDS": "2",
                "KIT_GRACE_SECONDS": "0.5",
            },
        )


def hook(receiver: CallbackReceiver, name: str, port: int) -> str:
    """The URL of a receiver under a name."""
    return f"http://{name}.test:{port}{urlsplit(receiver.url).path}"


def closing(status: int, **headers: str) -> Response:
    """An answer after which the next attempt needs a new connection."""
    return Response(status_code=status, headers={"connection": "close", **headers})


def test_the_receiver_at_the_public_address_is_called(
    guarded: Served, receiver: CallbackReceiver, tripwire: Tripwire
) -> None:
    receiver.answers(closing(204))

    guarded.until_delivery(guarded.accept(callback_url=hook(receiver, _PUBLIC, tripwire.port)))

    assert receiver.count() == 1
    assert receiver.seen()[0].headers["host"] == f"{_PUBLIC}.test:{tripwire.port}"


@pytest.mark.parametrize("ours", _OURS)
def test_a_name_that_resolves_to_a_private_address_is_not_called(
    guarded: Served, receiver: CallbackReceiver, tripwire: Tripwire, ours: str
) -> None:
    """Alone; together with a public address, before and after it; and at the second lookup (DNS rebinding)."""
    receiver.answers(closing(500))
    at_once = [ours, f"{ours}-and-{_PUBLIC}", f"{_PUBLIC}-and-{ours}"]
    tasks = [guarded.accept(callback_url=hook(receiver, name, tripwire.port)) for name in at_once]
    rebound = guarded.accept(callback_url=hook(receiver, f"{_PUBLIC}--{ours}", tripwire.port))

    for task_id in tasks:
        dead = guarded.until_delivery(task_id, "dead")
        assert [attempt["status_code"] for attempt in dead["attempts"]] == [None]
    dead = guarded.until_delivery(rebound, "dead")
    assert [attempt["status_code"] for attempt in dead["attempts"]] == [500, None]
    assert receiver.count() == 1
    assert tripwire.visitors() == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_the_servers_own_machine_is_not_followed(
    guarded: Served, receiver: CallbackReceiver, tripwire: Tripwire, status: int
) -> None:
    receiver.answers(
        closing(status, location=f"http://127.0.0.1:{tripwire.port}/"),
        closing(status, location=f"http://[::1]:{tripwire.port}/", refresh=f"0;url=http://localhost:{tripwire.port}/"),
        closing(status, location=f"//localhost:{tripwire.port}/"),
    )

    dead = guarded.until_delivery(guarded.accept(callback_url=hook(receiver, _PUBLIC, tripwire.port)), "dead")

    assert [attempt["status_code"] for attempt in dead["attempts"]] == [status] * 3
    assert tripwire.visitors() == []
