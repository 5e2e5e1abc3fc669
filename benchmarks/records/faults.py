"""What a fault run has counted: `faults.json` in the folder of a run."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from benchmarks.records.run import RunError

NAME = "faults.json"


@dataclass(frozen=True, kw_only=True)
class FaultTrial:
    """One fault on one contender. Tasks are counted by their ids."""

    contender: str
    fault: str
    claims_loss: bool  # the descriptor says that it loses tasks on this
    offered: int = 0
    accepted: int = 0
    completed: int = 0
    failed: int = 0  # ended as failed, and the client heard of it
    lost: int = 0  # accepted, and neither: the id is unknown now, or nothing came of it until the deadline
    ran_twice: int = 0
    calls_back: bool = False
    told: int = 0
    told_twice: int = 0
    #: Seconds from the break until a task that was submitted after it was done; None if none was.
    works_again: float | None = None
    #: Seconds from the break until the last outcome was known; None if none came after it.
    all_known: float | None = None
    trouble: str = ""  # why it came to nothing, in one line

    @property
    def without_result(self) -> int:
        """The accepted tasks that came to no result: what the client has to ask for again."""
        return self.failed + self.lost

    @property
    def never_told(self) -> int:
        """The accepted tasks whose outcome was promised to be told, and was not."""
        return self.accepted - self.told if self.calls_back else 0

    @property
    def contradicts(self) -> bool:
        """Whether something was lost that the descriptor says is kept, or nothing could be measured.

        What a descriptor says may be lost, and was not lost here, is no contradiction: it may take worse luck.
        """
        return bool(self.trouble) or (self.without_result > 0 and not self.claims_loss)

    @property
    def as_claimed(self) -> bool:
        """Whether the descriptor says what was measured."""
        return not self.trouble and (self.without_result > 0) == self.claims_loss


def write_cells(folder: Path, cells: Sequence[FaultTrial]) -> None:
    """Write them down, whole or not at all."""
    new = (folder / NAME).with_suffix(".new")
    new.write_text(json.dumps({"cells": [asdict(cell) for cell in cells]}, indent=1) + "\n", encoding="utf-8")
    new.replace(folder / NAME)


def read_cells(folder: Path) -> tuple[FaultTrial, ...]:
    """Read them; none when nothing was broken in this run. Raises `RunError`."""
    path = folder / NAME
    if not path.exists():
        return ()
    known = {field.name for field in fields(FaultTrial)}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return tuple(FaultTrial(**{name: value for name, value in one.items() if name in known}) for one in found)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} cannot be read: {type(error).__name__}: {error}") from None
