"""Finds external contenders: a file that defines `PATTERN`, or the name of an installed entry point.

The file is imported here only for its `PATTERN`. The processes that it describes must be able to import it too, so
its folder is added to their PYTHONPATH.
"""

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from patterns import PATTERNS
from patterns.contract.descriptor import Pattern

#: The entry point group in which packages register contenders: `name = "module:PATTERN"`.
GROUP = "longjobs_kit.contenders"
_ATTRIBUTE = "PATTERN"
#: The contenders that come with the kit: each `LIBRARY_queue` has a dependency group named LIBRARY.
_INCLUDED, _SUFFIX = "benchmarks.contenders.", "_queue"


class ContenderError(Exception):
    """A contender that does not exist or cannot take part. The message is one line that says what to do."""


def find_contenders(references: Iterable[str]) -> list[Pattern]:
    """The contenders with these paths or names. Raises `ContenderError`."""
    names, contenders = set(PATTERNS), []
    for reference in dict.fromkeys(references):
        pattern = _by_path(reference) if _is_path(reference) else _by_name(reference)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", pattern.name):
            raise _error(reference, f"{pattern.name!r} cannot be a file name: use letters, digits, - and _")
        if pattern.name in names:
            raise _error(reference, f"the name {pattern.name!r} is already in use. Change the name in its {_ATTRIBUTE}")
        names.add(pattern.name)
        contenders.append(pattern)
    return contenders


def installed() -> dict[str, EntryPoint]:
    """The contenders of installed packages, by name."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _is_path(reference: str) -> bool:
    return reference.endswith(".py") or os.sep in reference


def _by_name(name: str) -> Pattern:
    entries = installed()
    if name not in entries:
        names = f" or an installed contender: {', '.join(sorted(entries))}" if entries else ""
        raise _error(name, f"there is no contender of this name. Give a file (my_queue.py){names}")
    return _pattern_in(name, entries[name].module, entries[name].attr)


def _by_path(reference: str) -> Pattern:
    path = Path(reference).expanduser()
    if not path.is_file():
        raise _error(reference, "no such file")
    module, folder = _module_of(path.resolve())
    if not all(part.isidentifier() for part in module.split(".")):
        raise _error(reference, f"{module!r} is not a valid module name. Rename it, to my_queue.py for example")
    _refuse_to_shadow(reference, module, folder)
    _make_importable(folder)
    return _pattern_in(reference, module, _ATTRIBUTE)


def _module_of(path: Path) -> tuple[str, Path]:
    """The module name of a file, and the folder to import it from: the parent of its top package."""
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts), folder


def _refuse_to_shadow(reference: str, module: str, folder: Path) -> None:
    """With a file called `redis.py`, its own servers would import it instead of the library."""
    top = module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # `__main__`
        raise _error(reference, f"there is already a module {top}. Rename the file") from None
    if spec and folder not in Path(spec.origin or "").resolve().parents:
        raise _error(reference, f"it would shadow the module {top}. Rename the file")


def _make_importable(folder: Path) -> None:
    """Make the folder importable for this process and its children."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    before = os.environ.get("PYTHONPATH", "")
    if str(folder) not in before.split(os.pathsep):
        os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{before}" if before else str(folder)


def _pattern_in(reference: str, module: str, attribute: str) -> Pattern:
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        raise _error(reference, f"import failed: there is no module {missing}. {_install(module, missing)}") from error
    except (Exception, SystemExit) as error:  # anything that the module raises during its import
        message = " ".join(str(error).split())
        raise _error(reference, f"import failed: {type(error).__name__}: {message}".rstrip(".: ")) from error
    pattern = getattr(imported, attribute, None)
    if pattern is None:
        raise _error(reference, f"it defines no {attribute}. benchmarks/README.md shows a complete contender")
    if not isinstance(pattern, Pattern):
        kind = type(pattern).__name__
        raise _error(reference, f"its {attribute} is a {kind}, not a patterns.contract.descriptor.Pattern")
    return pattern


def _install(module: str, missing: str) -> str:
    if module.startswith(_INCLUDED):
        return f"Install it: uv sync --group {module.removeprefix(_INCLUDED).removesuffix(_SUFFIX)}"
    return f"Install its package in this environment: uv pip install {missing.partition('.')[0]}"


def _error(reference: str, why: str) -> ContenderError:
    return ContenderError(f"--contender {reference}: {why}.")
