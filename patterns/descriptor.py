"""What a pattern is: inert data, safe and quick to import anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class RunsIn(StrEnum):
    """First question: where does the work run?"""

    AFTER_RESPONSE = "after the response, in the web process"
    WORKER_PROCESS = "in a worker process"
    IN_PROCESS_QUEUE = "in workers over a queue, in the web process"


class LearnsBy(StrEnum):
    """Second question: how does the client learn the outcome?"""

    FIXED_POLL = "polling at a fixed interval"
    ADAPTIVE_POLL = "polling politely: long-poll, back-off, deadline"
    CALLBACK = "a signed callback"


class Question(StrEnum):
    """Which of the two questions a pattern varies. Patterns are only ever ranked within one."""

    RUNS_IN = "where the work runs"
    LEARNS_BY = "how the client learns the outcome"


class Fault(StrEnum):
    """Something that breaks."""

    WEB_KILL = "web_kill"  # the web process gets SIGKILL
    WEB_STOP = "web_stop"  # the web process gets SIGTERM, and the work outlasts KIT_GRACE_SECONDS
    WORKER_KILL = "worker_kill"  # a worker process gets SIGKILL
    BROKER_LOSS = "broker_loss"  # the broker comes back without its data


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that a pattern needs beside the web server, as arguments of the Python interpreter.

    `{unique}` in an argument becomes a word that no other process has: several of them may run on one host.
    """

    name: str
    arguments: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One way out, described by inert data: safe to import anywhere.

    `app` is the import string of a factory without arguments that returns an ASGI application.
    `loses_on` names the faults that lose accepted tasks; every other fault is survived.
    """

    name: str
    title: str
    summary: str
    app: str
    runs_in: RunsIn
    learns_by: LearnsBy
    teaches: Question
    loses_on: frozenset[Fault]
    processes: Sequence[Process] = ()
    needs: frozenset[str] = frozenset()

    @property
    def module(self) -> str:
        """The module that shows the pattern."""
        return self.app.partition(":")[0]

    @property
    def scales_out(self) -> bool:
        """Whether several web processes give the same answers: only if no record lives in one of them."""
        return "redis" in self.needs
