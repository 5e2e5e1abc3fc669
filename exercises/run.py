"""What `kit check` does: choose the checkpoints, run them, tell what they found, and write it down."""

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
from exercises.home import say_where, tell, what_next
from exercises.workspace import Workspace, WorkspaceError
from patterns.cli.terminal import give_up
from tests.checkpoints.engine.api import ForkServer, Outcome, Verdict, why_unreachable

#: The checkpoint of the whole wire contract, for a server by its URL: what is answered at once comes first.
CONTRACT = ["contract", "contract_outcome", "contract_more"]


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    which: list[str]
    every: bool = False
    solutions: bool = False
    folder: Path | None = None
    url: str | None = None
    exercise: str | None = None
    as_json: Path | None = None
    junit: Path | None = None


class _CannotRun(Exception):
    """What was asked for does not go together. The message says what would."""


@dataclass(frozen=True)
class _Plan:
    names: list[str]
    target: Path | None
    url: str | None
    workspace: Workspace | None

    @property
    def told_as(self) -> str:
        return self.url or str(self.target)


class Teller:
    """Tells each check as it is made. A server that is somebody's own has many checks, and is told more shortly."""

    def __init__(self, *, terse: bool = False) -> None:
        self._exercise = ""
        self._terse = terse
        self._screen = screen.Screen(terse=terse)
        self._outcomes: list[Outcome] = []
        self._broken_pipe: BrokenPipeError | None = None

    @contextmanager
    def listened_to(self) -> Iterator[None]:
        """Around a run. Raises `BrokenPipeError` when whoever reads the output has gone, as `head` does."""
        try:
            yield
        except KeyboardInterrupt:
            raise self._broken_pipe or KeyboardInterrupt from None

    def begin(self, exercise: str) -> None:
        """Say what is checked, before the first check is made: on a busy machine that takes a while."""
        self.end_exercise()
        self._exercise, self._screen = exercise, screen.Screen(terse=self._terse)
        self._say(_title(exercise), bold=True)

    def pytest_check_finished(self, outcome: Outcome) -> None:
        """Called for each check, by the checkpoints' own conftest."""
        if outcome.exercise != self._exercise:
            self.begin(outcome.exercise)
        self._outcomes.append(outcome)
        for line in self._screen.lines(outcome):
            self._say(line, **screen.colour(line))

    def pytest_check_waiting(self, text: str) -> None:
        """Called when a check has to wait for long."""
        self._say(f"  … {text}", fg="bright_black")

    def end_exercise(self) -> None:
        """Sum up what was told last."""
        if self._outcomes:
            self._say(f"  {screen.summary(self._outcomes)}\n", fg="bright_black")
        self._outcomes = []

    def _say(self, line: str, **style: Any) -> None:
        try:
            typer.secho(line, **style)
        except BrokenPipeError as error:
            # Any other exception pytest tells at length, as an error of its own; by this one it cleans up, and ends.
            self._broken_pipe = error
            raise KeyboardInterrupt from None


def run(wish: Wish, forks: ForkServer | None) -> int:
    """Run what was asked for, and give the exit code."""
    try:
        plan = _plan(wish)
    except (_CannotRun, NoSuchExercise, WorkspaceError) as error:
        raise give_up(error, EXIT_CODES[Result.COULD_NOT_RUN]) from None
    teller = Teller(terse=plan.url is not None)
    targets = [plan.target] if plan.target else []
    if plan.url and (nobody := why_unreachable(plan.url)):
        checked = Checked(problems=[nobody])
    else:
        if plan.url and wish.exercise:
            typer.secho(
                "The server's own agent sets the pace: the more seconds it takes, the longer.", fg="bright_black"
            )
        with teller.listened_to():
            if not plan.url:
                teller.begin(plan.names[0])
            checked = run_checkpoints(plan.names, targets, url=plan.url, forks=forks, junit=wish.junit, listener=teller)
            teller.end_exercise()
    for problem in checked.problems:
        give_up(problem)
    result = grading.result_of(checked)
    if wish.as_json:
        _write_json(wish.as_json, checked, plan)
    _write_down(plan, checked)
    _tell_what_next(plan, checked, result)
    return EXIT_CODES[result]


