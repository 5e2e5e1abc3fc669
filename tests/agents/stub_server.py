"""Serves the stub model on this machine during a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from patterns.agents.stub_model import Call, StubModel
from tests.support.scripted_server import bound_socket, serving
from tests.support.waiting import eventually


@dataclass(frozen=True)
class ServedStub:
    """The stub model, and its URL."""

    model: StubModel
    url: str

    def calls(self, prompt: str) -> list[Call]:
        """The calls with this prompt, in order."""
        return [call for call in list(self.model.calls) if call.prompt == prompt]

    def states(self, prompt: str) -> list[str]:
        """Their states."""
        return [call.state for call in self.calls(prompt)]

    def until(self, prompt: str, *states: str) -> None:
        """Return once the calls with this prompt have these states."""
        eventually(lambda: self.states(prompt), lambda seen: seen == list(states))


@contextmanager
def served_stub() -> Iterator[ServedStub]:
    """A stub model without delays."""
    model = StubModel()
    with bound_socket() as listener, serving(model.app, listener):
        yield ServedStub(model, f"http://127.0.0.1:{listener.getsockname()[1]}")
