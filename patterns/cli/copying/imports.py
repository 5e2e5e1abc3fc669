"""Finds the modules that a pattern needs, from the import statements in the source. Nothing is imported.

An import in a function counts like any other. An import in a `try` that catches `ImportError` is optional. A module's
name in a string, as in `-A patterns.celery_queue`, counts as an import.
"""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import resolve_name
from pathlib import Path

from patterns.cli.copying.source import only_assignments, without_command_line


@dataclass
class Imports:
    """The dotted names that a module imports. `names` are imported from the `__init__` of its top-level package."""

    required: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)


@dataclass
class Needed:
    """The source of each module of a copy by its dotted name, and the third-party packages that they import.

    `optional` are the modules that are used only if their third-party packages are installed.
    """

    sources: dict[str, str] = field(default_factory=dict)
    packages: set[str] = field(default_factory=set)
    optional: set[str] = field(default_factory=set)


class Package:
    """A package as a folder of source files."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._parent = folder.parent

    def file(self, module: str) -> Path:
        """The path of a module's file, which need not exist."""
        path = self._parent.joinpath(*module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def is_module(self, name: str) -> bool:
        """Whether this dotted name is a module of this package."""
        return name.partition(".")[0] == self.name and self.file(name).is_file()

    def longest_module(self, dotted: str) -> str | None:
        """The module in a dotted name that may end with attributes."""
        while dotted and not self.is_module(dotted):
            dotted = dotted.rpartition(".")[0]
        return dotted or None

    def imports(self, module: str, source: str) -> Imports:
        """The imports in the source of a module."""
        is_package = self.file(module).name == "__init__.py"
        reader = _Reader(self, module if is_package else module.rpartition(".")[0])
        reader.visit(ast.parse(source))
        return reader.imports

    def modules(self, source: str, besides: str) -> set[str]:
        """The modules of this package that another source imports, except those whose names start with `besides`."""
        return {module for module in self._own(self.imports("", source).required) if not module.startswith(besides)}

    def packages(self, source: str) -> set[str]:
        """The top-level names of the third-party packages that a source outside of this package imports."""
        return self._third_party(self.imports("", source).required)

    def needed(self, roots: Iterable[str], docstring: str) -> Needed:
        """The modules that `roots` need, including the roots.

        The package's `__init__` is reduced to the assignments that they use, with this docstring.
        """
        needed, optional, names = Needed(), set[str](), set[str]()
        self._follow(roots, needed, optional, names)
        top = needed.sources[self.name] = only_assignments(self.file(self.name).read_text(), names, docstring)
        imports = self.imports(self.name, top)
        needed.packages |= self._third_party(imports.required)
        self._follow(self._own(imports.required), needed, optional, names)
        extra = Needed(sources=dict(needed.sources))
        self._follow(optional, extra, set(), names)
        needed.optional = extra.sources.keys() - needed.sources.keys()
        needed.sources = extra.sources
        return needed

    def _follow(self, roots: Iterable[str], needed: Needed, optional: set[str], names: set[str]) -> None:
        """Add `roots` and all that they need to `needed`, and collect their optional imports and `names`."""
        todo = list(roots)
        while todo:
            module = todo.pop()
            if module in needed.sources or module == self.name:
                continue
            source = needed.sources[module] = without_command_line(self.file(module).read_text(), self.name)
            imports = self.imports(module, source)
            todo += [module.rpartition(".")[0], *self._own(imports.required)]
            optional |= set(self._own(imports.optional))
            names |= imports.names
            needed.packages |= self._third_party(imports.required)

    def _own(self, imported: Iterable[str]) -> Iterator[str]:
        return (module for name in imported if (module := self.longest_module(name)))

    def _third_party(self, imported: Iterable[str]) -> set[str]:
        return {name.partition(".")[0] for name in imported} - sys.stdlib_module_names - {self.name}


class _Reader(ast.NodeVisitor):
    """Collects what one module imports."""

    def __init__(self, package: Package, parent: str) -> None:
        self.imports = Imports()
        self._package = package
        self._parent = parent
        self._is_optional = False
        self._dotted = re.compile(rf"(?<![\w.]){package.name}(?:\.\w+)+")

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = resolve_name("." * node.level + (node.module or ""), self._parent) if node.level else str(node.module)
        self._add(module)
        for alias in node.names:
            if self._package.is_module(f"{module}.{alias.name}"):
                self._add(f"{module}.{alias.name}")
            elif module == self._package.name:
                self.imports.names.add(alias.name)

    def visit_Try(self, node: ast.Try) -> None:
        outer = self._is_optional
        self._is_optional = outer or any(_catches_import_error(handler) for handler in node.handlers)
        for statement in node.body:
            self.visit(statement)
        self._is_optional = outer
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(part)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # module names in docstrings do not count
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            for dotted in self._dotted.findall(node.value):
                self._add(dotted)

    def _add(self, name: str) -> None:
        (self.imports.optional if self._is_optional else self.imports.required).add(name)


def _catches_import_error(handler: ast.ExceptHandler) -> bool:
    return handler.type is not None and any(
        isinstance(node, ast.Name) and node.id in {"ImportError", "ModuleNotFoundError"}
        for node in ast.walk(handler.type)
    )
