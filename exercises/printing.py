"""Prints Markdown and code on a terminal, with Rich. A separate module, because importing Rich takes time."""

from pathlib import Path
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Markdown
from rich.syntax import Syntax

_WIDTH = 100


class _Drawing(CodeBlock):
    """A drawing or code, without Rich's padding and wrapping, which would break a drawing."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the text with unwrapped lines."""
        drawing = Syntax("", self.lexer_name, theme=self.theme).highlight(str(self.text).rstrip())
        drawing.rstrip()
        drawing.no_wrap, drawing.overflow = True, "ignore"
        yield drawing


class _Markdown(Markdown):
    elements: ClassVar = {**Markdown.elements, "fence": _Drawing, "code_block": _Drawing}


def print_markdown(text: str) -> None:
    """Print headings, paragraphs and drawings."""
    console = _console()
    console.print(_Markdown(text, code_theme="bw" if not console.is_terminal else "monokai"), crop=False)


def print_code(file: Path, title: str) -> None:
    """Print a file with its name above it. In a pipe it is plain text, so that it can be saved."""
    console = _console()
    text = file.read_text(encoding="utf-8")
    if not console.is_terminal:
        console.file.write(f"# {title}\n{text}")
        console.file.flush()  # so that a broken pipe is reported here, not when the interpreter exits
        return
    console.rule(title, style="dim")
    console.print(Syntax(text, "python", background_color="default"))


def _console() -> Console:
    console = Console(highlight=False, emoji=False)
    console.width = min(console.width, _WIDTH)
    return console
