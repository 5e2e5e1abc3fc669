"""What a run was asked for, and about how long each of its steps takes. Quick to import: nothing is done here."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from benchmarks.plan.contenders import Contender, null
from benchmarks.plan.run_plan import Plan, Visit
from benchmarks.records.run import RunFolder
from patterns.contract.descriptor import Pattern

#: Seconds, about: for the progress alone.
_START, _CHECK, _BREAK, _REPORT = 2.0, 30.0, 240.0, 4.0
#: A worker and a broker start and stop beside the web server.
_MORE_PROCESSES = 4.0


@dataclass(frozen=True)
class RunRequest:
    """What was asked for."""

    entrants: Sequence[Contender]
    plan: Plan
    folder: RunFolder
    load_processes: int
    measure: bool
    faults: bool

    @property
    def external(self) -> list[Pattern]:
        """The contenders that are checked before they take part."""
        return [one.pattern for one in self.entrants if one.kind == "contender" and not one.url]

    @cached_property
    def visits(self) -> list[Visit]:
        """All, in order."""
        return self.plan.visits([one.name for one in self.entrants], null().name) if self.measure else []

    def seconds(self) -> list[float]:
        """Of each step: start, a check for each contender, the faults, each visit, the report."""
        checks, faults = [_CHECK] * len(self.external), [_BREAK] if self.faults else []
        return [_START, *checks, *faults, *map(self._of_visit, self.visits), _REPORT]

    def _of_visit(self, visit: Visit) -> float:
        more = any(one.name == visit.contender and one.pattern.processes for one in self.entrants)
        return self.plan.seconds(visit) + (_MORE_PROCESSES if more else 0.0)
