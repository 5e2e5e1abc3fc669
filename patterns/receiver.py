"""The receiver of a webhook: it verifies callbacks, refuses old ones, and drops repeated ones.

Use it in your own endpoint::

    receiver = Receiver("whsec_…")

    @app.post("/hooks/agent")
    async def hook(request: Request) -> Response:
        try:
            callback = receiver.accept(request.headers, await request.body())
        except Refused as refused:
            return Response(str(refused), 400)
        if callback is not None:  # None: a repeated delivery
            ...  # put it in a queue, and respond: the sender waits at most 15 seconds
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
    """The delivery is not signed with the secret, is too old, or contains no finished task. Respond with 400."""


class Receiver:
    """Verifies deliveries that are signed as in Standard Webhooks. Pass several secrets while keys rotate.

    A timestamp may differ by five minutes at most. The last `remember` delivery ids are kept, to drop repeats.
    Raises `ValueError` if a secret is invalid, or if there is none.
    """

    def __init__(self, *secrets: str, remember: int = 10_000) -> None:
        if not secrets:
            raise ValueError("A receiver needs the sender's secret.")
        self._verifiers = [Webhook(_key(secret)) for secret in secrets]
        self._remember = remember
        self._seen: OrderedDict[str, None] = OrderedDict()

    def accept(self, headers: Mapping[str, str], body: bytes) -> Callback | None:
        """The callback in a request, or None if it was delivered before.

        Raises `Refused` if it cannot be trusted. If you fail to process the callback, call `forget` and respond with
        500: the sender will retry.
        """
        fields = {name.lower(): value for name, value in headers.items()}
        if not any(self._verifies(verifier, fields, body) for verifier in self._verifiers):
            raise Refused("The signature, the timestamp or the id of this delivery is missing, wrong or stale.")
        try:
            callback = Callback.model_validate_json(body)
        except ValidationError as error:
            raise Refused("The signature is valid, but the body is not a task.") from error
        if not callback.finished:
            raise Refused("The signature is valid, but the task is not finished.")
        webhook_id = fields["webhook-id"]
        if webhook_id in self._seen:
            return None
        self._seen[webhook_id] = None
        if len(self._seen) > self._remember:
            self._seen.popitem(last=False)
        return callback

    def forget(self, headers: Mapping[str, str]) -> None:
        """Forget a delivery, so that the next attempt is not dropped as a repeat."""
        self._seen.pop({name.lower(): value for name, value in headers.items()}.get("webhook-id", ""), None)

    @staticmethod
    def _verifies(verifier: Webhook, fields: Mapping[str, str], body: bytes) -> bool:
        try:
            verifier.verify(body, dict(fields))
        except (WebhookVerificationError, ValueError, binascii.Error):
            return False  # standardwebhooks 1.1 raises all three for invalid signatures
        return True


def _key(secret: str) -> bytes:
    """The bytes of a secret. Decoded here, because standardwebhooks 1.1 ignores characters that are not base64."""
    text = secret.removeprefix("whsec_")
    try:
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("a secret is whsec_ followed by a key in base64")
    return key
