"""One attempt to deliver an outcome: a signed POST to the client's callback URL.

It follows Standard Webhooks (https://www.standardwebhooks.com): every attempt has the same `webhook-id` and a new
timestamp and signature; only 2xx acknowledges it; 410 stops the retries; `Retry-After` is obeyed.
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

#: Concurrent attempts in all, and to one receiver, so that a slow receiver does not delay the others.
MAX_CONCURRENT, MAX_CONCURRENT_PER_RECEIVER = 100, 20
#: How much of a response body is read, in bytes and seconds, so that the connection can be reused.
_BODY_BYTES, _BODY_SECONDS = 65_536, 1.0

FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, TimeoutError, OSError)


@dataclass(frozen=True)
class Attempt:
    """An attempt, and what it means. If it is neither `acknowledged` nor `refused`, a retry may succeed."""

    details: DeliveryAttempt
    retry_after: float = 0.0  # in seconds, from the response
    forbidden: bool = False  # this server may not connect to the address

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver responded with 2xx."""
        return self.details.status_code is not None and 200 <= self.details.status_code < 300

    @property
    def refused(self) -> bool:
        """Whether no retry can succeed: the receiver responded with 410 Gone, or its address is forbidden."""
        return self.forbidden or self.details.status_code == 410


class Sender:
    """Signs and sends one attempt at a time for each record, and keeps the connections. It does not retry."""

    def __init__(self, settings: Settings, max_concurrent: int = MAX_CONCURRENT) -> None:
        self._settings = settings
        self._signer = Webhook(settings.webhook_secret or "")
        self._slots = asyncio.Semaphore(max_concurrent)
        self._slots_of_receiver: WeakValueDictionary[bytes, asyncio.Semaphore] = WeakValueDictionary()
        self._pool = httpcore.AsyncConnectionPool(
            # Shared: httpcore would create a context for each connection, and load all certificates each time.
            ssl_context=httpcore.default_ssl_context(),
            max_connections=max_concurrent,
            keepalive_expiry=5.0,
            network_backend=GuardedNetwork(allow_private=settings.webhook_allow_private),
        )

    async def attempt(self, record: Record) -> Attempt:
        """POST the outcome to the callback URL of `record`, once a slot is free, for `webhook_timeout_seconds` at most.

        A failure is not raised: it is in the attempt.
        """
        url = httpx.URL(record.callback_url or "")
        receiver_slots = self._slots_of_receiver.setdefault(url.netloc, asyncio.Semaphore(MAX_CONCURRENT_PER_RECEIVER))
        async with receiver_slots, self._slots:
            return await self._attempt(record, url)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _attempt(self, record: Record, url: httpx.URL) -> Attempt:
        details, pause, body = DeliveryAttempt(at=datetime.now(UTC)), None, payload(record)
        try:
            with tracing().deliver(record.task_id, record.carrier) as trace_headers:
                async with asyncio.timeout(self._settings.webhook_timeout_seconds):
                    details.status_code, pause = await self._post(f"msg_{record.task_id}", url, body, trace_headers)
                tracing().delivery_responded(details.status_code)
        except ForbiddenAddress as error:
            details.error = str(error)
            return Attempt(details, forbidden=True)
        except FAILURES as error:
            details.error = f"{type(error).__name__}: {error}".removesuffix(": ")
        attempt = Attempt(details, pause or 0.0)
        if details.status_code is not None and not attempt.acknowledged:
            details.error = f"the receiver responded with {details.status_code}"
        return attempt

    async def _post(
        self, webhook_id: str, url: httpx.URL, body: bytes, trace_headers: Mapping[str, str]
    ) -> tuple[int, float | None]:
        """The status code of the response, and the seconds in its `Retry-After`."""
        now = datetime.now(UTC)
        headers: dict[bytes | str, bytes | str] = {
            "host": url.netloc,  # httpcore's default omits the brackets of an IPv6 address
            "content-type": "application/json",
            "user-agent": "longjobs-kit",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(webhook_id, now, body.decode()),
        }
        headers.update(trace_headers.items())
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        async with self._pool.stream("POST", target, headers=headers, content=body) as response:
            # Only the status counts. The body is read, within limits, so that the connection can be reused.
            with suppress(*FAILURES):
                async with asyncio.timeout(_BODY_SECONDS):
                    read = 0
                    async for chunk in response.aiter_stream():
                        read += len(chunk)
                        if read > _BODY_BYTES:
                            break
            fields = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return response.status, retry_after(fields)


def pause_after(number: int, attempt: Attempt, settings: Settings) -> float:
    """Seconds to wait after attempt `number`, counted from 1: exponential backoff with jitter.

    At least the receiver's `Retry-After`, and at most `webhook_max_pause_seconds`.
    """
    longest = settings.webhook_max_pause_seconds
    return min(
        longest, max(growing_jitter(number - 1, settings.webhook_first_pause_seconds, longest), attempt.retry_after)
    )
