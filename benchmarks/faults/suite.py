"""All contenders: a few at a time, because a fault is mostly waited for."""

import asyncio
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.fault_trials import FaultPlan, Subject, Tell, cells_of
from benchmarks.records.faults import FaultTrial, write_cells
from patterns import CELERY_QUEUE
from patterns.contract.descriptor import Pattern
from patterns.serving.rabbitmq_server import NoRabbitMQ, find_script

OVER_RABBITMQ = f"{CELERY_QUEUE.name}-rabbitmq"
_AT_ONCE = 3
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


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


def break_all(who: Sequence[Subject], wanted: FaultPlan, folder: Path, tell: Tell) -> list[FaultTrial]:
    """Injection everything, and write down what was counted; on an interrupt, what was counted so far."""
    cells: list[FaultTrial] = []

    def note(cell: FaultTrial) -> None:
        cells.append(cell)
        tell(cell)

    try:
        with _interrupts_kept():
            asyncio.run(_break_all(who, wanted, folder, note))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        places = {subject.name: place for place, subject in enumerate(who)}
        cells.sort(key=lambda cell: places[cell.contender])  # stable: its faults stay in order
        write_cells(folder, cells)
    return cells


@contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Who listened to Ctrl-C and SIGTERM before listens again after the block."""
    if not _in_main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


async def _break_all(who: Sequence[Subject], wanted: FaultPlan, folder: Path, note: Tell) -> None:
    me = asyncio.current_task()
    if me and _in_main_thread():
        for number in _INTERRUPTS:
            # Raised in a callback, KeyboardInterrupt would tear the loop apart: here it is a cancellation.
            asyncio.get_running_loop().add_signal_handler(number, me.cancel)
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(subject: Subject) -> None:
        async with turn:
            await cells_of(subject, wanted, folder, note)

    # Those with a broker take longest, and begin.
    await asyncio.gather(*(one(each) for each in sorted(who, key=lambda each: -len(each.pattern.needs))))
