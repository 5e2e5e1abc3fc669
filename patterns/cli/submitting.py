"""What `kit submit` does: send a prompt, show how far it is, give the result."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import uvicorn
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from patterns.contract import Callback, Task
from patterns.polling import ClientError, PollingClient, TaskCancelled, TaskFailed, completed
from patterns.receiver import Receiver, Refused
from patterns.serving.sockets import listening_socket

#: Enough for any callback: the sender keeps them under 20 kB.
_MOST_BYTES = 100_000


#: How long the server is asked to hold an answer.
_HOLD_SECONDS = 20.0


class SubmitFailed(Exception):
    """The outcome of the task is unknown. The message says why, and what to do."""


async def submit_and_wait(url: str, prompt: str, secret: str | None, deadline: float, console: Console) -> str:
    """The result of a task: learnt by polling or, with a secret, by a verified callback.

    Raises `TaskFailed` and `TaskCancelled` when the task ended so, and `SubmitFailed`.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    if not _is_url(url):
        raise SubmitFailed(f"--url {url}: write it as http://host:port")
    try:
        async with _http(url) as http, PollingClient(url, deadline=deadline, http=http, hold=_HOLD_SECONDS) as client:
            await _check(url, http)
            with bar:
                row = bar.add_task("submitting", total=100)

                def show(percent: int) -> None:
                    bar.update(row, completed=percent, description="working")

                if secret is None:
                    task = await client.run(prompt, on_progress=show)
                else:
                    # Who is called back knows nothing until then: the bar only shows that time goes by.
                    bar.update(row, total=None, description="waiting for the callback")
                    task = await _learn_by_callback(client, prompt, secret, deadline)
                return task.result or ""
    except (TaskFailed, TaskCancelled):
        raise
    except ClientError as error:
        raise SubmitFailed(error) from error


def _http(url: str) -> httpx.AsyncClient:
    """An HTTP client, by way of the proxy that the environment names; never for a server on this machine."""
    is_local = httpx.URL(url).host in {"localhost", "127.0.0.1", "::1"}
    timeout = httpx.Timeout(10.0, read=_HOLD_SECONDS + 10.0)
    try:
        return httpx.AsyncClient(timeout=timeout, trust_env=not is_local)
    except (ImportError, OSError, ValueError) as error:
        raise SubmitFailed(
            f"Cannot use the proxy or the certificates that the environment names: {error} "
            "Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."
        ) from error


async def _check(url: str, http: httpx.AsyncClient) -> None:
    """Say at once that no server is there: a client in a program would retry, a person wants to know."""
    try:
        await http.get(f"{url.rstrip('/')}/health", timeout=5)
    except httpx.TransportError as error:
        raise SubmitFailed(
            f"No answer from {url} ({type(error).__name__}). Start a server: kit serve in_memory_queue"
        ) from error


def _is_url(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host) and 0 < (parsed.port or 80) < 65536


async def _learn_by_callback(client: PollingClient, prompt: str, secret: str, deadline: float) -> Task:
    """Submit with a callback URL of this machine, and wait until the server has called it."""
    told: asyncio.Future[Callback] = asyncio.get_running_loop().create_future()
    try:
        receiver = Receiver(secret)
    except ValueError as error:
        raise SubmitFailed(f"--secret: {error}") from error
    refused: list[Refused] = []
    ends_at = asyncio.get_running_loop().time() + deadline
    with _receiving(receiver, told, refused) as callback_url:
        task = await client.submit(prompt, callback_url=callback_url)
        try:
            async with asyncio.timeout_at(ends_at):
                return completed(await told)
        except TimeoutError:
            why = (
                "A callback arrived, but its signature is invalid: the server uses another secret. " if refused else ""
            )
            raise SubmitFailed(
                f"No verified callback for task {task.task_id} within {deadline:g} s. {why}"
                f"GET /agent/status/{task.task_id} lists the attempts under delivery."
            ) from None
        except asyncio.CancelledError:
            with suppress(ClientError, httpx.HTTPError):
                await client.cancel(task.task_id)
            raise


@contextmanager
def _receiving(receiver: Receiver, told: asyncio.Future[Callback], refused: list[Refused]) -> Iterator[str]:
    """A receiver on loopback, in a thread of its own; gives its URL, and tells the first genuine callback."""
    loop = asyncio.get_running_loop()

    def tell(callback: Callback) -> None:
        if not told.done():
            told.set_result(callback)

    async def hook(request: Request) -> Response:
        try:
            callback = receiver.accept(request.headers, await request.body())
        except Refused as error:
            refused.append(error)
            return Response(str(error), 400)
        if callback is not None:
            loop.call_soon_threadsafe(tell, callback)
        return Response(status_code=204)

    app = Starlette(routes=[Route("/callback", hook, methods=["POST"])], max_body_size=_MOST_BYTES)
    listener = listening_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, workers=1, log_level="error", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/callback"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
