"""The request headers that the routes read, and the response headers that they write."""

import math
import re

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from patterns.contract.settings import Settings
from patterns.web.mounting import root_path

IDEMPOTENCY_KEY_MAX = 255


def idempotency_key(request: Request) -> str | None:
    """The `Idempotency-Key` header, or None. Raises `RequestValidationError` if it is empty or too long.

    Read by hand: a declared `Header()` parameter takes FastAPI a fifth of the time of a submit.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= IDEMPOTENCY_KEY_MAX:
        message = f"must have 1 to {IDEMPOTENCY_KEY_MAX} characters"
        raise RequestValidationError([{"loc": ("header", "Idempotency-Key"), "msg": message}])
    return key


def status_headers(task_id: str, request: Request, settings: Settings) -> dict[str, str]:
    """The headers of a 202: the path of the task's status, and the seconds until the first poll."""
    return {
        "Location": f"{root_path(request)}/agent/status/{task_id}",
        "Retry-After": retry_after_seconds(settings.poll_interval_seconds),
    }


def retry_after_seconds(seconds: float) -> str:
    """The value of a `Retry-After` header: whole seconds (RFC 9110, 10.2.3), rounded up."""
    return str(math.ceil(seconds))


def preferred_wait(prefer: str | None) -> float | None:
    """The seconds in `Prefer: wait=N` (RFC 7240, 4.3), or None. An invalid preference is ignored, as the RFC says."""
    match = re.search(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])', prefer or "", re.IGNORECASE)
    return float(match[1]) if match else None


def matches(if_none_match: str, etag: str) -> bool:
    """Whether `If-None-Match` contains this ETag (RFC 9110, 13.1.2: weak comparison)."""
    return if_none_match.strip() == "*" or etag in [
        candidate.strip().removeprefix("W/") for candidate in if_none_match.split(",")
    ]