def _plan(wish: Wish) -> _Plan:
    if wish.url is not None:
        if not _is_url(wish.url):
            raise _CannotRun(f"--url {wish.url}: write it as http://HOST:PORT")
        if wish.which or wish.every or wish.solutions:
            raise _CannotRun("With --url, name one exercise by --exercise N, or none for the whole contract.")
        names = [_served(course.exercise(wish.exercise)).folder] if wish.exercise else CONTRACT
        return _Plan(names, None, wish.url, None)
    if wish.exercise:
        raise _CannotRun("--exercise goes with --url. Without one: kit check N")
    if wish.solutions:
        chosen = [course.exercise(one) for one in wish.which] or list(course.course())
        return _Plan([one.folder for one in chosen], course.SOLUTIONS, None, None)
    target, workspace = _target(wish)
    return _Plan([one.folder for one in _chosen(wish, workspace)], target, None, workspace)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        return False


def _served(exercise: Exercise) -> Exercise:
    """The exercise, if what is built in it is a server that can be asked for what it does."""
    if "app.py" not in exercise.files:
        what = " and ".join(exercise.files)
        raise _CannotRun(
            f"Exercise {exercise.number}, {exercise.title}, cannot be checked by URL: its {what} needs the kit's hand "
            f"on the other side. Without --url: kit check {exercise.number}"
        )
    return exercise


def _target(wish: Wish) -> tuple[Path, Workspace | None]:
    if wish.folder is None:
        workspace = Workspace.around(Path.cwd())
        say_where(workspace)
        return workspace.path, workspace
    folder = wish.folder.resolve()
    try:
        return folder, Workspace(folder)
    except WorkspaceError:
        # A teacher's copy, or the kit's own: any folder with an exercise in it will do, and nothing is written there.
        if any((folder / one.folder).is_dir() for one in course.course()):
            return folder, None
        raise


def _chosen(wish: Wish, workspace: Workspace | None) -> list[Exercise]:
    if wish.which:
        return [course.exercise(one) for one in wish.which]
    coming = workspace.next() if workspace else None
    return list(course.course()) if wish.every or coming is None else [coming]


def _write_down(plan: _Plan, checked: Checked) -> None:
    for folder, outcomes in grading.by_exercise(checked.outcomes):
        if plan.workspace and grading.result(outcomes) is Result.PASSED:
            try:
                plan.workspace.mark_passed(course.exercise(folder))
            except WorkspaceError as error:
                raise give_up(f"It has passed, but that cannot be written down. {error}") from None


def _tell_what_next(plan: _Plan, checked: Checked, result: Result) -> None:
    if result is Result.COULD_NOT_RUN and plan.url:
        if {outcome.verdict for outcome in checked.outcomes} == {Verdict.NOT_FROM_OUTSIDE}:
            typer.secho("None of its checks can be made from outside.", fg="yellow")
    elif result is Result.COULD_NOT_RUN:
        typer.secho(_what_stood_in_the_way(plan), fg="yellow")
    elif result is Result.PASSED and plan.workspace:
        tell(what_next(plan.workspace))


def _what_stood_in_the_way(plan: _Plan) -> str:
    chosen = [one for one in course.course() if one.folder in plan.names]
    missing = {f"{one.folder}/{file}": one for one in chosen for file in one.files if _is_missing(plan, one, file)}
    if not missing:
        return "This could not be checked here. Is something missing on this machine? kit doctor"
    [back, *others] = {f"kit reset {one.number}" for one in missing.values()}
    return f"Missing: {', '.join(missing)}. To get back what is missing: {'kit update' if others else back}"


def _is_missing(plan: _Plan, exercise: Exercise, file: str) -> bool:
    return plan.target is not None and not (plan.target / exercise.folder / file).exists()


def _title(folder: str) -> str:
    known = next((one for one in course.course() if one.folder == folder), None)
    return f"{known.number}. {known.title}  ({known.folder})" if known else f"The {folder}"


def _write_json(file: Path, checked: Checked, plan: _Plan) -> None:
    try:
        file.write_text(json.dumps(grading.as_json(checked, plan.told_as), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise give_up(f"--json {file}: {error.strerror}.", EXIT_CODES[Result.COULD_NOT_RUN]) from None
