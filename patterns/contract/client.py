"""The base of an HTTP client: each request is sent once. When to send and when to retry is up to a subclass."""

from typing import Any, Self

import httpx

from patterns.contract.backoff import retry_after
from patterns.contract.client_errors import ClientError, TemporaryError
from patterns.contract.responses import cancelled_task, explanation
from patterns.contract.task import Task

#: Temporarily unavailable or overloaded (RFC 9110, 15.5.9 and 15.6; RFC 6585, 4): a client may retry.
_TEMPORARY = frozenset({408, 429, 502, 503, 504})


class ContractClient:
    """An asyncio client without retries. `read_timeout` is in seconds."""

    def __init__(self, base_url: str, http: httpx.AsyncClient | None, read_timeout: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = http or httpx.AsyncClient(timeout=httpx.Timeout(10.0, read=read_timeout))
        self._owns_http = http is None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, if this client opened them."""
        if self._owns_http:
            await self._http.aclose()

    async def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send one request; `content` is passed on to httpx. Raises `TemporaryError` or `ClientError`."""
        try:
            response = await self._http.request(method, f"{self._base_url}{path}", **content)
        except httpx.UnsupportedProtocol as error:
            raise ClientError(f"{self._base_url} is not an http or https URL.") from error
        except httpx.TransportError as error:
            raise TemporaryError(f"{self._base_url} cannot be reached ({type(error).__name__}).") from error
        if response.status_code in _TEMPORARY:
            raise TemporaryError(explanation(response), retry_after(response.headers))
        return response

    async def cancel(self, task_id: str) -> Task:
        """Cancel a task. Raises `TemporaryError`, or `ClientError` if the task has finished or is unknown."""
        return cancelled_task(await self.send("POST", f"/agent/cancel/{task_id}"))
