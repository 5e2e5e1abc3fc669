"""What every document promises: its links lead somewhere, and its commands exist."""

import re
import shlex
from importlib.util import find_spec

from typer.core import TyperGroup
from typer.main import get_group

from benchmarks import commands as bench
from exercises import commands as course
from patterns.cli import commands as use
from tests.cli.documents import OF_BENCHMARKS, OF_PATTERNS, README, ROOT, Document

KIT_COMMAND = re.compile(r"uv run (?:--extra llm )?kit (.*)")
READMES = (README, OF_PATTERNS, OF_BENCHMARKS, Document("exercises/README.md"), Document("tests/README.md"))
DOCUMENTS = [
    README,
    *(
        Document(str(path.relative_to(ROOT)))
        for folder in ("patterns", "benchmarks", "exercises", "solutions", "tests")
        for path in sorted((ROOT / folder).rglob("*.md"))
    ),
]


def test_every_link_and_picture_exists() -> None:
    links = [(document, target) for document in DOCUMENTS for target in document.links()]
    assert len(links) > 50
    assert [(document.name, target) for document, target in links if not leads_somewhere(document, target)] == []


def leads_somewhere(document: Document, target: str) -> bool:
    """Whether the file is there, and the heading in it. Other sites are not asked."""
    if target.startswith(("https://", "http://")):
        return True
    name, _, anchor = target.partition("#")
    path = (document.path.parent / name).resolve() if name else document.path
    return path.exists() and (not anchor or anchor in Document(str(path.relative_to(ROOT))).anchors())


def lines() -> list[str]:
    """Every line of a shell block in the READMEs."""
    return [
        line
        for document in READMES
        for block in document.blocks("sh")
        for line in block.replace("\\\n", " ").splitlines()
    ]


def test_every_command_of_the_kit_takes_the_arguments_that_are_shown() -> None:
    shown = [shlex.split(match[1], comments=True) for line in lines() if (match := KIT_COMMAND.search(line))]
    assert len(shown) > 20
    for words in shown:
        home = next(home for home in (bench, course, use) if words[0] in get_group(home.app).commands)
        command = get_group(home.app).commands[words.pop(0)]
        if isinstance(command, TyperGroup) and words and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        command.make_context(command.name, words)  # raises a UsageError


def test_every_module_that_is_run_exists() -> None:
    modules = [
        match[1] for line in lines() if (match := re.search(r"python -m ((?:benchmarks|patterns)\.[\w.]+)", line))
    ]
    assert modules
    assert [module for module in modules if find_spec(module) is None] == []


def test_every_test_that_is_run_exists() -> None:
    paths = [word for line in lines() if line.startswith("uv run pytest") for word in line.split() if "/" in word]
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_other_command_is_known() -> None:
    known = (
        *("cd ", "curl ", "export ", "python3 -m pip install -U --target .uv uv && .uv/bin/uv run "),
        *("uv run celery ", "uv run kit ", "uv run locust -f benchmarks/locustfile.py ", "uv run uvicorn "),
        *("uv run python -m benchmarks.", "uv run python -m patterns.", "uv run --extra llm kit "),
        *("uv run pytest", "uv run lint-imports"),
    )
    assert (ROOT / "benchmarks/locustfile.py").exists()
    bare = [re.sub(r"^([A-Z_]+=\S+ )+", "", line) for line in lines()]
    assert [line for line in bare if not line.startswith(known)] == []
