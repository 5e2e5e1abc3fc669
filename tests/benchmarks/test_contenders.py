"""External contenders: how they are found, how an unusable one is refused, and that a complete one takes part."""

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
    """The contender in the README, unchanged."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", _README.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what finding a contender changes in this process."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("semaphore_queue", None)
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("nowhere.py", None, "no such file."),
        ("a_folder.py", "", "it defines no PATTERN. benchmarks/README.md shows a complete contender."),
        ("a_dict.py", "PATTERN = {}", "its PATTERN is a dict, not a patterns.contract.descriptor.Pattern."),
        (
            "takes_a_name.py",
            example().replace('name="semaphore_queue"', 'name="polling"'),
            "the name 'polling' is already in use. Change the name in its PATTERN.",
        ),
        (
            "odd_name.py",
            example().replace('name="semaphore_queue"', 'name="../mine"'),
            "'../mine' cannot be a file name: use letters, digits, - and _.",
        ),
        (
            "lacks.py",
            "import no_such_library.part",
            "import failed: there is no module no_such_library. Install its package in this environment: uv pip "
            "install no_such_library.",
        ),
        ("broken.py", "def", "import failed: SyntaxError: invalid syntax (broken.py, line 1)."),
        ("raises.py", "1 / 0", "import failed: ZeroDivisionError: division by zero."),
        ("exits.py", "raise SystemExit('no')", "import failed: SystemExit: no."),
        ("my-queue.py", "", "'my-queue' is not a valid module name. Rename it, to my_queue.py for example."),
        ("json.py", "", "it would shadow the module json. Rename the file."),
        ("saq.py", "", "it would shadow the module saq. Rename the file."),
    ],
)
def test_an_unusable_contender_is_reported_in_one_line_with_exit_code_2(
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


def test_an_unknown_name_is_answered_with_the_installed_ones() -> None:
    result = CliRunner().invoke(bench_app, ["--contender", "celery"])
    assert result.stderr.startswith(
        "kit: --contender celery: there is no contender of this name. Give a file (my_queue.py) or an installed"
    )
    assert all(name in result.stderr for name in _NAMES)
    assert result.exit_code == 2


@pytest.mark.parametrize("library", ["dramatiq", "saq", "taskiq"])
def test_a_missing_library_is_reported_with_its_group(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith(("benchmarks.contenders", library))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)  # makes its import fail
    with pytest.raises(ContenderError) as raised:
        find_contenders([f"{library}_queue"])
    assert f": import failed: there is no module {library}" in str(raised.value)
    assert str(raised.value).endswith(f". Install it: uv sync --group {library}.")


def test_two_files_of_the_same_name_are_not_mixed_up(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "semaphore_queue.py").write_text(example())
    with pytest.raises(ContenderError, match=r"two/semaphore_queue\.py: it would shadow the module semaphore_queue"):
        find_contenders([str(tmp_path / folder / "semaphore_queue.py") for folder in ("one", "two")])


def test_a_relative_path_works_and_child_processes_can_import_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "semaphore_queue.py").write_text(example())
    monkeypatch.chdir(tmp_path)
    (contender,) = find_contenders(["semaphore_queue.py", "semaphore_queue.py"])
    assert contender.name == "semaphore_queue"
    assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == str(tmp_path)


@pytest.mark.parametrize("name", _NAMES)
def test_a_file_in_a_package_is_imported_by_its_full_name(name: str) -> None:
    assert find_contenders([str(_CONTENDERS / f"{name}.py")]) == find_contenders([name])


#: Wrong contenders: the changes to the README's.
_WRONG = {
    "another_name": (
        ("add_shared_routes(app, PATTERN,", "add_shared_routes(app, POLLING,"),
        ("from patterns.agents.running", "from patterns import POLLING\nfrom patterns.agents.running"),
    ),
    "no_factory": (("def create_app():", "def make_app():"),),
}


@dataclass(frozen=True)
class Checked:
    """The results of the included contenders, and the messages that refuse the wrong ones."""

    included: dict[str, ConformanceResult]
    refused: dict[str, str]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    """Serve and check all of them at the same time."""
    folder = tmp_path_factory.mktemp("conformance")
    for name, changes in _WRONG.items():
        text = example().replace("semaphore_queue", name)
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (folder / f"{name}.py").write_text(text)

    def run_checks(pattern: Pattern) -> ConformanceResult:
        return check(pattern, folder / f"{pattern.name}.txt", folder / f"{pattern.name}.log")

    def refuse(pattern: Pattern) -> str:
        with pytest.raises((NotConforming, ProcessFailed)) as raised:
            admit([pattern], folder, lambda line: None)
        return str(raised.value)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(5) as threads:
        patch.setattr(sys, "path", list(sys.path))
        patch.setenv("PYTHONPATH", "")
        included, wrong = find_contenders(_NAMES), find_contenders([str(folder / f"{name}.py") for name in _WRONG])
        results, refusals = threads.map(run_checks, included), threads.map(refuse, wrong)
        yield Checked(dict(zip(_NAMES, results, strict=True)), dict(zip(_WRONG, refusals, strict=True)))


@pytest.mark.thorough
@pytest.mark.parametrize("name", _NAMES)
def test_the_included_contenders_keep_the_whole_wire_contract(name: str, checked: Checked) -> None:
    assert checked.included[name] == ConformanceResult(passed=29, failed=[], not_run=[])


@pytest.mark.thorough
def test_a_contender_with_another_name_in_health_is_refused(checked: Checked) -> None:
    assert checked.refused["another_name"] == (
        "another_name calls itself 'polling' in GET /health. Give both the same name."
    )


@pytest.mark.thorough
def test_a_contender_that_does_not_start_is_refused_with_the_reason(checked: Checked) -> None:
    assert checked.refused["no_factory"] == (
        "The web server ended with exit code 1 before it was ready: AttributeError: module 'no_factory' has no "
        "attribute 'create_app'"
    )


@dataclass(frozen=True)
class Ended:
    """How `kit bench` with a contender ended."""

    code: int
    out: str
    err: list[str]
    run: Path


def bench_with(folder: Path, contender: str) -> Ended:
    """Run the quick bench outside the kit's folder, with a contender and one of the five."""
    (folder / "semaphore_queue.py").write_text(contender)
    argv = [sys.executable, "-m", "kit", "bench", "--quick", "--json", "--patterns", "in_memory_queue"]
    argv += ["--duration", "1", "--out", "run", "--contender", "semaphore_queue.py"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert "Traceback" not in done.stderr
    return Ended(done.returncode, done.stdout, done.stderr.splitlines(), folder / "run")


@pytest.mark.thorough
def test_the_contender_in_the_readme_takes_part_unchanged(tmp_path: Path) -> None:
    outcome = bench_with(tmp_path, example())
    assert outcome.code == 0, outcome.err
    assert [line.rpartition(", about")[0] for line in outcome.err if line.startswith("semaphore_queue: ")] == [
        "semaphore_queue: checking the wire contract",
        "semaphore_queue: all 29 contract checks passed",
    ]
    assert {contender["name"] for contender in json.loads(outcome.out)["contenders"]} >= {
        "semaphore_queue",
        "in_memory_queue",
    }
    # Whether the trial is valid depends on the machine; that it ran does not.
    rows = read_samples(outcome.run / "samples.csv.gz")
    ours, theirs = (
        [row.outcome for row in rows if row.pattern == name] for name in ("in_memory_queue", "semaphore_queue")
    )
    assert set(theirs) == {Outcome.COMPLETED}
    assert len(theirs) == len(ours) > 0


def test_a_contender_that_breaks_the_contract_is_refused_with_the_failed_check(tmp_path: Path) -> None:
    right, wrong = "return accepted(task, request, settings)", "return Response(task.model_dump_json(), 200)"
    assert right in example()
    outcome = bench_with(tmp_path, example().replace(right, wrong))
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err[-1].startswith(
        "kit: semaphore_queue breaks the wire contract and is not measured. Failed checks: "
        "Submit responds with 202, and a task with its id (WRONG_STATUS_CODE)"
    )
    output = outcome.run / "semaphore_queue.contract.txt"
    assert outcome.err[-1].endswith(f"For details and what to do, see {output.relative_to(tmp_path)}")
    assert "POST /agent/submit" in output.read_text()
    assert not (outcome.run / "samples.csv").exists()
