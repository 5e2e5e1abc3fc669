"""The agent's work as part of the load: how long a task takes, how lengths are spread, and what the agent does."""

from dataclasses import dataclass
from enum import StrEnum


class Length(StrEnum):
    """How long the work takes. All are scale models of agents that take minutes."""

    SHORT = "short"  # 0.05 s
    USUAL = "usual"  # 0.25 s
    LONG = "long"  # 2 s
    HEAVY = "heavy"  # 0.25 s on average, most of them shorter, a few ten times as long


class AgentActivity(StrEnum):
    """What the agent does with its time."""

    WAITING = "waiting"  # for a model's answer: it leaves the processor to others
    BLOCKING = "blocking"  # it holds its thread while it waits, as a client without async does
    COMPUTING = "computing"  # it needs a processor


_SECONDS = {Length.SHORT: 0.05, Length.USUAL: 0.25, Length.LONG: 2.0, Length.HEAVY: 0.25}
#: The simulated agent's own words for it.
_BEHAVIOURS = {AgentActivity.WAITING: "work", AgentActivity.BLOCKING: "block", AgentActivity.COMPUTING: "compute"}


@dataclass(frozen=True)
class Workload:
    """The same for every contender."""

    length: Length = Length.USUAL
    doing: AgentActivity = AgentActivity.WAITING

    @property
    def steps(self) -> int:
        """After each the agent reports its progress."""
        return 2 if self.length is Length.SHORT else 5

    @property
    def seconds(self) -> float:
        """How long a task takes on average."""
        return _SECONDS[self.length]

    @property
    def poll_interval(self) -> float:
        """How often a fixed-poll client asks. The mean length lies between two polls: on one, the median would be
        either of the two, by chance."""
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
