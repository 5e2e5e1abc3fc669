"""Which modules `kit copy` takes along, on a small package made for it, and what it changes in them."""

from pathlib import Path

import pytest

from patterns.cli.copying.imports import Needed, Package
from patterns.cli.copying.source import renamed

MODULES = {
    "__init__": "from five.words import Word\n\n_SHARED = 1\nONE = Word(_SHARED)\nTWO = Word(2)\n",
    "words": "class Word(int): pass\n",
    "one": "from five import ONE\nfrom five.deep import leaf\n\nif __name__ == '__main__':\n    import five.cli\n",
    "two": "import httpx\nfrom five import TWO\n",
    "cli": "import typer\n",
    "deep/__init__": "",
    "deep/leaf": "def late():\n    from .inner import value\n    return value\n",
    "deep/inner": "import redis\nfrom five.deep import named\nvalue = 1\n",
    "deep/named": "TRANSPORT = 'five.deep.loaded:Transport'\n",
    "deep/loaded": "try:\n    import five.traces\nexcept ImportError:\n    pass\n",
    "traces": "import opentelemetry\nfrom five import only_for_traces\n",
    "only_for_traces": "",
    "main": "import sys\n\n\ndef main(): ...\n\n\nif __name__ == '__main__':\n    main()\n",
}


@pytest.fixture
def five(tmp_path: Path) -> Package:
    """A package with these modules."""
    for name, source in MODULES.items():
        file = tmp_path / "five" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return Package(tmp_path / "five")


@pytest.fixture
def needed(five: Package) -> Needed:
    """What one of them needs."""
    return five.needed(["five.one"], "The one.")


def test_a_module_brings_what_it_imports_also_in_functions_and_by_name(needed: Needed) -> None:
    assert needed.sources.keys() - needed.optional == {
        *("five", "five.words", "five.one"),
        *("five.deep", "five.deep.leaf", "five.deep.inner", "five.deep.named", "five.deep.loaded"),
    }


def test_what_is_imported_if_it_is_installed_is_optional_with_all_that_it_needs(needed: Needed) -> None:
    assert needed.optional == {"five.traces", "five.only_for_traces"}
    assert needed.packages == {"redis"}


def test_the_top_of_the_package_keeps_what_is_used_of_it(needed: Needed) -> None:
    assert needed.sources["five"] == (
        '"""The one."""\n\nfrom five.words import Word\n\n_SHARED = 1\n\nONE = Word(_SHARED)\n'
    )


def test_a_main_block_goes_only_if_it_is_the_command_line_of_the_package(five: Package, needed: Needed) -> None:
    assert "__main__" not in needed.sources["five.one"]
    assert five.needed(["five.main"], "").sources["five.main"] == MODULES["main"]


def test_a_new_name_stands_in_imports_and_wherever_a_module_is_named(five: Package) -> None:
    source = (
        "import five\nfrom five import ONE\nfrom five.deep.leaf import late  # five.deep says why\n"
        "command = '-A five.two', 'all five. of them', 'five.nine', 'high.five.one'\n"
    )
    assert renamed(source, "five", "jobs", five.is_module) == (
        "import jobs\nfrom jobs import ONE\nfrom jobs.deep.leaf import late  # jobs.deep says why\n"
        "command = '-A jobs.two', 'all five. of them', 'five.nine', 'high.five.one'\n"
    )
