"""One attempt to tell an outcome: a signed POST to the client's callback URL.

As Standard Webhooks has it (https://www.standardwebhooks.com): the same `webhook-id` on every attempt, a
timestamp and a signature of each attempt's own, only 2xx is success, 410 means stop, `Retry-After` is honoured.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import httpcore
import httpx
from standardwebhooks import Webhook

from patterns.contract import Callback, DeliveryAttempt, DeliveryState, Task
from patterns.contract.backoff import growing_jitter, retry_after
from patterns.contract.settings import Settings
from patterns.observability.tracing import Carrier, tracing
from patterns.webhooks.egress import ForbiddenAddress, GuardedNetwork

#: Standard Webhooks: keep payloads under 20 kB.
MOST_BYTES = 20_000
#: How much of an answer's body is read, and for how long, so that its connection can be used again.
_ANSWER_BYTES, _ANSWER_SECONDS = 65_536, 1.0
#: The attempts that are shown of one delivery; of more, the last ones.
ATTEMPTS_SHOWN = 20

FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, TimeoutError, OSError)


@dataclass(frozen=True)
class Attempted:
    """What came of one attempt. `state` is `waiting` when it is worth another one."""

    attempt: DeliveryAttempt
    state: DeliveryState
    asked_for: float | None = None  # the pause that the receiver asked for, in seconds


class Caller:
    """Calls receivers, and never an address that is not public unless that is allowed."""

    def __init__(self, settings: Settings, at_once: int) -> None:
        self._settings = settings
        self._signer = Webhook(settings.webhook_secret or "")
        self._pool = httpcore.AsyncConnectionPool(
            # One for all connections. httpcore would make one for each, and reads all certificates every time.
            ssl_context=httpcore.default_ssl_context(),
            max_connections=at_once,
            keepalive_expiry=5.0,
            network_backend=GuardedNetwork(allow_private=settings.webhook_allow_private),
        )

    async def attempt(self, task_id: str, url: httpx.URL, body: bytes, carrier: Carrier) -> Attempted:
        """One POST, and what came of it. It takes no longer than `webhook_timeout_seconds`, and raises nothing.

        `carrier` is what continues the trace of the task, at the receiver too.
        """
        attempt = DeliveryAttempt(at=datetime.now(UTC))
        try:
            with tracing().deliver(task_id, carrier) as more:
                async with asyncio.timeout(self._settings.webhook_timeout_seconds):
                    attempt.status_code, asked_for = await self._post(f"msg_{task_id}", url, body, more)
                tracing().told(attempt.status_code)
        except ForbiddenAddress as error:
            attempt.error = str(error)
            return Attempted(attempt, DeliveryState.DEAD)
        except FAILURES as error:
            attempt.error = f"{type(error).__name__}: {error}".removesuffix(": ")
            return Attempted(attempt, DeliveryState.WAITING)
        if 200 <= attempt.status_code < 300:
            return Attempted(attempt, DeliveryState.DELIVERED)
        attempt.error = f"the receiver answered {attempt.status_code}"
        gone = attempt.status_code == 410
        return Attempted(attempt, DeliveryState.DEAD if gone else DeliveryState.WAITING, asked_for)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _post(
        self, webhook_id: str, url: httpx.URL, body: bytes, more: Mapping[str, str]
    ) -> tuple[int, float | None]:
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


def what_next(settings: Settings, number: int, attempted: Attempted) -> tuple[DeliveryState, float]:
    """How far a delivery is after attempt `number`, the first being 1, and the seconds to the next one if it waits."""
    state, pause = attempted.state, 0.0
    if state is DeliveryState.WAITING:
        if number >= settings.webhook_attempts:
            state = DeliveryState.DEAD
        else:
            first, longest = settings.webhook_first_pause_seconds, settings.webhook_max_pause_seconds
            pause = min(longest, max(growing_jitter(number - 1, first, longest), attempted.asked_for or 0.0))
    return state, pause


def payload(task: Task) -> bytes:
    """The bytes that tell the outcome of `task`."""
    told = task.model_dump(include=set(Task.model_fields))
    body = Callback(**told).model_dump_json().encode()
    if len(body) > MOST_BYTES:
        body = Callback(**told | {"result": None}, result_at=f"/agent/status/{task.task_id}").model_dump_json().encode()
    return body
