"""A receiver of callbacks on loopback. It acknowledges every callback unless a test says otherwise."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from starlette.responses import Response

from tests.support.scripted_server import Answer, Script, Seen, scripted_server

#: What a receiver answers to a callback that it has taken.
ACKNOWLEDGED = Response(status_code=204)
_ROUTE = "POST /hook"


class CallbackReceiver:
    """What is at one callback URL: one of the scripts of a scripted server."""

    def __init__(self, script: Script) -> None:
        self.script = script.on(_ROUTE, ACKNOWLEDGED)
        self.url = f"{script.url}/hook"

    def answers(self, *answers: Answer) -> Self:
        """Give these answers in turn from now on; the last one is given to all further attempts."""
        self.script.on(_ROUTE, *answers)
        return self

    def seen(self) -> list[Seen]:
        """Every attempt so far."""
        return self.script.seen(_ROUTE)

    def count(self) -> int:
        """How many attempts have arrived."""
        return self.script.count(_ROUTE)

    def times(self) -> list[float]:
        """When the attempts arrived, in seconds on the monotonic clock."""
        return self.script.times(_ROUTE)

    def until_seen(self, count: int = 1) -> list[Seen]:
        """The attempts, once there are that many."""
        return self.script.until_seen(_ROUTE, count)

    def about(self, task_id: str) -> list[dict[str, Any]]:
        """The callbacks of one task."""
        return [request.json for request in self.seen() if request.json["task_id"] == task_id]


@contextmanager
def callback_receiver() -> Iterator[CallbackReceiver]:
    """A receiver with a server of its own, for as long as the block lasts."""
    with scripted_server() as scripts:
        yield CallbackReceiver(scripts.script())
