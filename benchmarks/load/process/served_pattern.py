"""Reads from `/health` which pattern is served, and so how its client behaves."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from patterns import PATTERNS
from patterns.contract.descriptor import LearnsBy


class CannotLoad(Exception):
    """A trial that cannot start. The message is one line that says what to do."""


@dataclass(frozen=True)
class ServedPattern:
    """The served pattern, and how its client learns the outcome."""

    pattern: str
    learns_by: LearnsBy


def served_pattern(health: Any, contender: str | None = None, learns_by: str | None = None) -> ServedPattern:
    """The pattern that a response of `/health` names. An unknown pattern is polled, which every server supports.

    `contender` and `learns_by` override the response. Raises `CannotLoad` unless the server is healthy.
    """
    body: Any = None
    with suppress(ValueError, TypeError):
        body = health.json()
    if health.status_code == 503 and isinstance(body, dict) and body.get("detail"):  # a dependency is down
        raise CannotLoad(f"The server is not healthy, GET /health → 503: {body['detail']}")
    if health.status_code != 200 or not isinstance(body, dict):
        raise CannotLoad("GET /health does not name a pattern. Start one with: kit serve NAME")
    name = str(body.get("pattern", "unknown"))
    usual = PATTERNS[name].learns_by if name in PATTERNS else LearnsBy.FIXED_POLL
    return ServedPattern(contender or name, LearnsBy[learns_by] if learns_by else usual)
