"""The client, against the running service."""

import asyncio

import pytest

from patterns.cli.copying.service.tests.serving import Service
from patterns.contract import Task
from patterns.polling import PollingClient, TaskFailed


def test_the_client_returns_the_completed_task_and_reports_progress(service: Service) -> None:
    reported: list[int] = []
    task = asyncio.run(run(service, "compare the vendors", reported))
    assert task.result
    assert reported == sorted(reported)
    assert reported[-1] == 100


def test_the_client_raises_when_the_task_failed(service: Service) -> None:
    with pytest.raises(TaskFailed) as raised:
        asyncio.run(run(service, "fail: on purpose", []))
    assert raised.value.task is not None


async def run(service: Service, prompt: str, reported: list[int]) -> Task:
    """Run one task to its end."""
    async with PollingClient(service.url, deadline=30) as client:
        return await client.run(prompt, on_progress=reported.append)
