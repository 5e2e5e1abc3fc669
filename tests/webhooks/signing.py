"""The secret that the servers of these tests sign with, and how a callback is verified."""

from typing import Any

from standardwebhooks import Webhook

from patterns.contract.settings import new_webhook_secret
from tests.support.scripted_server import Seen

SECRET = new_webhook_secret()


def verified(request: Seen) -> dict[str, Any]:
    """The callback in a request, verified by the reference library."""
    body: dict[str, Any] = Webhook(SECRET).verify(request.body, dict(request.headers))
    return body
