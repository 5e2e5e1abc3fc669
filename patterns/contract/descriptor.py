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


class Interrupts(StrEnum):
    """Which agents end within a second of a cancel or a timeout. Others end at their next `report_progress`."""

    ASYNC_AGENTS = "async agents"
    ALL_AGENTS = "async and sync agents"


class Question(StrEnum):
    """Which of the two questions a pattern varies. Patterns are only ever ranked within one."""

    RUNS_IN = "where the work runs"
    LEARNS_BY = "how the client learns the outcome"


class Fault(StrEnum):
    """Something that breaks, in the middle of the work."""

    WEB_KILL = "web_kill"
    WEB_STOP = "web_stop"
    WEB_DEPLOY = "web_deploy"
    WORKER_KILL = "worker_kill"
    WORKER_STOP = "worker_stop"
    BROKER_KILL = "broker_kill"
    BROKER_LOSS = "broker_loss"
    BROKER_FREEZE = "broker_freeze"
    RECEIVER_DOWN = "receiver_down"
    RECEIVER_SLOW = "receiver_slow"
    RECEIVER_ERRORS = "receiver_errors"
    CLIENT_GONE = "client_gone"

    @property
    def meaning(self) -> str:
        """What happens, in a few words."""
        return _MEANINGS[self]


_MEANINGS = {
    Fault.WEB_KILL: "the web process is killed (SIGKILL)",
    Fault.WEB_STOP: "it is stopped (SIGTERM), and the work outlasts KIT_GRACE_SECONDS",
    Fault.WEB_DEPLOY: "it is stopped (SIGTERM), and the work is done within KIT_GRACE_SECONDS",
    Fault.WORKER_KILL: "a worker is killed (SIGKILL)",
    Fault.WORKER_STOP: "a worker is stopped (SIGTERM), and the work outlasts KIT_GRACE_SECONDS",
    Fault.BROKER_KILL: "the broker is killed, and comes back with its data",
    Fault.BROKER_LOSS: "the broker comes back without its data",
    Fault.BROKER_FREEZE: "the broker answers nothing for some seconds (SIGSTOP)",
    Fault.RECEIVER_DOWN: "the receiver of the callbacks refuses connections for a while",
    Fault.RECEIVER_SLOW: "the receiver takes its time to answer",
    Fault.RECEIVER_ERRORS: "the receiver answers 500 for a while",
    Fault.CLIENT_GONE: "the client goes away between submit and outcome, and asks later",
}


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
    interrupts: Interrupts = Interrupts.ASYNC_AGENTS  # a sync agent in a thread cannot be interrupted
    takes_callback: bool = False  # a submit may have a `callback_url`

    @property
    def module(self) -> str:
        """The module that shows the pattern."""
        return self.app.partition(":")[0]

    @property
    def requires_callback(self) -> bool:
        """Whether every submit must have a `callback_url`."""
        return self.learns_by is LearnsBy.CALLBACK

    @property
    def can_call_back(self) -> bool:
        """Whether a client can have the outcome sent to it."""
        return self.takes_callback or self.requires_callback

    @property
    def scales_out(self) -> bool:
        """Whether several web processes give the same answers: only if no record lives in one of them."""
        return "redis" in self.needs
