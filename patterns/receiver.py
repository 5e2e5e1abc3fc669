"""The receiving end of a webhook: verify, refuse what is stale, drop what came before.

Use it in your own endpoint::

    receiver = Receiver("whsec_…")

    @app.post("/hooks/agent")
    async def hook(request: Request) -> Response:
        try:
            callback = receiver.accept(request.headers, await request.body())
        except Refused as refused:
            return Response(str(refused), 400)
        if callback is not None:  # None: this delivery came before, and was taken
            ...  # hand it to a queue, and answer: the sender waits 15 seconds, no longer
        return Response(status_code=204)
"""

import binascii
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Mapping

from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from patterns.contract import Callback


class Refused(Exception):
    """Not a delivery from the sender that holds the secret, or an old one played again. Answer 400."""


class Receiver:
    """Checks deliveries signed by Standard Webhooks; several secrets are for the time while keys rotate.

    A timestamp more than five minutes away is stale. Of `remember` delivery ids, repeats are known.
    Raises `ValueError` for a secret that is none, and when there is none.
    """

    def __init__(self, *secrets: str, remember: int = 10_000) -> None:
        if not secrets:
            raise ValueError("A receiver needs the sender's secret.")
        self._verifiers = [Webhook(_key(secret)) for secret in secrets]
        self._remember = remember
        self._seen: OrderedDict[str, None] = OrderedDict()

    def accept(self, headers: Mapping[str, str], body: bytes) -> Callback | None:
        """The callback in a request that is genuine, fresh and new; None if its delivery came before.

        Raises `Refused` for everything else. If handling it then fails, call `forget`, and answer 500.
        """
        fields = {name.lower(): value for name, value in headers.items()}
        if not any(self._verifies(verifier, fields, body) for verifier in self._verifiers):
            raise Refused("The signature, the timestamp or the id of this delivery is missing, wrong or stale.")
        try:
            callback = Callback.model_validate_json(body)
        except ValidationError as error:
            raise Refused("The body is signed, and is not a task.") from error
        if not callback.finished:
            raise Refused("The body is signed, and its task is not finished.")
        webhook_id = fields["webhook-id"]
        if webhook_id in self._seen:
            return None
        self._seen[webhook_id] = None
        if len(self._seen) > self._remember:
            self._seen.popitem(last=False)
        return callback

    def forget(self, headers: Mapping[str, str]) -> None:
        """Take a delivery back, so that its next attempt is not dropped as a repeat."""
        self._seen.pop({name.lower(): value for name, value in headers.items()}.get("webhook-id", ""), None)

    @staticmethod
    def _verifies(verifier: Webhook, fields: Mapping[str, str], body: bytes) -> bool:
        try:
            verifier.verify(body, dict(fields))
        except (WebhookVerificationError, ValueError, binascii.Error):
            return False  # standardwebhooks 1.1 raises all three for what somebody made up
        return True


def _key(secret: str) -> bytes:
    """The bytes of a secret. standardwebhooks 1.1 skips what is no base64, and so takes a mistyped secret."""
    text = secret.removeprefix("whsec_")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("a secret is whsec_ and a key in base64")
    return key
