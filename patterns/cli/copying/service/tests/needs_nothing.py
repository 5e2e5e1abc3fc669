"""The services that the tests need: none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def needs(folder: Path) -> Iterator[dict[str, str]]:
    """Yields the environment variables: none."""
    yield {}
