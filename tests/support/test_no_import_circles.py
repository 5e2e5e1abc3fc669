"""No module imports itself through others: an import inside a function or for types only hides a circle."""

from graphlib import CycleError, TopologicalSorter

import grimp

from patterns import PATTERNS

EXCEPTIONS = [
    # `python -m patterns.NAME` is `kit serve NAME`: the `__main__` block of a pattern imports the command line.
    *((pattern.module, "patterns.cli.commands") for pattern in PATTERNS.values()),
]


def test_no_import_circles() -> None:
    graph = grimp.build_graph("patterns", "benchmarks", "exercises", "tests", cache_dir=None, exclude_type_checking_imports=True)
    for importer, imported in EXCEPTIONS:
        assert imported in graph.find_modules_directly_imported_by(importer), f"remove the exception for {importer}"
        graph.remove_import(importer=importer, imported=imported)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        raise AssertionError(" is imported by ".join(error.args[1])) from None
