"""The descriptor of a pattern: inert data, safe and quick to import anywhere."""

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
    """The agents that stop within a second of a cancel or a timeout. Others stop at their next `report_progress`."""

    ASYNC_AGENTS = "async agents"
    ALL_AGENTS = "async and sync agents"


class Question(StrEnum):
    """Which of the two questions a pattern answers differently. Patterns are ranked within one question only."""

    RUNS_IN = "where the work runs"
    LEARNS_BY = "how the client learns the outcome"


class Fault(StrEnum):
    """A failure that is injected while tasks are running."""

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
        """A short description, for tables and reports."""
        return _MEANINGS[self]


_MEANINGS = {
    Fault.WEB_KILL: "the web process is killed (SIGKILL)",
    Fault.WEB_STOP: "it is stopped (SIGTERM), and tasks run longer than KIT_GRACE_SECONDS",
    Fault.WEB_DEPLOY: "it is stopped (SIGTERM), and tasks finish within KIT_GRACE_SECONDS",
    Fault.WORKER_KILL: "a worker is killed (SIGKILL)",
    Fault.WORKER_STOP: "a worker is stopped (SIGTERM), and tasks run longer than KIT_GRACE_SECONDS",
    Fault.BROKER_KILL: "the broker is killed, and restarts with its data",
    Fault.BROKER_LOSS: "the broker restarts without its data",
    Fault.BROKER_FREEZE: "the broker does not respond for some seconds (SIGSTOP)",
    Fault.RECEIVER_DOWN: "the receiver of the callbacks refuses connections for a while",
    Fault.RECEIVER_SLOW: "the receiver responds slowly",
    Fault.RECEIVER_ERRORS: "the receiver responds with 500 for a while",
    Fault.CLIENT_GONE: "the client disconnects after the submit, and asks for the outcome later",
}


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that a pattern needs beside the web server, as arguments of the Python interpreter.

    `{unique}` in an argument is replaced by a unique name, so that several of these processes can run on one host.
    """

    name: str
    arguments: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One way to run a long job behind a short request.

    `app` is the import string of a factory without arguments that returns an ASGI application.
    `loses_on` contains the faults that lose accepted tasks; the pattern survives all others.
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
    takes_callback: bool = False  # a `callback_url` is optional

    @property
    def module(self) -> str:
        """The module that implements the pattern."""
        return self.app.partition(":")[0]

    @property
    def requires_callback(self) -> bool:
        """Whether every submit must have a `callback_url`."""
        return self.learns_by is LearnsBy.CALLBACK

    @property
    def can_call_back(self) -> bool:
        """Whether a client can ask for a callback."""
        return self.takes_callback or self.requires_callback

    @property
    def scales_out(self) -> bool:
        """Whether any number of web processes can serve the same tasks: only if the records are not in one of them."""
        return "redis" in self.needs
