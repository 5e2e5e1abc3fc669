"""The work of `kit submit`: send a prompt, show the progress, return the result."""

import asyncio
from contextlib import suppress

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from patterns.cli.receiving import CallbackHook, receiving
from patterns.contract import Task
from patterns.polling import ClientError, PollingClient, TaskCancelled, TaskFailed, completed

#: How long the server is asked to hold a response.
_HOLD_SECONDS = 20.0


class SubmitFailed(Exception):
    """The outcome of the task is unknown. The message says why and what to do."""


async def submit_and_wait(url: str, prompt: str, secret: str | None, deadline: float, console: Console) -> str:
    """The result of a task, by polling or, with a secret, by a verified callback.

    Raises `TaskFailed`, `TaskCancelled`, and `SubmitFailed` if the outcome is unknown.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        # The text comes from the server: it stays on one line, and its brackets are not markup.
        TextColumn("{task.fields[message]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
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
                row = bar.add_task("submitting", total=100, message="")

                def show(percent: int) -> None:
                    bar.update(row, completed=percent, description="working", refresh=True)

                def show_message(message: str) -> None:
                    bar.update(row, message=message, refresh=True)

                if secret is None:
                    task = await client.run(prompt, on_progress=show, on_message=show_message)
                else:
                    # There is no progress before the callback, so the bar only shows that time passes.
                    bar.update(row, total=None, description="waiting for the callback")
                    task = await _wait_for_callback(client, prompt, secret, deadline)
                return task.result or ""
    except (TaskFailed, TaskCancelled):
        raise
    except ClientError as error:
        raise SubmitFailed(error) from error


def _http(url: str) -> httpx.AsyncClient:
    """An HTTP client that uses the proxy of the environment, except for a server on this machine."""
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
    """Fail at once if no server responds: the client would retry, but a person should know now."""
    try:
        await http.get(f"{url.rstrip('/')}/health", timeout=5)
    except httpx.TransportError as error:
        raise SubmitFailed(
            f"No response from {url} ({type(error).__name__}). Start a server: kit serve in_memory_queue"
        ) from error


def _is_url(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host) and 0 < (parsed.port or 80) < 65536


async def _wait_for_callback(client: PollingClient, prompt: str, secret: str, deadline: float) -> Task:
    """Submit with a callback URL of this machine, and wait for the callback."""
    try:
        hook = CallbackHook(secret)
    except ValueError as error:
        raise SubmitFailed(f"--secret: {error}") from error
    ends_at = asyncio.get_running_loop().time() + deadline
    with receiving(hook) as callback_url:
        task = await client.submit(prompt, callback_url=callback_url)
        try:
            async with asyncio.timeout_at(ends_at):
                return completed(await hook.outcome)
        except TimeoutError:
            reason = "A callback arrived with an invalid signature: the server uses another secret. "
            raise SubmitFailed(
                f"No verified callback for task {task.task_id} within {deadline:g} s. {reason if hook.refused else ''}"
                f"GET /agent/status/{task.task_id} lists the attempts under delivery."
            ) from None
        except asyncio.CancelledError:
            with suppress(ClientError, httpx.HTTPError):
                await client.cancel(task.task_id)
            raise
