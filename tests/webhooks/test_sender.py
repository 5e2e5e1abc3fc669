"""What one attempt to deliver an outcome costs the process that makes it."""

import socket
import ssl
from collections.abc import Iterator

import pytest

from patterns.contract.settings import Settings, new_webhook_secret
from patterns.tasks.record import Record
from patterns.webhooks.sender import Sender


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port on which no one answers in TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_the_certificates_are_read_once_for_all_connections(deaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a twentieth of a second of the event loop's time."""
    read: list[object] = []
    real = ssl.SSLContext.load_verify_locations

    def counted(self: ssl.SSLContext, *args: object, **kwargs: object) -> None:
        read.append(self)
        real(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    settings = Settings(webhook_secret=new_webhook_secret(), webhook_allow_private=True, webhook_timeout_seconds=0.1)
    sender = Sender(settings, max_concurrent=2)
    record = Record("7f3a", 0.0, callback_url=f"https://127.0.0.1:{deaf}/hook")
    for _ in range(3):
        attempt = await sender.attempt(record)
        assert attempt.details.error
        assert (attempt.acknowledged, attempt.refused) == (False, False)
    await sender.aclose()

    assert len(read) == 1
