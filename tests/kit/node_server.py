"""A server in another language that speaks the whole contract: `servers/contract.mjs`, in plain Node."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from exercises.checking import Checked, run_checkpoints

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


def check_node(settings: dict[str, str], names: Sequence[str]) -> Checked:
    """What the checkpoints with these names find of one."""
    with node_server(**settings) as url:
        return run_checkpoints(names, url=url)
