"""The agent's work as part of the load: the duration of tasks, its distribution, and what the agent does."""

from dataclasses import dataclass
from enum import StrEnum


class Length(StrEnum):
    """The duration of a task. All are scale models of agents that take minutes."""

    SHORT = "short"  # 0.05 s
    USUAL = "usual"  # 0.25 s
    LONG = "long"  # 2 s
    HEAVY = "heavy"  # 0.25 s on average with a long tail: a few tasks take ten times as long


class AgentActivity(StrEnum):
    """What the agent does while it works."""

    WAITING = "waiting"  # awaits a model, so other tasks can run
    BLOCKING = "blocking"  # blocks its thread while it waits, as a synchronous client does
    COMPUTING = "computing"  # uses the CPU


_SECONDS = {Length.SHORT: 0.05, Length.USUAL: 0.25, Length.LONG: 2.0, Length.HEAVY: 0.25}
#: The values of the simulated agent's KIT_AGENT_BEHAVIOUR.
_BEHAVIOURS = {AgentActivity.WAITING: "work", AgentActivity.BLOCKING: "block", AgentActivity.COMPUTING: "compute"}


@dataclass(frozen=True)
class Workload:
    """The work of the agent, the same for every contender."""

    length: Length = Length.USUAL
    doing: AgentActivity = AgentActivity.WAITING  # recorded under this name in `run.json`

    @property
    def steps(self) -> int:
        """The steps of a task; the agent reports progress after each."""
        return 2 if self.length is Length.SHORT else 5

    @property
    def seconds(self) -> float:
        """The mean duration of a task."""
        return _SECONDS[self.length]

    @property
    def poll_interval(self) -> float:
        """The interval of a fixed-poll client. The mean duration falls between two polls; if it fell on one, chance
        would decide which of them the median shows."""
        return self.seconds / 2.5

    def environment(self) -> dict[str, str]:
        """The settings of the simulated agent."""
        return {
            "KIT_AGENT": "simulated",
            "KIT_AGENT_BEHAVIOUR": _BEHAVIOURS[self.doing],
            "KIT_AGENT_OBEYS_PROMPT": "0",
            "KIT_AGENT_STEPS": str(self.steps),
            "KIT_AGENT_STEP_SECONDS": str(self.seconds / self.steps),
            "KIT_AGENT_JITTER": "1.0",
            "KIT_AGENT_TAIL": "heavy" if self.length is Length.HEAVY else "none",
        }
