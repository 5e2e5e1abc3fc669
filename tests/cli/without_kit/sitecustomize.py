"""Python runs this at its start when this folder is in PYTHONPATH: the kit is then not importable, though installed."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_KIT = {"patterns", "benchmarks", "exercises", "solutions", "kit"}


class WithoutKit(MetaPathFinder):
    """Finds nothing, and hides the kit from the finders that follow."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in _KIT:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


sys.meta_path.insert(0, WithoutKit())
