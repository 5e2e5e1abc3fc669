"""The engine's public surface: all that the course imports. It is imported first, so it must import fast."""

from tests.checkpoints.engine.diagnosis.outcome import Outcome, Verdict
from tests.checkpoints.engine.processes.fork_server import ForkServer

__all__ = ["ForkServer", "Outcome", "Verdict", "why_unreachable"]


def why_unreachable(url: str) -> str:
    """Why no server responds at a URL, and what to do, in one line; empty if one does, whatever the response."""
    from tests.checkpoints.engine.http import http_client  # most checks need no HTTP client in this process so early

    return http_client.why_unreachable(url)
