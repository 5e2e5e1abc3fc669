"""Creates a standalone service from one pattern: the text of every file, by its path in the new folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

import patterns
from patterns.cli.copying.imports import Needed, Package
from patterns.cli.copying.requirements import Requirements
from patterns.cli.copying.source import renamed
from patterns.cli.copying.values import words
from patterns.contract.descriptor import Pattern

_TEMPLATES = Path(__file__).with_name("service")
_TESTS = "patterns.cli.copying.service.tests"
#: No pattern imports these two: one starts the pattern, the other receives its callbacks.
_WEB_PROCESS, _RECEIVER = "patterns.web.process", "patterns.receiver"
#: The import in the tests that is replaced by that of the copied pattern's descriptor.
_TESTED = "CELERY_QUEUE as PATTERN"


@dataclass(frozen=True)
class Service:
    """The text of each file by its path, and the requirements of the package."""

    files: dict[str, str]
    dependencies: list[str]


def service(pattern: Pattern, package: str, requirements: Requirements) -> Service:
    """The pattern, the modules that it needs, and its tests, as the package `package`. Writes nothing to disk."""
    source = Package(Path(patterns.__file__).parent)
    roots = [pattern.module, _WEB_PROCESS, *([_RECEIVER] if pattern.can_call_back else [])]
    needed = source.needed(roots, f"{pattern.title}: {pattern.summary}")
    files = {_path(source, module, package): text for module, text in needed.sources.items()}
    tests = dict(_tests(pattern, source, needed))
    files |= {f"tests/{name}": text for name, text in tests.items()}
    files = {path: _renamed(text, source, package) for path, text in files.items()}

    imported = {name for test in tests.values() for name in source.packages(test)}
    values = words(pattern, package, needed, requirements, imported)
    for path, template in _project(pattern):
        files[path] = Template((_TEMPLATES / template).read_text()).substitute(values)
    return Service(files, requirements.of(needed.packages))


def _path(source: Package, module: str, package: str) -> str:
    file, folders = source.file(module), module.split(".")[1:]
    if file.name != "__init__.py":
        folders.pop()
    return "/".join([package, *folders, file.name])


def _tests(pattern: Pattern, source: Package, needed: Needed) -> Iterator[tuple[str, str]]:
    """The tests of the copied modules. A test file that imports other modules is left out."""
    constant = next(name for name, value in vars(patterns).items() if value is pattern)
    for file in sorted((_TEMPLATES / "tests").glob("*.py")):
        text, name = file.read_text(), file.name
        if not source.modules(text, besides=_TESTS) <= needed.sources.keys():
            continue
        if name == "needs_nothing.py":
            continue
        if name == "needs.py" and not pattern.needs:
            text = file.with_name("needs_nothing.py").read_text()
        yield name, text.replace(_TESTED, f"{constant} as PATTERN").replace(_TESTS, "tests")


def _renamed(text: str, source: Package, package: str) -> str:
    return renamed(text, source.name, package, source.is_module)


def _project(pattern: Pattern) -> Iterator[tuple[str, str]]:
    """The files that are neither code nor tests: the path of each, and its template."""
    yield "pyproject.toml", "pyproject.toml.template"
    yield "README.md", "README.md"
    yield "Dockerfile", "Dockerfile"
    yield "compose.yaml", "compose-redis.yaml" if "redis" in pattern.needs else "compose.yaml"
    yield ".gitignore", "gitignore"
    yield ".dockerignore", "gitignore"
