"""The changes to the source of a copied module. Everything else stays unchanged, including comments."""

import ast
import re
from collections.abc import Callable, Set


def without_command_line(source: str, package: str) -> str:
    """The source without its `__main__` block, if that block imports from the package (the kit's `serve` command)."""
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if _is_main_block(node) and any(_imports_from(child, package) for child in ast.walk(node)):
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            while last < len(lines) and not lines[last].strip():
                last += 1
            del lines[first:last]
    remaining = "".join(lines)
    return remaining if remaining == source else f"{remaining.rstrip()}\n"


def only_assignments(source: str, names: Set[str], docstring: str) -> str:
    """The assignments to these names, with the assignments and imports that they use."""
    body = ast.parse(source).body
    assigned = {name: node for node in body if isinstance(node, ast.Assign | ast.AnnAssign) for name in _names(node)}
    used, todo = set[str](), set(names)
    while todo:
        used |= todo
        todo = {loaded for name in todo if name in assigned for loaded in _loaded(assigned[name])} - used
    imports, assignments = "", ""
    for node in body:
        if isinstance(node, ast.ImportFrom):
            if imported := [alias.name for alias in node.names if alias.name in used]:
                imports += f"from {'.' * node.level}{node.module or ''} import {', '.join(imported)}\n"
        elif used.intersection(_names(node)):
            assignments += f"\n{ast.get_source_segment(source, node)}\n"
    return f'"""{docstring}"""\n\n{imports}{assignments}'


def renamed(source: str, package: str, new: str, is_module: Callable[[str], bool]) -> str:
    """The source with the package renamed: in imports, and in module names in code, strings and comments."""

    def rename(match: re.Match[str]) -> str:
        module = ".".join(match[0].split(".")[:2])
        return new + match[0].removeprefix(package) if is_module(module) else match[0]

    source = re.sub(rf"^([ \t]*(?:from|import)) {package}(?=\s)", rf"\1 {new}", source, flags=re.MULTILINE)
    return re.sub(rf"(?<![\w.]){package}(?:\.\w+)+", rename, source)


def _is_main_block(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and isinstance(node.test.left, ast.Name)
        and node.test.left.id == "__name__"
    )


def _imports_from(node: ast.AST, package: str) -> bool:
    match node:
        case ast.ImportFrom(module=str(module)):
            return module.partition(".")[0] == package
        case ast.Import(names=names):
            return any(alias.name.partition(".")[0] == package for alias in names)
        case _:
            return False


def _names(node: ast.stmt) -> set[str]:
    match node:
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case _:
            return set()


def _loaded(node: ast.stmt) -> set[str]:
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
