"""One attempt to deliver an outcome: a signed POST to the client's callback URL, and what the answer means.

As Standard Webhooks has it (https://www.standardwebhooks.com): the same `webhook-id` on every attempt, a
timestamp and a signature of each attempt's own, only 2xx is success, 410 means stop, `Retry-After` is honoured.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import httpcore
import httpx
from standardwebhooks import Webhook

from patterns.contract import DeliveryAttempt
from patterns.contract.backoff import growing_jitter, retry_after
from patterns.contract.settings import Settings
from patterns.observability.tracing import tracing
from patterns.tasks.record import Record
from patterns.webhooks.egress import ForbiddenAddress, GuardedNetwork
from patterns.webhooks.payload import payload

#: Attempts under way at once, and those of them that go to one receiver: a slow one delays no other.
AT_ONCE, AT_ONCE_TO_ONE_RECEIVER = 100, 20
#: How much of an answer's body is read, and for how long, so that its connection can be used again.
_ANSWER_BYTES, _ANSWER_SECONDS = 65_536, 1.0

FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, TimeoutError, OSError)


@dataclass(frozen=True)
class Attempt:
    """An attempt that was made, and how it is judged. Neither `acknowledged` nor `refused`: another may succeed."""

    made: DeliveryAttempt
    retry_after: float = 0.0  # the seconds that the receiver asks for
    forbidden: bool = False  # this server may not connect to that address

    @property
    def acknowledged(self) -> bool:
        """The receiver answered 2xx."""
        return self.made.status_code is not None and 200 <= self.made.status_code < 300

    @property
    def refused(self) -> bool:
        """No attempt can succeed: the receiver answered 410 Gone, or its address is forbidden."""
        return self.forbidden or self.made.status_code == 410


class Sender:
    """The connections to the receivers. It signs, sends and judges one attempt, and never retries."""

    def __init__(self, settings: Settings, at_once: int = AT_ONCE) -> None:
        self._settings = settings
        self._signer = Webhook(settings.webhook_secret or "")
        self._slots = asyncio.Semaphore(at_once)
        self._slots_of_receiver: WeakValueDictionary[bytes, asyncio.Semaphore] = WeakValueDictionary()
        self._pool = httpcore.AsyncConnectionPool(
            # One for all connections. httpcore would make one for each, and reads all certificates every time.
            ssl_context=httpcore.default_ssl_context(),
            max_connections=at_once,
            keepalive_expiry=5.0,
            network_backend=GuardedNetwork(allow_private=settings.webhook_allow_private),
        )

    async def attempt(self, record: Record) -> Attempt:
        """POST the outcome to the callback URL of `record`, when a slot is free.

        Then it takes no longer than `webhook_timeout_seconds`. A failure is in the attempt, and is not raised.
        """
        url = httpx.URL(record.callback_url or "")
        of_receiver = self._slots_of_receiver.setdefault(url.netloc, asyncio.Semaphore(AT_ONCE_TO_ONE_RECEIVER))
        async with of_receiver, self._slots:
            return await self._attempt(record, url)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _attempt(self, record: Record, url: httpx.URL) -> Attempt:
        made, pause, body = DeliveryAttempt(at=datetime.now(UTC)), None, payload(record)
        try:
            with tracing().deliver(record.task_id, record.carrier) as trace_headers:
                async with asyncio.timeout(self._settings.webhook_timeout_seconds):
                    made.status_code, pause = await self._post(f"msg_{record.task_id}", url, body, trace_headers)
                tracing().delivery_answered(made.status_code)
        except ForbiddenAddress as error:
            made.error = str(error)
            return Attempt(made, forbidden=True)
        except FAILURES as error:
            made.error = f"{type(error).__name__}: {error}".removesuffix(": ")
        attempt = Attempt(made, pause or 0.0)
        if made.status_code is not None and not attempt.acknowledged:
            made.error = f"the receiver answered {made.status_code}"
        return attempt

    async def _post(
        self, webhook_id: str, url: httpx.URL, body: bytes, more: Mapping[str, str]
    ) -> tuple[int, float | None]:
        """The status of the answer, and the seconds in its `Retry-After`."""
        now = datetime.now(UTC)
        headers: dict[bytes | str, bytes | str] = {
            "host": url.netloc,  # httpcore's own lacks the brackets of an IPv6 address
            "content-type": "application/json",
            "user-agent": "longjobs-kit",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(webhook_id, now, body.decode()),
        }
        headers.update(more.items())
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        async with self._pool.stream("POST", target, headers=headers, content=body) as answer:
            # The status is the answer. Its body is only read to keep the connection, and may never end.
            with suppress(*FAILURES):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    read = 0
                    async for chunk in answer.aiter_stream():
                        read += len(chunk)
                        if read > _ANSWER_BYTES:
                            break
            fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
            return answer.status, retry_after(fields)


def pause_after(number: int, attempt: Attempt, settings: Settings) -> float:
    """The seconds from attempt `number`, the first being 1, to the next: longer each time, with jitter.

    As long as the receiver asks for, if that is longer, but never longer than `webhook_max_pause_seconds`.
    """
    longest = settings.webhook_max_pause_seconds
    return min(
        longest, max(growing_jitter(number - 1, settings.webhook_first_pause_seconds, longest), attempt.retry_after)
    )
