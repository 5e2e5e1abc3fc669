"""What the service needs beside its own processes: nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def needs(folder: Path) -> Iterator[dict[str, str]]:
    """The environment variables that say where it is, for as long as the block lasts."""
    yield {}
