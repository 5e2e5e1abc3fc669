"""Finds contenders from outside: a file that defines `PATTERN`, or the name of an installed entry point.

The file is imported here for its `PATTERN` alone. What it describes runs in other processes, which must be able
to import it too: the folder that its module is imported from goes into their PYTHONPATH.
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

#: Where an installed package names its contenders: `name = "module:PATTERN"`.
GROUP = "longjobs_kit.contenders"
_ATTRIBUTE = "PATTERN"
#: The contenders that come with the kit: the dependency group of each is called as its library is.
_OURS, _SUFFIX = "benchmarks.contenders.", "_queue"


class ContenderError(Exception):
    """There is no such contender, or it cannot take part. The message is one line that says what to do."""


def find_contenders(references: Iterable[str]) -> list[Pattern]:
    """The contenders with these paths or names. Raises `ContenderError`."""
    taken, contenders = set(PATTERNS), []
    for reference in dict.fromkeys(references):
        pattern = _by_path(reference) if _is_path(reference) else _by_name(reference)
        if not re.fullmatch(r"[A-Za-z0-9_-]+", pattern.name):
            raise _error(reference, f"{pattern.name!r} names files too: use letters, digits, - and _")
        if pattern.name in taken:
            raise _error(reference, f"the name {pattern.name!r} is taken. Give its {_ATTRIBUTE} another")
        taken.add(pattern.name)
        contenders.append(pattern)
    return contenders


def installed() -> dict[str, EntryPoint]:
    """The contenders that installed packages bring, by name."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _is_path(reference: str) -> bool:
    return reference.endswith(".py") or os.sep in reference


def _by_name(name: str) -> Pattern:
    known = installed()
    if name not in known:
        names = f", or the name of one that is installed: {', '.join(sorted(known))}" if known else ""
        raise _error(name, f"there is none of this name. Give a file (my_queue.py){names}")
    return _pattern_in(name, known[name].module, known[name].attr)


def _by_path(reference: str) -> Pattern:
    path = Path(reference).expanduser()
    if not path.is_file():
        raise _error(reference, "there is no such file")
    module, folder = _module_of(path.resolve())
    if not all(part.isidentifier() for part in module.split(".")):
        raise _error(reference, f"a module cannot be called {module!r}. Rename it, to my_queue.py for example")
    _refuse_to_hide_another(reference, module, folder)
    _make_importable(folder)
    return _pattern_in(reference, module, _ATTRIBUTE)


def _module_of(path: Path) -> tuple[str, Path]:
    """The name that a file is imported by, and the folder that it is imported from: above all its packages."""
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts), folder


def _refuse_to_hide_another(reference: str, module: str, folder: Path) -> None:
    """A file called `redis.py` would be what its own servers get for `import redis`."""
    top = module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # `__main__`
        raise _error(reference, f"{top} is the name of another module. Rename it") from None
    if spec and folder not in Path(spec.origin or "").resolve().parents:
        raise _error(reference, f"{top} is the name of another module, which it would hide. Rename it")


def _make_importable(folder: Path) -> None:
    """For this process and those that it starts."""
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
        raise _error(
            reference, f"cannot import it: there is no module {missing}. {_install(module, missing)}"
        ) from error
    except (Exception, SystemExit) as error:  # whatever the module raises while it is imported
        message = " ".join(str(error).split())
        raise _error(reference, f"cannot import it: {type(error).__name__}: {message}".rstrip(".: ")) from error
    pattern = getattr(imported, attribute, None)
    if pattern is None:
        raise _error(reference, f"it defines no {attribute}. benchmarks/README.md shows a whole contender")
    if not isinstance(pattern, Pattern):
        kind = type(pattern).__name__
        raise _error(reference, f"its {attribute} is a {kind}, and should be a patterns.contract.descriptor.Pattern")
    return pattern


def _install(module: str, missing: str) -> str:
    if module.startswith(_OURS):
        return f"Install it: uv sync --group {module.removeprefix(_OURS).removesuffix(_SUFFIX)}"
    return f"Install the package that has it into this environment: uv pip install {missing.partition('.')[0]}"


def _error(reference: str, why: str) -> ContenderError:
    return ContenderError(f"--contender {reference}: {why}.")
