"""The targets of `submit_throughput`: the patterns, and the two references that they are compared with."""

import json
from dataclasses import dataclass

from patterns import PATTERNS

_SUBMIT = json.dumps({"prompt": "Compare the three vendors in this contract."})
_SUBMIT_WITH_CALLBACK = json.dumps({**json.loads(_SUBMIT), "callback_url": "http://127.0.0.1:9/outcomes"})


@dataclass(frozen=True)
class Bound:
    """The smallest acceptable ratio of a target to its reference."""

    against: str
    at_least: float


@dataclass(frozen=True)
class Target:
    """A server to measure, as arguments of the Python interpreter."""

    name: str
    arguments: tuple[str, ...]
    needs_redis: bool = False
    body: str = _SUBMIT
    bound: Bound | None = None


def _pattern(name: str, bound: Bound, *, needs_redis: bool = False, body: str = _SUBMIT) -> Target:
    return Target(name, ("-m", "patterns.web.process", PATTERNS[name].app), needs_redis, body, bound)


def _reference(name: str, *, needs_redis: bool = False) -> Target:
    return Target(
        name, ("-m", "patterns.web.process", f"benchmarks.scale.submit_throughput.reference_apps:{name}"), needs_redis
    )


#: The ceiling validates a body without a callback_url, so it is a little stricter for webhook.
TARGETS = (
    _reference("ceiling"),
    _pattern("in_memory_queue", Bound("ceiling", 0.75)),
    _pattern("webhook", Bound("ceiling", 0.75), body=_SUBMIT_WITH_CALLBACK),
    _pattern("background_tasks", Bound("ceiling", 0.35)),  # it keeps every request until its task ends
    _reference("plain_delay", needs_redis=True),
    _pattern("celery_queue", Bound("plain_delay", 1.5), needs_redis=True),
)
