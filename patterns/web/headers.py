"""The headers that the routes read and write."""

import math
import re

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from patterns.contract.settings import Settings
from patterns.web.mounting import root_path

IDEMPOTENCY_KEY_MAX = 255


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key` header, or None. Raises `RequestValidationError` for one that is empty or too long.

    Read by hand, because a declared header makes FastAPI spend a fifth of the time of the whole request on it.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= IDEMPOTENCY_KEY_MAX:
        message = f"must have 1 to {IDEMPOTENCY_KEY_MAX} characters"
        raise RequestValidationError([{"loc": ("header", "Idempotency-Key"), "msg": message}])
    return key


def status_headers(task_id: str, request: Request, settings: Settings) -> dict[str, str]:
    """What a 202 says beside the task: where its status is, and when the next poll is useful."""
    return {
        "Location": f"{root_path(request)}/agent/status/{task_id}",
        "Retry-After": retry_after_seconds(settings.poll_interval_seconds),
    }


def retry_after_seconds(seconds: float) -> str:
    """A `Retry-After` value: whole seconds (RFC 9110, 10.2.3), rounded up."""
    return str(math.ceil(seconds))


def wanted_wait(prefer: str | None) -> float | None:
    """The seconds in `Prefer: wait=N` (RFC 7240, 4.3), or None. What cannot be read is ignored, as it says."""
    found = re.search(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])', prefer or "", re.IGNORECASE)
    return float(found[1]) if found else None


def matches(if_none_match: str, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag (RFC 9110, 13.1.2: weak comparison)."""
    return if_none_match.strip() == "*" or etag in [
        candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")
    ]
