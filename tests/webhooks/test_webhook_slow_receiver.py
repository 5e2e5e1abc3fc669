"""A receiver that does not answer holds up nothing but its own delivery."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse

from tests.support.answers import hang
from tests.support.scripted_server import Script, scripted_server
from tests.support.serving import Served
from tests.webhooks.callbacks import HOOK, TAKEN, delivery, submit, until_delivery, url_of


def test_a_receiver_that_hangs_delays_neither_the_tasks_nor_the_other_deliveries(
    patient: Served, script: Script
) -> None:
    script.on(HOOK, TAKEN)
    with scripted_server() as scripts:
        hanging = scripts.script().on(HOOK, hang)
        stuck = [submit(patient, url_of(hanging), "word*1") for _ in range(120)]  # more than are told at once
        for task_id in stuck:
            patient.until(task_id, "completed")
        hanging.until_seen(HOOK)

        for task_id in [submit(patient, url_of(script), "word*1") for _ in range(5)]:
            until_delivery(patient, task_id, "delivered")

        for task_id in stuck:
            assert delivery(patient, task_id)["attempts"] == [], "its first attempt ended before the others were told"


def test_an_answer_whose_body_never_ends_is_taken_by_its_status(
    patient: Served, new_script: Callable[[], Script]
) -> None:
    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536
            await asyncio.sleep(0)

    async def trickle() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    receivers = [new_script().on(HOOK, StreamingResponse(flood())), new_script().on(HOOK, StreamingResponse(trickle()))]
    tasks = [submit(patient, url_of(receiver), "word*1") for receiver in receivers]

    for task_id in tasks:
        told = until_delivery(patient, task_id, "delivered")
        assert [attempt["status_code"] for attempt in told["attempts"]] == [200]
