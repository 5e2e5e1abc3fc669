"""`kit copy`: writes one pattern as a standalone service."""

import keyword
import shlex
import sys
from collections.abc import Mapping, Set
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Annotated

import typer

from patterns import PATTERNS
from patterns.cli.copying.contents import service
from patterns.cli.copying.requirements import Requirements
from patterns.cli.terminal import give_up


class CannotCopy(Exception):
    """The folder or the name of the package cannot be used. The message says what to do."""


def copy(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(PATTERNS)}.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is new or empty.")],
    package: Annotated[
        str | None, typer.Option(help="The name of the Python package; by default the name of DIR.")
    ] = None,
) -> None:
    """Copy one pattern to a standalone service, ready for production.

    DIR gets a package with the pattern and the modules that it imports, a
    pyproject.toml with only their dependencies, a Dockerfile, a compose.yaml,
    a README that says how to start the service and set your agent, and tests
    that start it and check its HTTP contract. None of it needs the kit.
    """
    pattern = PATTERNS.get(name)
    if pattern is None:
        raise give_up(f"Unknown pattern {name!r}. Choose from: {', '.join(PATTERNS)}.")
    try:
        requirements = Requirements()
        _check_folder(folder)
        package = _package_name(package, folder, requirements.installed)
        copied = service(pattern, package, requirements)
        _write(copied.files, folder)
    except CannotCopy as error:
        raise give_up(error) from None
    except PackageNotFoundError:
        raise give_up("The kit is not installed, so its dependencies are unknown. Install it: uv sync") from None
    except OSError as error:
        raise give_up(f"Cannot write to {folder}: {error.strerror or error}.") from None
    lines = sum(text.count("\n") for text in copied.files.values())
    typer.echo(f"Copied {name} to {folder}: {len(copied.files)} files, {lines} lines.")
    for part in (package, "tests"):
        typer.echo(f"  {part}/ ({sum(path.startswith(f'{part}/') for path in copied.files)} modules)")
    typer.echo(f"  {', '.join(path for path in copied.files if '/' not in path)}")
    typer.echo(f"It depends on {', '.join(copied.dependencies)}.")
    typer.echo("Next:")
    typer.echo(f"  cd {shlex.quote(str(folder))} && uv run --extra test pytest")
    typer.echo("  docker compose up --build    (or without Docker, as README.md says)")


def _check_folder(folder: Path) -> None:
    if folder.is_dir():
        if any(folder.iterdir()):
            raise CannotCopy(f"{folder} is not empty. Choose a new folder.")
    elif folder.exists():
        raise CannotCopy(f"{folder} is a file. Choose a new folder.")


def _package_name(given: str | None, folder: Path, installed: Set[str]) -> str:
    """The name of the package. Raises `CannotCopy` if it is not importable, or would hide another package."""
    name = given if given is not None else folder.resolve().name.replace("-", "_")
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise CannotCopy(f"{name!r} cannot be the name of a Python package. Choose another with --package.")
    if name in sys.stdlib_module_names or name in installed or name == "tests":
        raise CannotCopy(f"{name!r} would hide another package of that name. Choose another with --package.")
    return name


def _write(files: Mapping[str, str], folder: Path) -> None:
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
