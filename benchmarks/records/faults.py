"""`faults.json`: the counts of each fault trial of a run."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.records.run import RunError

NAME = "faults.json"
#: Fields whose name in the file differs.
_IN_FILE = {"delivered": "told", "delivered_twice": "told_twice", "all_known_after": "all_known"}


@dataclass(frozen=True, kw_only=True)
class FaultTrial:
    """One fault injected into one contender. Tasks are counted by id."""

    contender: str
    fault: str
    claims_loss: bool  # the descriptor declares that this fault loses tasks
    offered: int = 0
    accepted: int = 0
    completed: int = 0
    failed: int = 0  # or cancelled, and the client was notified
    lost: int = 0  # accepted, but the id became unknown, or there was no outcome before the deadline
    ran_twice: int = 0
    calls_back: bool = False
    delivered: int = 0  # outcomes delivered by callback
    delivered_twice: int = 0
    #: Seconds from the fault until a task submitted after it completed; None if none did.
    works_again: float | None = None
    #: Seconds from the fault until the last outcome was known; None if none became known after it.
    all_known_after: float | None = None
    trouble: str = ""  # why the trial failed, in one line

    @property
    def without_result(self) -> int:
        """The accepted tasks without a result, which the client has to submit again."""
        return self.failed + self.lost

    @property
    def never_delivered(self) -> int:
        """The accepted tasks whose callback never arrived."""
        return self.accepted - self.delivered if self.calls_back else 0

    @property
    def contradicts(self) -> bool:
        """Whether tasks were lost although the descriptor declares no loss, or the trial failed.

        A declared loss that did not occur is no contradiction: it may be rare.
        """
        return bool(self.trouble) or (self.without_result > 0 and not self.claims_loss)

    @property
    def as_claimed(self) -> bool:
        """Whether the measurement matches the declaration."""
        return not self.trouble and (self.without_result > 0) == self.claims_loss


def write_fault_trials(folder: Path, trials: Sequence[FaultTrial]) -> None:
    """Write `faults.json` atomically."""
    new = (folder / NAME).with_suffix(".new")
    new.write_text(json.dumps({"cells": [_to_json(trial) for trial in trials]}, indent=1) + "\n", encoding="utf-8")
    new.replace(folder / NAME)


def read_fault_trials(folder: Path) -> tuple[FaultTrial, ...]:
    """Read `faults.json`; empty if the run injected no fault. Raises `RunError`."""
    path = folder / NAME
    if not path.exists():
        return ()
    try:
        return tuple(map(_from_json, json.loads(path.read_text(encoding="utf-8"))["cells"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path} cannot be read: {type(error).__name__}: {error}") from None


def _to_json(trial: FaultTrial) -> dict[str, Any]:
    return {_IN_FILE.get(name, name): value for name, value in asdict(trial).items()}


def _from_json(values: dict[str, Any]) -> FaultTrial:
    names = (field.name for field in fields(FaultTrial))
    return FaultTrial(**{name: values[key] for name in names if (key := _IN_FILE.get(name, name)) in values})
