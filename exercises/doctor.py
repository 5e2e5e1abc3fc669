"""Whether this machine has what the kit needs. Each finding is a line; what is amiss says what to do."""

import platform
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import redis
import typer

from exercises.checking import run_checkpoints
from exercises.course import SOLUTIONS, course
from exercises.workspace import NoneHere, Workspace, WorkspaceError
from patterns.serving.processes import Family, ProcessFailed
from patterns.serving.redis_server import start_redis
from tests.checkpoints.engine.api import Verdict

_PACKAGES = ("fastapi", "uvicorn", "pydantic", "celery", "kombu", "redis", "httpx", "standardwebhooks", "pytest")


class _Amiss(Exception):
    """What is wrong, and what to do."""


def examine(folder: Path | None) -> bool:
    """Look at everything, tell it, and give whether all is well."""
    well = True
    for look in _EXAMINATIONS:
        try:
            typer.secho(f"✓ {look(folder)}", fg="green")
        except _Amiss as amiss:
            well = False
            typer.secho(f"✗ {' '.join(str(amiss).split())}", fg="red")
    return well


def _python(_: Path | None) -> str:
    here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform == "win32":
        raise _Amiss(f"{here}: the kit needs Linux or macOS. On Windows use WSL.")
    return here


def _versions(_: Path | None) -> str:
    return "versions: " + ", ".join(_found_versions())


def _found_versions() -> Iterator[str]:
    for name in _PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            raise _Amiss(f"{name} is not installed. Install the kit again: uv sync") from None


def _ports(_: Path | None) -> str:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 2):
            pass
    except OSError as error:
        raise _Amiss(f"ports: cannot listen and connect on 127.0.0.1: {error.strerror}. Is loopback up?") from None
    try:
        with socket.create_server(("127.0.0.1", 8000)):
            return "ports: free ones on 127.0.0.1 can be used, and 8000, the default of kit serve, is free"
    except OSError:
        return "ports: free ones on 127.0.0.1 can be used; 8000 is taken: for kit serve choose another with --port"


def _temporary(_: Path | None) -> str:
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as folder, socket.socket(socket.AF_UNIX) as probe:
            probe.bind(f"{folder}/1234567.agent")
    except OSError as error:
        raise _Amiss(
            f"temporary files: no socket can be made in {tempfile.gettempdir()}: {error}. "
            "Set TMPDIR to a folder with a short name in which you may write."
        ) from None
    return f"temporary files: in {tempfile.gettempdir()}"


def _redis(_: Path | None) -> str:
    try:
        with Family() as family, redis.Redis.from_url(start_redis(family).url, decode_responses=True) as client:
            found = client.info("server")
    except (ProcessFailed, redis.RedisError) as error:
        raise _Amiss(f"Redis: {error}") from None
    kind = "Valkey" if "valkey_version" in found else "Redis"
    return f"Redis: {kind} {found.get('valkey_version') or found['redis_version']} starts, and answers"


def _checks(_: Path | None) -> str:
    first = course()[0]
    checked = run_checkpoints([first.folder], [SOLUTIONS])
    bad = [outcome.text for outcome in checked.outcomes if outcome.verdict is not Verdict.PASSED] + checked.problems
    if bad:
        raise _Amiss(f"checkpoints: the kit's own solution of exercise {first.number} does not pass here: {bad[0]}")
    return f"checkpoints: a server starts, and the solution of exercise {first.number} passes"


def _folder(folder: Path | None) -> str:
    try:
        workspace = Workspace(folder.resolve()) if folder else Workspace.around(Path.cwd())
    except NoneHere as nothing_amiss:
        return f"exercises: {nothing_amiss}"
    except WorkspaceError as error:
        raise _Amiss(f"exercises: {error}") from None
    for one in course():
        for file in one.files:
            if not (workspace.folder(one) / file).is_file():
                raise _Amiss(f"exercises: {one.folder}/{file} is gone from {workspace.path}. kit reset {one.number}")
    done = sum(map(workspace.passed, course()))
    return f"exercises: in {workspace.path}, {done} of {len(course())} passed"


_EXAMINATIONS: list[Callable[[Path | None], str]] = [
    _python,
    _versions,
    _ports,
    _temporary,
    _redis,
    _checks,
    _folder,
]
