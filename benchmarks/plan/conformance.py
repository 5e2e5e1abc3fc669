"""Whether a contender keeps the wire contract. Without it, its metrics could not be compared.

The checks are those of `kit check --url`, in their own process.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from patterns.contract.descriptor import Pattern
from patterns.contract.settings import new_webhook_secret
from patterns.serving.running import running

#: The agent works for as long as the checks need to see a task running, and several tasks at once.
_AGENT = {
    "KIT_AGENT": "simulated",
    "KIT_AGENT_BEHAVIOUR": "work",
    "KIT_AGENT_OBEYS_PROMPT": "1",
    "KIT_AGENT_STEPS": "10",
    "KIT_AGENT_STEP_SECONDS": "0.2",
    "KIT_AGENT_JITTER": "0",
    "KIT_WORKERS": "8",
}
#: Other settings that change answers: fixed, so that the environment does not change them.
_SERVER = {
    "KIT_TASK_TIMEOUT_SECONDS": "60",
    "KIT_TASK_TTL_SECONDS": "600",
    "KIT_QUEUE_SIZE": "1000",
    "KIT_POLL_INTERVAL_SECONDS": "1",
    "KIT_MAX_WAIT_SECONDS": "30",
    "KIT_MAX_BODY_BYTES": "262144",
    "KIT_GRACE_SECONDS": "1",
    "KIT_BROKER_URL": "",
    "KIT_WEBHOOK_ALLOW_PRIVATE": "1",  # the checks listen on loopback
}
_MOST_SECONDS = 180.0
#: Of more failed checks than this the first ones are named.
_MOST_NAMED = 3


class NotConforming(Exception):
    """A contender does not keep the contract, or it could not be seen that it does. The message is one line."""


@dataclass(frozen=True)
class ConformanceResult:
    """How many checks passed, and the titles of those that failed or could not be made."""

    made: int
    failed: list[str]
    open: list[str]


def admit(contenders: Iterable[Pattern], folder: Path, say: Callable[[str], None]) -> None:
    """Check each contender. The output of the checks is kept in `folder`.

    Raises `NotConforming` for the first that does not keep the contract, and `ProcessFailed`, `CannotServe`,
    `SettingsError` when it cannot be served.
    """
    for pattern in contenders:
        say(f"{pattern.name}: does it keep the wire contract?")
        seen = folder / f"{pattern.name}.contract.txt"
        result = check(pattern, seen, folder / f"{pattern.name}.log")
        if result.failed:
            raise NotConforming(
                f"{pattern.name} does not keep the wire contract, and is not measured. It fails: "
                f"{_listed(result.failed)}. What was seen, and what to do: {seen}"
            )
        if result.open or not result.made:
            raise NotConforming(
                f"Whether {pattern.name} keeps the wire contract could not be seen: {_listed(result.open)}. "
                f"More: {seen}"
            )
        say(f"{pattern.name}: it does, in all {result.made} checks")


def check(pattern: Pattern, seen: Path, log: Path) -> ConformanceResult:
    """Serve a contender, and have the contract checked. The output of the checks is written to `seen`."""
    secret = new_webhook_secret()
    env = {**_AGENT, **_SERVER, "KIT_KEY_PREFIX": f"kit-contract-{os.getpid()}:", "KIT_WEBHOOK_SECRET": secret}
    verdicts = seen.with_suffix(".json")
    with running(pattern, env=env, log=log) as served:
        _require_its_name(pattern, served.url)
        argv = [sys.executable, "-m", "kit", "check", "--url", served.url, "--json", str(verdicts)]
        with seen.open("w") as output:
            try:
                subprocess.run(
                    argv,
                    env={**os.environ, "KIT_WEBHOOK_SECRET": secret},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    check=False,
                    timeout=_MOST_SECONDS,
                )
            except subprocess.TimeoutExpired:
                raise NotConforming(f"The checks of {pattern.name} were not done after {_MOST_SECONDS:g} s.") from None
    return _result(pattern, verdicts, seen)


def _require_its_name(pattern: Pattern, url: str) -> None:
    """Samples are distinguished by it. An answer without a name fails a check of the contract."""
    name = None
    with suppress(httpx.TransportError, ValueError, AttributeError):
        name = httpx.get(f"{url}/health", timeout=5, trust_env=False).json().get("pattern")
    if isinstance(name, str) and name != pattern.name:
        raise NotConforming(f"{pattern.name} calls itself {name!r} in GET /health. Give both the same name.")


def _result(pattern: Pattern, verdicts: Path, seen: Path) -> ConformanceResult:
    try:
        report: dict[str, Any] = json.loads(verdicts.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NotConforming(f"The checks of {pattern.name} could not be made. What was said: {seen}") from None
    checks = [check for exercise in report["exercises"] for check in exercise["checks"]]
    by_verdict: dict[str, list[str]] = {}
    for made in checks:
        code = f" ({made['code']})" if made["code"] else ""
        by_verdict.setdefault(made["verdict"], []).append(f"{made['title']}{code}")
    passed, failed = by_verdict.pop("passed", []), by_verdict.pop("failed", [])
    by_verdict.pop("not from outside", None)
    left = [title for titles in by_verdict.values() for title in titles]
    return ConformanceResult(len(passed), failed, [*report["problems"], *left])


def _listed(titles: list[str]) -> str:
    more = f", and {len(titles) - _MOST_NAMED} more" if len(titles) > _MOST_NAMED else ""
    return "; ".join(titles[:_MOST_NAMED]) + more if titles else "none of the checks could be made"
