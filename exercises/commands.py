"""The commands of the course: `kit init`, `kit list`, `kit check`, `kit watch` and others.

Each command imports slow modules itself, so that `kit check` is fast.
"""

from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from exercises.course import Exercise, NoSuchExercise, course, exercise
from exercises.diagnoses import codes, diagnosis
from exercises.home import first_steps, hints_so_far, next_hint, path_lines, print_lines, print_location
from exercises.preload import fork_server
from exercises.workspace import Update, Workspace, WorkspaceError
from patterns.cli.terminal import give_up
from patterns.serving.interrupts import raise_on_interrupts

app = typer.Typer(add_completion=False)

Which = Annotated[str | None, typer.Argument(metavar="[N]", help="A number or a name. By default, the next one.")]
Folder = Annotated[
    Path | None,
    typer.Option("--dir", help="Your folder of exercises. By default, the nearest one."),
]


@app.command()
def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")]) -> None:
    """Copy the exercises into a folder of your own."""
    try:
        Workspace.make(folder)
    except WorkspaceError as error:
        raise give_up(error) from None
    typer.echo(f"Copied {len(course())} exercises to {folder}.\n")
    typer.echo("\n".join(first_steps(folder)))


@app.command()
def update(folder: Folder = None) -> None:
    """Add new exercises, update changed ones, restore missing files. Never touches a file that you changed."""
    workspace = _workspace(folder)
    try:
        done = workspace.update()
    except WorkspaceError as error:
        raise give_up(error) from None
    except OSError as error:
        raise give_up(f"Cannot write to {workspace.path}: {error.strerror}.") from None
    for what, names in (
        ("moved", done.moved),
        ("new", done.new),
        ("restored", done.restored),
        ("updated", done.updated),
    ):
        for name in names:
            typer.secho(f"{what:<8} {name}", fg="green")
    for name in done.kept:
        typer.secho(f"kept     {name}    you changed it; to get the kit's newer version: kit reset N", fg="yellow")
    if done == Update():
        typer.echo("Everything is up to date.")


@app.command("list")
def show_path(folder: Folder = None) -> None:
    """Show the exercises: which have passed, and which is next."""
    print_lines(path_lines(_workspace(folder)))


@app.command()
def check(
    which: Annotated[
        list[str] | None, typer.Argument(metavar="[N]…", help="Numbers or names. By default, the next one.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Check all exercises.")] = False,
    solutions: Annotated[bool, typer.Option("--solutions", help="Check the kit's solutions, not yours.")] = False,
    folder: Folder = None,
    url: Annotated[
        str | None, typer.Option(help="Check a running server, in any language, against the whole contract.")
    ] = None,
    exercise_by_url: Annotated[
        str | None, typer.Option("--exercise", help="With --url: check only what this exercise requires.", metavar="N")
    ] = None,
    as_json: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write every check with its verdict and points.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML, for a CI server.")] = None,
) -> None:
    """Run checkpoints. Exits with 0 if they passed, 1 if one failed, 2 if one could not run."""
    raise_on_interrupts()
    try:
        with nullcontext() if url else fork_server(which[0] if which else None, folder) as forks:
            from exercises.run import Options, run

            code = run(Options(which or [], every, solutions, folder, url, exercise_by_url, as_json, junit), forks)
    except KeyboardInterrupt:
        raise give_up("Interrupted. Nothing was saved.", 130) from None
    raise typer.Exit(code)


@app.command()
def watch(folder: Folder = None) -> None:
    """Run the next checkpoint each time you save, and move on when it passes."""
    raise_on_interrupts()
    try:
        with fork_server(None, folder) as forks:
            from exercises.watching import watch_workspace

            watch_workspace(_workspace(folder), forks)
    except WorkspaceError as error:
        raise give_up(error) from None
    except KeyboardInterrupt:
        raise give_up("Stopped watching.", 130) from None


@app.command()
def hint(
    which: Which = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat the hints so far.")] = False,
    folder: Folder = None,
) -> None:
    """Show one more hint, never the solution."""
    from exercises.printing import print_markdown

    workspace = _workspace(folder)
    chosen = _exercise(which, workspace)
    try:
        text = hints_so_far(workspace, chosen) if again else next_hint(workspace, chosen)
    except WorkspaceError as error:
        raise give_up(error) from None
    print_markdown(text)


@app.command()
def solution(
    which: Which = None,
    anyway: Annotated[bool, typer.Option("--anyway", help="Show it even if yours has not passed.")] = False,
    folder: Folder = None,
) -> None:
    """Show the reference solution, after yours has passed."""
    from exercises.printing import print_code

    workspace = None if anyway and folder is None and which else _workspace(folder)
    chosen = _exercise(which, workspace)
    if workspace and not anyway and not workspace.passed(chosen):
        raise give_up(
            f"Exercise {chosen.number} has not passed yet (a hint: kit hint {chosen.number}). "
            f"To see the solution anyway: kit solution {chosen.number} --anyway",
            1,
        )
    for name in chosen.files:
        print_code(chosen.solution / name, f"solutions/{chosen.folder}/{name}")


@app.command()
def reset(
    which: Annotated[str, typer.Argument(metavar="N", help="A number or a name.")], folder: Folder = None
) -> None:
    """Restore the files of an exercise. Keeps your versions beside them."""
    workspace = _workspace(folder)
    chosen = _exercise(which, workspace)
    try:
        kept = workspace.reset(chosen)
    except OSError as error:
        raise give_up(f"Cannot write to {workspace.path}: {error.strerror}.") from None
    for file, aside in kept:
        typer.echo(f"{file} is restored. Your version is kept as {aside}.")
    if not kept:
        typer.echo(f"Exercise {chosen.number} is restored.")
    if workspace.passed(chosen):
        typer.echo(f"The exercise still counts as passed. To check it again: kit check {chosen.number}")


@app.command()
def explain(code: Annotated[str | None, typer.Argument(help="The code that a failed check shows.")] = None) -> None:
    """Explain a diagnosis. Without a code, list all of them."""
    from exercises.printing import print_markdown

    if code is None:
        for known in codes():
            typer.echo(f"{known:<24} {diagnosis(known).title}")
        return
    name = code.strip().upper().replace("-", "_")
    if name not in codes():
        near = get_close_matches(name, codes(), n=1)
        question = f"Did you mean {near[0]}? " if near else ""
        raise give_up(f"There is no code {code}. {question}To list all codes: kit explain")
    found = diagnosis(name)
    print_markdown(
        f"# {found.code}: {found.title}\n\n**Likely:** {found.likely}\n\n**Next:** {found.next_step}\n\n{found.story}"
    )


@app.command()
def doctor(folder: Folder = None) -> None:
    """Check that this machine has what the kit needs, and show how to fix problems."""
    raise_on_interrupts()
    try:
        from exercises.doctor import examine

        healthy = examine(folder)
    except KeyboardInterrupt:
        raise give_up("Interrupted.", 130) from None
    raise typer.Exit(0 if healthy else 1)


def _workspace(folder: Path | None) -> Workspace:
    try:
        found = Workspace(folder.resolve()) if folder else Workspace.around(Path.cwd())
    except WorkspaceError as error:
        raise give_up(error) from None
    if folder is None:
        print_location(found)
    return found


def _exercise(which: str | None, workspace: Workspace | None) -> Exercise:
    if which is None:
        return (workspace and workspace.next()) or course()[-1]
    try:
        return exercise(which)
    except NoSuchExercise as error:
        raise give_up(error) from None
