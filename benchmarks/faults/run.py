"""All contenders: a few at a time, because a fault is mostly waited for."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.faults.cells import Faults, Subject, Tell, cells_of
from benchmarks.faults.record import Cell, write_cells
from patterns import CELERY_QUEUE
from patterns.descriptor import Pattern
from patterns.rabbitmq_server import NoRabbitMQ, find_script

OVER_RABBITMQ = f"{CELERY_QUEUE.name}-rabbitmq"
_AT_ONCE = 3


def subjects(patterns: Sequence[Pattern]) -> list[Subject]:
    """These, and celery_queue over RabbitMQ too where there is one."""
    found = [Subject(pattern.name, pattern) for pattern in patterns]
    if CELERY_QUEUE in patterns and has_rabbitmq():
        found.insert(patterns.index(CELERY_QUEUE) + 1, Subject(OVER_RABBITMQ, CELERY_QUEUE, over_rabbitmq=True))
    return found


def has_rabbitmq() -> bool:
    """Whether this machine has what a private RabbitMQ is started from."""
    try:
        return bool(find_script())
    except NoRabbitMQ:
        return False


def break_all(who: Sequence[Subject], wanted: Faults, folder: Path, tell: Tell) -> list[Cell]:
    """Break everything, and write down what was counted; on an interrupt, what was counted so far."""
    cells: list[Cell] = []

    def note(cell: Cell) -> None:
        cells.append(cell)
        tell(cell)

    try:
        asyncio.run(_break_all(who, wanted, folder, note))
    finally:
        places = {subject.name: place for place, subject in enumerate(who)}
        cells.sort(key=lambda cell: places[cell.contender])  # stable: its faults stay in order
        write_cells(folder, cells)
    return cells


async def _break_all(who: Sequence[Subject], wanted: Faults, folder: Path, note: Tell) -> None:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(subject: Subject) -> None:
        async with turn:
            await cells_of(subject, wanted, folder, note)

    # Those with a broker take longest, and begin.
    await asyncio.gather(*(one(each) for each in sorted(who, key=lambda each: -len(each.pattern.needs))))
