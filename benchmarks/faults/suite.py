"""Injects every fault into every contender, a few contenders at a time, because fault trials mostly wait."""

import asyncio
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults.fault_trials import FaultPlan, OnTrial, Subject, run_fault_trials
from benchmarks.records.faults import FaultTrial, write_fault_trials
from patterns import CELERY_QUEUE
from patterns.contract.descriptor import Pattern
from patterns.serving.rabbitmq_server import NoRabbitMQ, find_script

OVER_RABBITMQ = f"{CELERY_QUEUE.name}-rabbitmq"
_AT_ONCE = 3
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


def subjects(patterns: Sequence[Pattern]) -> list[Subject]:
    """The patterns as subjects; celery_queue also over RabbitMQ, if it is installed."""
    all_subjects = [Subject(pattern.name, pattern) for pattern in patterns]
    if CELERY_QUEUE in patterns and has_rabbitmq():
        over_rabbitmq = Subject(OVER_RABBITMQ, CELERY_QUEUE, over_rabbitmq=True)
        all_subjects.insert(patterns.index(CELERY_QUEUE) + 1, over_rabbitmq)
    return all_subjects


def has_rabbitmq() -> bool:
    """Whether a private RabbitMQ can be started on this machine."""
    try:
        return bool(find_script())
    except NoRabbitMQ:
        return False


def inject_all(all_subjects: Sequence[Subject], plan: FaultPlan, folder: Path, on_trial: OnTrial) -> list[FaultTrial]:
    """Run every fault trial and write the results; on an interrupt, the results so far."""
    trials: list[FaultTrial] = []

    def record(trial: FaultTrial) -> None:
        trials.append(trial)
        on_trial(trial)

    try:
        with _interrupts_kept():
            asyncio.run(_inject_all(all_subjects, plan, folder, record))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        places = {subject.name: place for place, subject in enumerate(all_subjects)}
        trials.sort(key=lambda trial: places[trial.contender])  # stable: its faults stay in order
        write_fault_trials(folder, trials)
    return trials


@contextmanager
def _interrupts_kept() -> Iterator[None]:
    """Restore the handlers of Ctrl-C and SIGTERM after the block."""
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


async def _inject_all(all_subjects: Sequence[Subject], plan: FaultPlan, folder: Path, on_trial: OnTrial) -> None:
    this_task = asyncio.current_task()
    if this_task and _in_main_thread():
        for number in _INTERRUPTS:
            # A KeyboardInterrupt in a callback would break the loop; a cancellation ends it cleanly.
            asyncio.get_running_loop().add_signal_handler(number, this_task.cancel)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def run(subject: Subject) -> None:
        async with slots:
            await run_fault_trials(subject, plan, folder, on_trial)

    # Subjects with a broker take longest, so they start first.
    longest_first = sorted(all_subjects, key=lambda subject: -len(subject.pattern.needs))
    await asyncio.gather(*map(run, longest_first))
