"""Checks that this machine has what the kit needs. Each result is a line; a problem says what to do."""

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
from exercises.workspace import NoWorkspace, Workspace, WorkspaceError
from patterns.serving.processes import Family, ProcessFailed
from patterns.serving.redis_server import start_redis
from tests.checkpoints.engine.api import Verdict

_PACKAGES = ("fastapi", "uvicorn", "pydantic", "celery", "kombu", "redis", "httpx", "standardwebhooks", "pytest")


class _Problem(Exception):
    """What is wrong, and what to do."""


def examine(folder: Path | None) -> bool:
    """Run all examinations and print their results. Returns whether there was no problem."""
    healthy = True
    for look in _EXAMINATIONS:
        try:
            typer.secho(f"✓ {look(folder)}", fg="green")
        except _Problem as problem:
            healthy = False
            typer.secho(f"✗ {' '.join(str(problem).split())}", fg="red")
    return healthy


def _python(_: Path | None) -> str:
    here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.platform == "win32":
        raise _Problem(f"{here}: the kit needs Linux or macOS. On Windows use WSL.")
    return here


def _versions(_: Path | None) -> str:
    return "versions: " + ", ".join(_installed_versions())


def _installed_versions() -> Iterator[str]:
    for name in _PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            raise _Problem(f"{name} is not installed. Install the kit again: uv sync") from None


def _ports(_: Path | None) -> str:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), 2):
            pass
    except OSError as error:
        raise _Problem(f"ports: cannot listen and connect on 127.0.0.1: {error.strerror}. Is loopback up?") from None
    try:
        with socket.create_server(("127.0.0.1", 8000)):
            return "ports: 127.0.0.1 works, and port 8000, the default of kit serve, is free"
    except OSError:
        return "ports: 127.0.0.1 works; port 8000 is in use, so choose another for kit serve with --port"


def _temporary(_: Path | None) -> str:
    try:
        with tempfile.TemporaryDirectory(prefix="kit-") as folder, socket.socket(socket.AF_UNIX) as probe:
            probe.bind(f"{folder}/1234567.agent")
    except OSError as error:
        raise _Problem(
            f"temporary files: cannot create a socket in {tempfile.gettempdir()}: {error}. "
            "Set TMPDIR to a writable folder with a short path."
        ) from None
    return f"temporary files: in {tempfile.gettempdir()}"


def _redis(_: Path | None) -> str:
    try:
        with Family() as family, redis.Redis.from_url(start_redis(family).url, decode_responses=True) as client:
            server = client.info("server")
    except (ProcessFailed, redis.RedisError) as error:
        raise _Problem(f"Redis: {error}") from None
    kind = "Valkey" if "valkey_version" in server else "Redis"
    return f"Redis: {kind} {server.get('valkey_version') or server['redis_version']} starts and responds"


def _checks(_: Path | None) -> str:
    first = course()[0]
    checked = run_checkpoints([first.folder], [SOLUTIONS])
    bad = [outcome.text for outcome in checked.outcomes if outcome.verdict is not Verdict.PASSED] + checked.problems
    if bad:
        raise _Problem(f"checkpoints: the kit's own solution of exercise {first.number} does not pass here: {bad[0]}")
    return f"checkpoints: a server starts, and the solution of exercise {first.number} passes"


def _folder(folder: Path | None) -> str:
    try:
        workspace = Workspace(folder.resolve()) if folder else Workspace.around(Path.cwd())
    except NoWorkspace as none:
        return f"exercises: {none}"
    except WorkspaceError as error:
        raise _Problem(f"exercises: {error}") from None
    for exercise in course():
        for file in exercise.files:
            if not (workspace.folder(exercise) / file).is_file():
                raise _Problem(
                    f"exercises: {exercise.folder}/{file} is missing. To restore it: kit reset {exercise.number}"
                )
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
