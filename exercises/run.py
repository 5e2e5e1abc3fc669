"""What `kit check` does: choose the checkpoints, run them, print the outcomes, and save the progress."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from exercises import course, grading, screen
from exercises.checking import Checked, run_checkpoints
from exercises.course import Exercise, NoSuchExercise
from exercises.grading import EXIT_CODES, Result
from exercises.home import next_steps, print_lines, print_location
from exercises.workspace import Workspace, WorkspaceError
from patterns.cli.terminal import give_up
from tests.checkpoints.engine.api import ForkServer, Outcome, Verdict, why_unreachable

#: The checkpoints of the whole wire contract, for a server with a URL: immediate responses come first.
CONTRACT = ["contract", "contract_outcome", "contract_more"]


@dataclass(frozen=True)
class Options:
    """The options of `kit check` from the command line."""

    which: list[str]
    every: bool = False
    solutions: bool = False
    folder: Path | None = None
    url: str | None = None
    exercise: str | None = None
    as_json: Path | None = None
    junit: Path | None = None


class _CannotRun(Exception):
    """The options cannot be combined. The message says what to use instead."""


@dataclass(frozen=True)
class _Plan:
    names: list[str]
    target: Path | None
    url: str | None
    workspace: Workspace | None

    @property
    def label(self) -> str:
        return self.url or str(self.target)


class Reporter:
    """Prints each outcome as it arrives. `terse`: for the many checks of the whole contract, prints less."""

    def __init__(self, *, terse: bool = False) -> None:
        self._exercise = ""
        self._terse = terse
        self._screen = screen.Screen(terse=terse)
        self._outcomes: list[Outcome] = []
        self._broken_pipe: BrokenPipeError | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """The context of a run. Raises `BrokenPipeError` if the reader of the output is gone, such as `head`."""
        try:
            yield
        except KeyboardInterrupt:
            raise self._broken_pipe or KeyboardInterrupt from None

    def begin(self, exercise: str) -> None:
        """Print which exercise is checked, before the first outcome: on a busy machine that takes a while."""
        self.end_exercise()
        self._exercise, self._screen = exercise, screen.Screen(terse=self._terse)
        self._print(_title(exercise), bold=True)

    def pytest_check_finished(self, outcome: Outcome) -> None:
        """Print the outcome of a check. The conftest of the checkpoints calls this hook."""
        if outcome.exercise != self._exercise:
            self.begin(outcome.exercise)
        self._outcomes.append(outcome)
        for line in self._screen.lines(outcome):
            self._print(line, **screen.colour(line))

    def pytest_check_waiting(self, text: str) -> None:
        """Print what a check has to wait for."""
        self._print(f"  … {text}", fg="bright_black")

    def end_exercise(self) -> None:
        """Print the summary of the last exercise."""
        if self._outcomes:
            self._print(f"  {screen.summary(self._outcomes)}\n", fg="bright_black")
        self._outcomes = []

    def _print(self, line: str, **style: Any) -> None:
        try:
            typer.secho(line, **style)
        except BrokenPipeError as error:
            # pytest reports any other exception as an internal error; on this one it cleans up and ends.
            self._broken_pipe = error
            raise KeyboardInterrupt from None


def run(options: Options, forks: ForkServer | None) -> int:
    """Run the chosen checkpoints. Returns the exit code."""
    try:
        plan = _plan(options)
    except (_CannotRun, NoSuchExercise, WorkspaceError) as error:
        raise give_up(error, EXIT_CODES[Result.COULD_NOT_RUN]) from None
    reporter = Reporter(terse=plan.url is not None)
    targets = [plan.target] if plan.target else []
    if plan.url and (problem := why_unreachable(plan.url)):
        checked = Checked(problems=[problem])
    else:
        if plan.url and options.exercise:
            typer.secho("How long this takes depends on the server's own agent.", fg="bright_black")
        with reporter.listening():
            if not plan.url:
                reporter.begin(plan.names[0])
            checked = run_checkpoints(
                plan.names, targets, url=plan.url, forks=forks, junit=options.junit, listener=reporter
            )
            reporter.end_exercise()
    for problem in checked.problems:
        give_up(problem)
    result = grading.result_of(checked)
    if options.as_json:
        _write_json(options.as_json, checked, plan)
    _record_progress(plan, checked)
    _print_next_steps(plan, checked, result)
    return EXIT_CODES[result]


def _plan(options: Options) -> _Plan:
    if options.url is not None:
        if not _is_url(options.url):
            raise _CannotRun(f"--url {options.url}: write it as http://HOST:PORT")
        if options.which or options.every or options.solutions:
            raise _CannotRun("With --url, choose one exercise with --exercise N, or none for the whole contract.")
        names = [_served(course.exercise(options.exercise)).folder] if options.exercise else CONTRACT
        return _Plan(names, None, options.url, None)
    if options.exercise:
        raise _CannotRun("--exercise needs --url. Without a URL: kit check N")
    if options.solutions:
        chosen = [course.exercise(which) for which in options.which] or list(course.course())
        return _Plan([exercise.folder for exercise in chosen], course.SOLUTIONS, None, None)
    target, workspace = _target(options)
    return _Plan([exercise.folder for exercise in _chosen(options, workspace)], target, None, workspace)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an invalid port
        return False


def _served(exercise: Exercise) -> Exercise:
    """The exercise, if its solution is a server that can be checked by URL."""
    if "app.py" not in exercise.files:
        what = " and ".join(exercise.files)
        raise _CannotRun(
            f"Exercise {exercise.number}, {exercise.title}, cannot be checked by URL: the kit must run its {what}. "
            f"Without --url: kit check {exercise.number}"
        )
    return exercise


def _target(options: Options) -> tuple[Path, Workspace | None]:
    if options.folder is None:
        workspace = Workspace.around(Path.cwd())
        print_location(workspace)
        return workspace.path, workspace
    folder = options.folder.resolve()
    try:
        return folder, Workspace(folder)
    except WorkspaceError:
        # A teacher's copy, or the kit's own: any folder with an exercise is accepted, and nothing is written to it.
        if any((folder / exercise.folder).is_dir() for exercise in course.course()):
            return folder, None
        raise


def _chosen(options: Options, workspace: Workspace | None) -> list[Exercise]:
    if options.which:
        return [course.exercise(which) for which in options.which]
    coming = workspace.next() if workspace else None
    return list(course.course()) if options.every or coming is None else [coming]


def _record_progress(plan: _Plan, checked: Checked) -> None:
    for folder, outcomes in grading.by_exercise(checked.outcomes):
        if plan.workspace and grading.result(outcomes) is Result.PASSED:
            try:
                plan.workspace.mark_passed(course.exercise(folder))
            except WorkspaceError as error:
                raise give_up(f"The exercise has passed, but the progress cannot be saved. {error}") from None


def _print_next_steps(plan: _Plan, checked: Checked, result: Result) -> None:
    if result is Result.COULD_NOT_RUN and plan.url:
        if {outcome.verdict for outcome in checked.outcomes} == {Verdict.NOT_FROM_OUTSIDE}:
            typer.secho("None of the checks can be run from outside.", fg="yellow")
    elif result is Result.COULD_NOT_RUN:
        typer.secho(_why_not_run(plan), fg="yellow")
    elif result is Result.PASSED and plan.workspace:
        print_lines(next_steps(plan.workspace))


def _why_not_run(plan: _Plan) -> str:
    missing = {
        f"{exercise.folder}/{file}": exercise
        for exercise in course.course()
        for file in exercise.files
        if exercise.folder in plan.names and _is_missing(plan, exercise, file)
    }
    if not missing:
        return "The check could not run. To find out what is missing on this machine: kit doctor"
    [back, *others] = {f"kit reset {exercise.number}" for exercise in missing.values()}
    return f"Missing: {', '.join(missing)}. To restore: {'kit update' if others else back}"


def _is_missing(plan: _Plan, exercise: Exercise, file: str) -> bool:
    return plan.target is not None and not (plan.target / exercise.folder / file).exists()


def _title(folder: str) -> str:
    known = next((exercise for exercise in course.course() if exercise.folder == folder), None)
    return f"{known.number}. {known.title}  ({known.folder})" if known else f"The {folder}"


def _write_json(file: Path, checked: Checked, plan: _Plan) -> None:
    try:
        file.write_text(json.dumps(grading.as_json(checked, plan.label), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise give_up(f"--json {file}: {error.strerror}.", EXIT_CODES[Result.COULD_NOT_RUN]) from None
