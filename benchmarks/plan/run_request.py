"""What a run has to do, and the estimated seconds of its steps. Quick to import."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from benchmarks.plan.contenders import Contender, null_contender
from benchmarks.plan.offers import Visit
from benchmarks.plan.run_plan import RunPlan
from benchmarks.records.run import RunFolder
from patterns.contract.descriptor import Pattern

#: Estimated seconds, for the progress bar only.
_START, _CHECK, _FAULTS, _REPORT = 2.0, 30.0, 240.0, 4.0
#: Added for a worker and a broker.
_MORE_PROCESSES = 4.0


@dataclass(frozen=True)
class RunRequest:
    """The contenders, the plan, and what to do with them."""

    contenders: Sequence[Contender]
    plan: RunPlan
    folder: RunFolder
    load_processes: int
    measure: bool
    faults: bool

    @property
    def external(self) -> list[Pattern]:
        """The contenders to check against the contract before they are measured."""
        return [each.pattern for each in self.contenders if each.kind == "contender" and not each.url]

    @cached_property
    def visits(self) -> list[Visit]:
        """All visits, in order."""
        names = [contender.name for contender in self.contenders]
        return self.plan.visits(names, null_contender().name) if self.measure else []

    def seconds(self) -> list[float]:
        """The seconds of each step: start, a check per external contender, the faults, each visit, the report."""
        checks, faults = [_CHECK] * len(self.external), [_FAULTS] if self.faults else []
        return [_START, *checks, *faults, *map(self._of_visit, self.visits), _REPORT]

    def _of_visit(self, visit: Visit) -> float:
        several = any(each.name == visit.contender and each.pattern.processes for each in self.contenders)
        return self.plan.seconds(visit) + (_MORE_PROCESSES if several else 0.0)
