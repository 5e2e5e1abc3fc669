"""HTTP for the client behaviours: each call returns one `Answer` and is counted in the task's sample."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from benchmarks.records.samples import Sample


class Session(Protocol):
    """The used part of Locust's FastHttpSession."""

    def get(self, url: str, *, name: str, headers: Mapping[str, str]) -> Any:
        """Send a GET request. The response has status 0 if there was none."""

    def post(self, url: str, *, name: str, json: Mapping[str, str]) -> Any:
        """Send a POST request, as `get`."""


@dataclass(frozen=True)
class Answer:
    """A response. `http_status` is 0 if there was none."""

    http_status: int
    body: Mapping[str, Any]
    retry_after: float | None

    def text(self, name: str) -> str:
        """A string field of the body; empty if it is missing or not a string."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    def moment(self, name: str) -> float | None:
        """A time field of the body in seconds since the epoch; None if it is missing."""
        return moment(self.text(name))


def moment(text: str) -> float | None:
    """An ISO 8601 time in seconds since the epoch; None for any other text."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def submit(session: Session, sample: Sample, prompt: str, callback_url: str | None) -> Answer:
    """`POST /agent/submit`."""
    body = {"prompt": prompt}
    if callback_url is not None:
        body["callback_url"] = callback_url
    sample.requests += 1
    return _answer(session.post("/agent/submit", name="/agent/submit", json=body))


def status(session: Session, sample: Sample, wait: int | None = None) -> Answer:
    """`GET /agent/status/{task_id}`, as a long-poll of up to `wait` seconds if given."""
    sample.requests += 1
    name, headers = "/agent/status/{task_id}", {}
    if wait is not None:
        name, headers = "/agent/status/{task_id} (long-poll)", {"Prefer": f"wait={wait}"}
    return _answer(session.get(f"/agent/status/{sample.task_id}", name=name, headers=headers))


def _answer(response: Any) -> Answer:
    if not response.status_code:
        return Answer(0, {}, None)
    return Answer(response.status_code, _body(response.content), _seconds(response.headers.get("retry-after")))


def _body(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(value: Any) -> float | None:
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return None  # an HTTP date, or nothing: the client uses its own pause
