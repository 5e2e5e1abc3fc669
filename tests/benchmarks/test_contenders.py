"""Contenders from outside: how they are found, what is said of one that cannot take part, and that others do."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.commands import bench_app
from benchmarks.plan.conformance import ConformanceResult, NotConforming, admit, check
from benchmarks.plan.registry import ContenderError, find_contenders
from benchmarks.records.samples import Outcome, read_samples
from patterns.contract.descriptor import Pattern
from patterns.serving.processes import ProcessFailed

_README = Path(__file__).parents[2] / "benchmarks" / "README.md"
_CONTENDERS = _README.parent / "contenders"
_NAMES = ("dramatiq_queue", "saq_queue", "taskiq_queue")


def example() -> str:
    """The contender in the README, as it stands."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", _README.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What finding changes in this process is changed back."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("semaphore_queue", None)
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("nowhere.py", None, "there is no such file."),
        ("a_folder.py", "", "it defines no PATTERN. benchmarks/README.md shows a whole contender."),
        ("a_dict.py", "PATTERN = {}", "its PATTERN is a dict, and should be a patterns.contract.descriptor.Pattern."),
        (
            "takes_a_name.py",
            example().replace('name="semaphore_queue"', 'name="polling"'),
            "the name 'polling' is taken. Give its PATTERN another.",
        ),
        (
            "odd_name.py",
            example().replace('name="semaphore_queue"', 'name="../mine"'),
            "'../mine' names files too: use letters, digits, - and _.",
        ),
        (
            "lacks.py",
            "import no_such_library.part",
            "cannot import it: there is no module no_such_library. Install the package that has it into this "
            "environment: uv pip install no_such_library.",
        ),
        ("broken.py", "def", "cannot import it: SyntaxError: invalid syntax (broken.py, line 1)."),
        ("raises.py", "1 / 0", "cannot import it: ZeroDivisionError: division by zero."),
        ("exits.py", "raise SystemExit('no')", "cannot import it: SystemExit: no."),
        ("my-queue.py", "", "a module cannot be called 'my-queue'. Rename it, to my_queue.py for example."),
        ("json.py", "", "json is the name of another module, which it would hide. Rename it."),
        ("saq.py", "", "saq is the name of another module, which it would hide. Rename it."),
    ],
)
def test_a_contender_that_cannot_take_part_is_named_in_one_line_with_exit_code_2(
    name: str, text: str | None, says: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    if text is not None:
        file.write_text(text)
    result = CliRunner().invoke(bench_app, ["--quick", "--contender", str(file), "--out", str(tmp_path / "run")])
    assert result.stderr == f"kit: --contender {file}: {says}\n"
    assert result.exit_code == 2
    assert result.stdout == ""
    assert not (tmp_path / "run").exists()


def test_an_unknown_name_is_answered_with_those_that_are_installed() -> None:
    result = CliRunner().invoke(bench_app, ["--contender", "celery"])
    assert result.stderr.startswith(
        "kit: --contender celery: there is none of this name. Give a file (my_queue.py), or"
    )
    assert all(name in result.stderr for name in _NAMES)
    assert result.exit_code == 2


@pytest.mark.parametrize("library", ["dramatiq", "saq", "taskiq"])
def test_a_missing_library_of_ours_is_told_with_its_group(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith(("benchmarks.contenders", library))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)  # how Python is told that it is not there
    with pytest.raises(ContenderError) as raised:
        find_contenders([f"{library}_queue"])
    assert f": cannot import it: there is no module {library}" in str(raised.value)
    assert str(raised.value).endswith(f". Install it: uv sync --group {library}.")


def test_two_files_of_one_name_are_not_mixed_up(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "semaphore_queue.py").write_text(example())
    with pytest.raises(ContenderError, match=r"two/semaphore_queue\.py: semaphore_queue is the name of another module"):
        find_contenders([str(tmp_path / folder / "semaphore_queue.py") for folder in ("one", "two")])


def test_a_relative_path_is_found_and_its_processes_can_import_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "semaphore_queue.py").write_text(example())
    monkeypatch.chdir(tmp_path)
    (contender,) = find_contenders(["semaphore_queue.py", "semaphore_queue.py"])
    assert contender.name == "semaphore_queue"
    assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == str(tmp_path)


@pytest.mark.parametrize("name", _NAMES)
def test_a_file_in_a_package_is_the_module_that_it_is(name: str) -> None:
    assert find_contenders([str(_CONTENDERS / f"{name}.py")]) == find_contenders([name])


#: Contenders that are nearly right, by what was changed in the README's.
_NEARLY = {
    "another_name": (
        ("add_shared_routes(app, PATTERN,", "add_shared_routes(app, POLLING,"),
        ("from patterns.agents.running", "from patterns import POLLING\nfrom patterns.agents.running"),
    ),
    "no_factory": (("def create_app():", "def make_app():"),),
}


