"""A server in another language that speaks the whole contract: `servers/contract.mjs`, in plain Node."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from exercises.checking import Checked, run_checkpoints
from tests.checkpoints.engine.api import Verdict
from tests.cli.command import KIT, Outcome, run

_TRIES = 3
_SERVER = Path(__file__).with_name("servers") / "contract.mjs"


@contextmanager
def node_server(**settings: str) -> Iterator[str]:
    """Its URL, for as long as the block lasts. It ends with its standard input, however that ends."""
    with subprocess.Popen(
        [shutil.which("node") or "node", str(_SERVER)],
        env={**os.environ, **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def check_node(settings: dict[str, str], names: Sequence[str], expected: dict[str, str] | None = None) -> Checked:
    """Run these checkpoints against a Node server; `expected` are the checks that should fail, and their codes.

    An inconclusive run is repeated, unless it found what is expected.
    """
    for _ in range(_TRIES):
        with node_server(**settings) as url:
            checked = run_checkpoints(names, url=url)
        unclear = any(outcome.verdict is Verdict.INCONCLUSIVE for outcome in checked.outcomes)
        if not unclear or failed(checked) == expected:
            break
    return checked


def failed(checked: Checked) -> dict[str, str]:
    """The checks that failed, and their codes."""
    return {
        outcome.check.removeprefix("test_"): str(outcome.code)
        for outcome in checked.outcomes
        if outcome.verdict is Verdict.FAILED
    }


def check_as_a_user(settings: dict[str, str], folder: Path, *more: str) -> Outcome:
    """The output of `kit check --url` for a Node server."""
    with node_server(**settings) as url:
        return run([*KIT, "check", "--url", url, *more], folder)
