"""How many tasks run at once, and in which order."""

import asyncio

from patterns.tasks.slots import Slots


async def waiting(slots: Slots, *task_ids: str) -> list[asyncio.Task[bool]]:
    """Tasks that wait for a slot, in this order."""
    tasks = [asyncio.create_task(slots.acquire(task_id)) for task_id in task_ids]
    await asyncio.sleep(0)
    return tasks


async def test_free_slots_are_taken_immediately() -> None:
    slots = Slots(2)

    first, second, third = await waiting(slots, "first", "second", "third")

    assert (first.done(), second.done(), third.done()) == (True, True, False)
    slots.release()
    assert await third


async def test_a_free_slot_goes_to_the_task_that_has_waited_longest() -> None:
    slots = Slots(1)
    _, second, third = await waiting(slots, "first", "second", "third")

    slots.release()

    assert await second
    assert not third.done()


async def test_a_discarded_task_stops_waiting_and_takes_no_slot() -> None:
    slots = Slots(1)
    _, second, third = await waiting(slots, "first", "second", "third")

    slots.discard("second")

    assert not await second
    assert not third.done()
    slots.release()
    assert await third


async def test_a_task_that_does_not_wait_cannot_be_discarded() -> None:
    slots = Slots(1)
    await waiting(slots, "runs")

    slots.discard("runs")
    slots.discard("never seen")

    (second,) = await waiting(slots, "second")
    assert not second.done()
    slots.release()
    assert await second


async def test_a_slot_skips_tasks_that_were_cancelled_while_they_waited() -> None:
    slots = Slots(1)
    _, second, third = await waiting(slots, "first", "second", "third")

    second.cancel()
    slots.release()

    assert await third
    slots.discard("second")