@dataclass(frozen=True)
class Seen:
    """What was seen of ours, and what was said of those that are nearly right."""

    ours: dict[str, ConformanceResult]
    refused: dict[str, str]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Each served for itself, all of them side by side."""
    folder = tmp_path_factory.mktemp("conformance")
    for name, changes in _NEARLY.items():
        text = example().replace("semaphore_queue", name)
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (folder / f"{name}.py").write_text(text)

    def see(pattern: Pattern) -> ConformanceResult:
        return check(pattern, folder / f"{pattern.name}.txt", folder / f"{pattern.name}.log")

    def refuse(pattern: Pattern) -> str:
        with pytest.raises((NotConforming, ProcessFailed)) as raised:
            admit([pattern], folder, lambda line: None)
        return str(raised.value)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(5) as threads:
        patch.setattr(sys, "path", list(sys.path))
        patch.setenv("PYTHONPATH", "")
        ours, nearly = find_contenders(_NAMES), find_contenders([str(folder / f"{name}.py") for name in _NEARLY])
        findings, refusals = threads.map(see, ours), threads.map(refuse, nearly)
        yield Seen(dict(zip(_NAMES, findings, strict=True)), dict(zip(_NEARLY, refusals, strict=True)))


@pytest.mark.thorough
@pytest.mark.parametrize("name", _NAMES)
def test_ours_keep_the_whole_wire_contract(name: str, seen: Seen) -> None:
    assert seen.ours[name] == ConformanceResult(made=29, failed=[], open=[])


@pytest.mark.thorough
def test_one_that_calls_itself_something_else_is_refused(seen: Seen) -> None:
    assert seen.refused["another_name"] == (
        "another_name calls itself 'polling' in GET /health. Give both the same name."
    )


@pytest.mark.thorough
def test_one_that_does_not_start_is_refused_with_the_reason(seen: Seen) -> None:
    assert seen.refused["no_factory"] == (
        "The web server ended with exit code 1 before it was ready: AttributeError: module 'no_factory' has no "
        "attribute 'create_app'"
    )


@dataclass(frozen=True)
class Ended:
    """What came of `kit bench` with a contender."""

    code: int
    out: str
    err: list[str]
    run: Path


def bench_with(folder: Path, contender: str) -> Ended:
    """Run the quick bench in another folder than the kit's, with a contender and one of the five."""
    (folder / "semaphore_queue.py").write_text(contender)
    argv = [sys.executable, "-m", "kit", "bench", "--quick", "--json", "--patterns", "in_memory_queue"]
    argv += ["--duration", "1", "--out", "run", "--contender", "semaphore_queue.py"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert "Traceback" not in done.stderr
    return Ended(done.returncode, done.stdout, done.stderr.splitlines(), folder / "run")


@pytest.mark.thorough
def test_the_readme_s_contender_takes_part_as_it_stands(tmp_path: Path) -> None:
    outcome = bench_with(tmp_path, example())
    assert outcome.code == 0, outcome.err
    assert [line.rpartition(", about")[0] for line in outcome.err if line.startswith("semaphore_queue: ")] == [
        "semaphore_queue: does it keep the wire contract?",
        "semaphore_queue: it does, in all 29 checks",
    ]
    assert {contender["name"] for contender in json.loads(outcome.out)["contenders"]} >= {
        "semaphore_queue",
        "in_memory_queue",
    }
    # Whether a trial is valid is up to the machine; that it was made is not.
    rows = read_samples(outcome.run / "samples.csv.gz")
    ours, theirs = (
        [row.outcome for row in rows if row.pattern == name] for name in ("in_memory_queue", "semaphore_queue")
    )
    assert set(theirs) == {Outcome.COMPLETED}
    assert len(theirs) == len(ours) > 0


def test_one_that_breaks_the_contract_is_refused_and_told_why(tmp_path: Path) -> None:
    right, wrong_answer = "return accepted(task, request, settings)", "return Response(task.model_dump_json(), 200)"
    assert right in example()
    wrong = example().replace(right, wrong_answer)
    outcome = bench_with(tmp_path, wrong)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err[-1].startswith(
        "kit: semaphore_queue does not keep the wire contract, and is not measured. It fails: "
        "Submit is answered with 202, and the task with its id (WRONG_STATUS_CODE)"
    )
    seen = outcome.run / "semaphore_queue.contract.txt"
    assert outcome.err[-1].endswith(f"What was seen, and what to do: {seen.relative_to(tmp_path)}")
    assert "POST /agent/submit" in seen.read_text()
    assert not (outcome.run / "samples.csv").exists()
