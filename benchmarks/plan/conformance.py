"""Checks that an external contender conforms to the wire contract; otherwise its metrics would not be comparable.

The checks are those of `kit check --url`, in a separate process.
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

#: Long enough for the checks to see a task running, and several tasks at once.
_AGENT = {
    "KIT_AGENT": "simulated",
    "KIT_AGENT_BEHAVIOUR": "work",
    "KIT_AGENT_OBEYS_PROMPT": "1",
    "KIT_AGENT_STEPS": "10",
    "KIT_AGENT_STEP_SECONDS": "0.2",
    "KIT_AGENT_JITTER": "0",
    "KIT_WORKERS": "8",
}
#: Other settings that affect responses, fixed so that the environment cannot change them.
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
#: The failed checks that a message lists.
_MOST_NAMED = 3


class NotConforming(Exception):
    """A contender breaks the contract, or the checks could not verify it. The message is one line."""


@dataclass(frozen=True)
class ConformanceResult:
    """How many checks passed, and the titles of those that failed or could not run."""

    passed: int
    failed: list[str]
    not_run: list[str]


def admit(contenders: Iterable[Pattern], folder: Path, say: Callable[[str], None]) -> None:
    """Check each contender. The output of the checks is kept in `folder`.

    Raises `NotConforming` for the first contender that breaks the contract, and `ProcessFailed`, `CannotServe` or
    `SettingsError` if it cannot be served.
    """
    for pattern in contenders:
        say(f"{pattern.name}: checking the wire contract")
        output = folder / f"{pattern.name}.contract.txt"
        result = check(pattern, output, folder / f"{pattern.name}.log")
        if result.failed:
            raise NotConforming(
                f"{pattern.name} breaks the wire contract and is not measured. Failed checks: "
                f"{_listed(result.failed)}. For details and what to do, see {output}"
            )
        if result.not_run or not result.passed:
            raise NotConforming(
                f"The wire contract of {pattern.name} could not be verified: {_listed(result.not_run)}. "
                f"For details, see {output}"
            )
        say(f"{pattern.name}: all {result.passed} contract checks passed")


def check(pattern: Pattern, output: Path, log: Path) -> ConformanceResult:
    """Serve a contender and run the contract checks. Their output is written to the file `output`."""
    secret = new_webhook_secret()
    env = {**_AGENT, **_SERVER, "KIT_KEY_PREFIX": f"kit-contract-{os.getpid()}:", "KIT_WEBHOOK_SECRET": secret}
    verdicts = output.with_suffix(".json")
    with running(pattern, env=env, log=log) as served:
        _require_its_name(pattern, served.url)
        argv = [sys.executable, "-m", "kit", "check", "--url", served.url, "--json", str(verdicts)]
        with output.open("w") as file:
            try:
                subprocess.run(
                    argv,
                    env={**os.environ, "KIT_WEBHOOK_SECRET": secret},
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    check=False,
                    timeout=_MOST_SECONDS,
                )
            except subprocess.TimeoutExpired:
                raise NotConforming(f"The checks of {pattern.name} took longer than {_MOST_SECONDS:g} s.") from None
    return _result(pattern, verdicts, output)


def _require_its_name(pattern: Pattern, url: str) -> None:
    """The name identifies the samples. A response without a name fails a contract check instead."""
    name = None
    with suppress(httpx.TransportError, ValueError, AttributeError):
        name = httpx.get(f"{url}/health", timeout=5, trust_env=False).json().get("pattern")
    if isinstance(name, str) and name != pattern.name:
        raise NotConforming(f"{pattern.name} calls itself {name!r} in GET /health. Give both the same name.")


def _result(pattern: Pattern, verdicts: Path, output: Path) -> ConformanceResult:
    try:
        report: dict[str, Any] = json.loads(verdicts.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NotConforming(f"The checks of {pattern.name} could not run. Their output: {output}") from None
    checks = [check for exercise in report["exercises"] for check in exercise["checks"]]
    by_verdict: dict[str, list[str]] = {}
    for each in checks:
        code = f" ({each['code']})" if each["code"] else ""
        by_verdict.setdefault(each["verdict"], []).append(f"{each['title']}{code}")
    passed, failed = by_verdict.pop("passed", []), by_verdict.pop("failed", [])
    by_verdict.pop("not from outside", None)
    not_run = [title for titles in by_verdict.values() for title in titles]
    return ConformanceResult(len(passed), failed, [*report["problems"], *not_run])


def _listed(titles: list[str]) -> str:
    more = f", and {len(titles) - _MOST_NAMED} more" if len(titles) > _MOST_NAMED else ""
    return "; ".join(titles[:_MOST_NAMED]) + more if titles else "no check could run"
