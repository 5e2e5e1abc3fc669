"""The READMEs: their blocks, and their commands as they run here.

Only the port differs, and `uv run` is left out: the tests already run in its environment.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 40
_PROGRAMS = {"kit": f"{sys.executable} -m kit", "python": sys.executable}
FAST = {"KIT_AGENT_STEPS": "2", "KIT_AGENT_STEP_SECONDS": "0.05", "COLUMNS": "200"}


@dataclass(frozen=True)
class Document:
    """One Markdown file, by its path from the repository's root."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def prose(self) -> str:
        """Without code blocks."""
        return re.sub(r"^```.*?^```$", "", self.text, flags=re.MULTILINE | re.DOTALL)

    def blocks(self, language: str) -> list[str]:
        """Its code blocks in this language."""
        return re.findall(rf"^```{language}\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    def block(self, language: str, part: str) -> str:
        """The only block that contains `part`."""
        (found,) = [b for b in self.blocks(language) if part in b]
        return found

    def section(self, heading: str) -> str:
        """The prose beneath a heading of the second level, up to the next."""
        (found,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", self.prose, re.MULTILINE | re.DOTALL)
        return str(found)

    def links(self) -> list[str]:
        """The targets of its links and pictures."""
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    def anchors(self) -> set[str]:
        """The anchors that GitHub makes of its headings."""
        headings = re.findall(r"^#+ (.*)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


README = Document("README.md")
OF_PATTERNS = Document("patterns/README.md")
OF_BENCHMARKS = Document("benchmarks/README.md")


def as_here(command: str, url: str = "") -> list[str]:
    """The words of a command, with this environment's Python and this test's server."""
    command = re.sub(r"uv run (?:--extra llm )?(?:kit|python)", lambda found: _PROGRAMS[found[0].split()[-1]], command)
    words = shlex.split(command)
    return [word.replace("localhost:8000", url.removeprefix("http://")) for word in words]


def run(
    argv: list[str], folder: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    env = {**os.environ, **(env or {}), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        argv, cwd=folder, env=env, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )


def serve(command: str, folder: Path, env: dict[str, str] | None = None) -> Iterator[str]:
    """Run a command that serves, and yield its URL; its log is the file `log` in `folder`."""
    assignments, _, rest = command.strip().partition("uv run ")
    env = {**(env or {}), **dict(word.split("=", 1) for word in assignments.split())}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*as_here(f"uv run {rest}"), "--port", "0"],
            env={**os.environ, **FAST, **env, "PYTHONPATH": str(ROOT)},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r" at (http://\S+)", line):
                    yield found[1]
                    break
            else:
                pytest.fail(f"{command} ended before it said where it serves: {(folder / 'log').read_text()}")
        finally:
            process.terminate()
            process.communicate(timeout=DEADLINE_SECONDS)


def curl(words: list[str], task_id: str = "") -> httpx.Response:
    """The request that curl would make with these words (`-i`, `-H`, `-d`): not every machine has it."""
    headers, body, url = {}, None, ""
    rest = iter(words[1:])
    for word in rest:
        if word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = next(rest)
        elif word != "-i":
            url = word.replace("TASK_ID", task_id)
    return httpx.request("POST" if body else "GET", f"http://{url}", headers=headers, content=body, timeout=30)
