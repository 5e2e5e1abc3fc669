"""A receiver that does not answer holds up nothing but its own delivery."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse

from tests.support.callback_receiver import CallbackReceiver
from tests.support.scripted_server import hang, scripted_server
from tests.support.serving import Served


def test_a_receiver_that_hangs_delays_neither_the_tasks_nor_the_other_deliveries(
    patient: Served, receiver: CallbackReceiver
) -> None:
    with scripted_server() as scripts:
        hanging = CallbackReceiver(scripts.script()).answers(hang)
        stuck = [patient.accept("word*1", callback_url=hanging.url) for _ in range(120)]  # more than are sent at once
        for task_id in stuck:
            patient.until(task_id, "completed")
        hanging.until_seen()

        for task_id in [patient.accept("word*1", callback_url=receiver.url) for _ in range(5)]:
            patient.until_delivery(task_id)

        for task_id in stuck:
            assert patient.delivery(task_id)["attempts"] == [], "it ended before the others were delivered"


def test_of_an_answer_whose_body_never_ends_only_the_status_counts(
    patient: Served, new_receiver: Callable[[], CallbackReceiver]
) -> None:
    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0)

    async def trickle() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    receivers = [
        new_receiver().answers(StreamingResponse(flood())),
        new_receiver().answers(StreamingResponse(trickle())),
    ]
    tasks = [patient.accept("word*1", callback_url=receiver.url) for receiver in receivers]

    for task_id in tasks:
        delivered = patient.until_delivery(task_id)
        assert [attempt["status_code"] for attempt in delivered["attempts"]] == [200]
