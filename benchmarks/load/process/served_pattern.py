"""Which pattern is served, and so how its client behaves: the server itself says so."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from patterns import PATTERNS
from patterns.contract.descriptor import LearnsBy


class CannotLoad(Exception):
    """The trial cannot begin. The message is one line that says what to do."""


@dataclass(frozen=True)
class ServedPattern:
    """What `/health` says."""

    pattern: str
    learns_by: LearnsBy


def served_pattern(health: Any, contender: str | None = None, learns_by: str | None = None) -> ServedPattern:
    """Which pattern is served. A pattern that the kit does not know is polled, which every server must support.

    `contender` and `learns_by` override what the server says.

    Raises `CannotLoad` when the answer is not that of a healthy server.
    """
    body: Any = None
    with suppress(ValueError, TypeError):
        body = health.json()
    if health.status_code == 503 and isinstance(body, dict) and body.get("detail"):  # something that it needs is down
        raise CannotLoad(f"The server is not healthy, GET /health → 503: {body['detail']}")
    if health.status_code != 200 or not isinstance(body, dict):
        raise CannotLoad("GET /health does not say that a pattern is served here. Start one with: kit serve NAME")
    name = str(body.get("pattern", "unknown"))
    usual = PATTERNS[name].learns_by if name in PATTERNS else LearnsBy.FIXED_POLL
    return ServedPattern(contender or name, LearnsBy[learns_by] if learns_by else usual)
