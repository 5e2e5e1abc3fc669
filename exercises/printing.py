"""Markdown and code on a terminal, by Rich. Apart from the rest, because importing it takes time."""

from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax

_WIDTH = 100


def print_markdown(text: str) -> None:
    """Headings, paragraphs and drawings."""
    console = _console()
    console.print(Markdown(text, code_theme="bw" if not console.is_terminal else "monokai"))


def print_code(file: Path, title: str) -> None:
    """A file, with its name above it. In a pipe it stays as it is, so that it can be saved."""
    console = _console()
    text = file.read_text(encoding="utf-8")
    if not console.is_terminal:
        console.file.write(f"# {title}\n{text}")
        console.file.flush()  # whoever reads it may have gone: told here, not when the interpreter ends
        return
    console.rule(title, style="dim")
    console.print(Syntax(text, "python", background_color="default"))


def _console() -> Console:
    console = Console(highlight=False, emoji=False)
    console.width = min(console.width, _WIDTH)
    return console
