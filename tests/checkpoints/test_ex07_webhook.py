"""Checkpoint 7: send the outcome in a signed callback, retry until it is acknowledged, and delay no other task.

The check is the receiver. It knows that a request is missing when a later request has arrived.
"""

import socket
import time

import pytest

from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import Inconclusive, Wrong
from tests.checkpoints.engine.http.scripted_server import Reply
from tests.checkpoints.engine.webhooks.callback import must_be_signed, must_report
from tests.checkpoints.engine.webhooks.deliveries import held_up_by, must_have_own_ids, next_second
from tests.checkpoints.engine.webhooks.delivery_pauses import pauses_grow
from tests.checkpoints.engine.webhooks.receiver import BUSY, CUT, SLOW, TAKEN, CallbackReply, Receiver
from tests.checkpoints.engine.webhooks.status_reader import StatusReader

pytestmark = pytest.mark.concurrent

#: Longer than any check lasts.
LONG = 60.0
#: More attempts than are made while a receiver is away, however short the pauses are.
MANY = 1000


@pytest.mark.points(2)
def test_the_outcome_is_delivered(environment: CheckEnvironment) -> None:
    """When the task is completed, the receiver gets the finished task, the same as in status."""
    receiver = environment.enter(Receiver(environment))
    app, reader = receiver.serve(), StatusReader(receiver)
    delivery = receiver.submit(reader.reply)
    run = app.started(delivery.task)
    early = bool(delivery.attempts)
    answer = app.finish(delivery.task, run)
    request = delivery.attempt()
    must_report(request, delivery.task.task_id)
    reader.could_have_read_it(delivery.task)
    if early:
        raise Wrong("CALLBACK_TOO_SOON", "the callback arrived while the agent was working")
    must_report(request, delivery.task.task_id, app.completed(delivery.task, answer))


@pytest.mark.points(2)
def test_a_failure_is_delivered_too(environment: CheckEnvironment) -> None:
    """When the agent fails, the receiver gets the failed task, with the error."""
    receiver = environment.enter(Receiver(environment))
    app, reader, message = receiver.serve(), StatusReader(receiver), "the model refused"
    delivery = receiver.submit(reader.reply)
    app.fail(delivery.task, app.started(delivery.task), message)
    try:
        request = delivery.attempt(expected="failed")
    except Wrong as wrong:
        if wrong.code != "CALLBACK_NOT_SENT":
            raise
        raise Wrong(
            "FAILURE_NOT_TOLD",
            wrong.seen,
            likely="the delivery starts only after the agent has returned, inside the `try`.",
            next_step="start it after the `try` and its `except`: a failure is an outcome too.",
        ) from None
    must_report(request, delivery.task.task_id)
    reader.could_have_read_it(delivery.task)
    record = app.until(delivery.task, "failed")
    if message not in str(record.get("error")):
        raise Wrong("FAILURE_NOT_TOLD", f'"error" is {record.get("error")!r}, but the agent raised {message!r}')
    must_report(request, delivery.task.task_id, record)


@pytest.mark.points(2)
def test_the_callback_is_signed(environment: CheckEnvironment) -> None:
    """A receiver with the secret can verify the callback, byte for byte."""
    receiver = environment.enter(Receiver(environment))
    app = receiver.serve()
    for _ in range(3):
        delivery = receiver.submit(TAKEN)
        agent = app.started(delivery.task)
        while not 0.51 < time.time() % 1 < 0.6:  # rounding and truncating now give different seconds
            time.sleep(0.005)
        second = int(time.time())
        app.finish(delivery.task, agent)
        must_be_signed(delivery.attempt(), receiver.secret)
        if int(time.time()) == second:  # otherwise it may have been signed in the next second, where both are the same
            break


@pytest.mark.points(2)
def test_an_attempt_without_a_2xx_is_retried(environment: CheckEnvironment) -> None:
    """It retries after every response except a 2xx, and follows no redirect."""
    receiver = environment.enter(Receiver(environment))
    receiver.serve()
    delivery = receiver.complete(CallbackReply(Reply(500)), CallbackReply(Reply(404)), receiver.elsewhere(), TAKEN)
    for number in range(1, 5):
        delivery.attempt(number)


def test_an_acknowledged_callback_is_not_sent_again(environment: CheckEnvironment) -> None:
    """After a 2xx, it sends nothing more, and the task does not change."""
    receiver = environment.enter(Receiver(environment))
    app = receiver.serve()
    # 226 is the least known 2xx: a hard-coded list does not contain it.
    taken = receiver.complete(receiver.held(Reply(226)), TAKEN)
    before = app.completed(taken.task)
    receiver.release()
    taken.attempt().answered.wait(app.time_limit)
    # A repeated attempt or a change of the task would come before the third attempt of a later delivery.
    later = receiver.complete(BUSY, BUSY, TAKEN)
    for number in (1, 2, 3):
        later.attempt(number)
    if len(taken.attempts) > 1:
        taken.note(2)
        raise Wrong("CALLBACK_REPEATED")
    taken.must_leave(before)


@pytest.mark.points(2)
def test_a_delivery_delays_no_other_task(environment: CheckEnvironment) -> None:
    """While a delivery pauses or waits, the only worker runs the next task, and its callback is sent."""
    receiver = environment.enter(Receiver(environment))
    app = receiver.serve(workers=1, first_pause=LONG, timeout=LONG)
    first = receiver.complete(BUSY)
    try:
        first.attempt()
    except Wrong as wrong:
        wrong.likely = "it pauses before the first attempt, and FIRST_PAUSE_SECONDS is long in this check."
        wrong.next_step = "make the first attempt at once: a pause comes between two attempts."
        raise
    with held_up_by(app, first):
        receiver.complete(receiver.silent).attempt()
        receiver.complete(TAKEN).attempt()


def test_an_unreachable_receiver_is_retried(environment: CheckEnvironment) -> None:
    """It retries if the receiver closes the connection or cannot be reached, and delivers once it is back."""
    receiver = environment.enter(Receiver(environment))
    app = receiver.serve(attempts=MANY)
    hangs_up = receiver.complete(CUT, TAKEN)
    hangs_up.attempt(1)
    hangs_up.attempt(2)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        port: int = unused.getsockname()[1]
        app.timeline.note("the receiver of the next task is not listening")
        away = receiver.complete(TAKEN, port=port)
        app.completed(away.task)
        began = time.monotonic()
        with held_up_by(app, away):
            receiver.complete(TAKEN).attempt()
            receiver.complete(TAKEN).attempt()
    try:
        receiver.listen(port)  # the attempts before these two were refused by now
    except OSError as error:
        raise Inconclusive(
            f"Another program took the receiver's port ({error.strerror}). Run the check again."
        ) from None
    app.timeline.note("the receiver listens again")
    try:
        away.attempt(later=2 * (time.monotonic() - began))  # a pause is as long as all pauses before it together
    except Wrong as wrong:
        code = "CALLBACK_NOT_RETRIED" if wrong.code == "CALLBACK_NOT_SENT" else wrong.code
        raise Wrong(code, "no further attempt arrives") from None


def test_an_attempt_without_a_response_is_given_up(environment: CheckEnvironment) -> None:
    """It gives up an attempt that gets no response in time, and retries."""
    receiver = environment.enter(Receiver(environment))
    seconds = 0.6  # longer than any gap between two bytes, even on a busy machine
    receiver.serve(timeout=seconds)
    delivery, slow = receiver.complete(receiver.silent, TAKEN), receiver.complete(SLOW, TAKEN)
    delivery.attempt()
    receiver.wait(lambda: len(delivery.attempts) > 1, seconds + receiver.app.time_limit)
    if len(delivery.attempts) == 1:
        receiver.release()
        receiver.wait(lambda: len(delivery.attempts) > 1, receiver.app.time_limit)
        if len(delivery.attempts) > 1:
            raise Wrong("DELIVERY_HANGS", "the next attempt comes only after the receiver has responded, far too late")
    delivery.attempt(2)
    slow.attempt()
    try:
        slow.attempt(2, later=seconds)
    except Wrong as wrong:
        if wrong.code != "CALLBACK_NOT_RETRIED":
            raise
        raise Wrong(
            "DELIVERY_HANGS",
            f"ATTEMPT_TIMEOUT_SECONDS is {seconds:g}, but nothing ends this attempt",
            likely="only the client has a `timeout`, and it limits each read: every byte arrives in time.",
            next_step="put `asyncio.timeout(ATTEMPT_TIMEOUT_SECONDS)` around the attempt, and catch its TimeoutError.",
        ) from None


def test_the_pauses_grow(environment: CheckEnvironment) -> None:
    """There is a pause between two attempts, and the pauses double."""
    pauses_grow(environment)


@pytest.mark.points(2)
def test_each_attempt_has_its_own_signature(environment: CheckEnvironment) -> None:
    """Every attempt has the same id and body, and its own timestamp and signature."""
    receiver = environment.enter(Receiver(environment))
    receiver.serve()
    delivery = receiver.complete(CallbackReply(Reply(503), "503, in the next second", next_second), TAKEN)
    first = delivery.attempt()
    must_be_signed(first, receiver.secret)
    other = receiver.complete(TAKEN).attempt()
    second = delivery.attempt(2, later=2)
    must_have_own_ids(first, second, other)
    if second.body != first.body:
        raise Wrong(
            "CALLBACK_WRONG",
            "the second attempt has the id of the first, but a different body",
            likely="the body is encoded inside the loop, and differs each time.",
            next_step="encode the body once, before the loop: a receiver that knows the id ignores a new body.",
        )
    must_be_signed(second, receiver.secret)
    if int(second.headers["webhook-timestamp"]) <= int(first.headers["webhook-timestamp"]):
        raise Wrong(
            "CALLBACK_STALE",
            "the second attempt has the timestamp of the first",
            likely="the headers are created once, and every attempt sends the same.",
            next_step="take a new time and sign again for each attempt: they may be hours apart.",
        )


def test_it_gives_up_and_does_not_change_the_task(environment: CheckEnvironment) -> None:
    """After the last attempt it gives up, the task does not change, and the server keeps working."""
    receiver = environment.enter(Receiver(environment))
    attempts = 3
    app = receiver.serve(attempts=attempts)
    first = receiver.complete(receiver.held(CUT.answer, CUT.description), CUT)
    before = app.completed(first.task)
    receiver.release()
    for number in range(1, attempts + 1):
        try:
            first.attempt(number)
        except Wrong as wrong:
            if number == attempts:
                wrong.likely = f"ATTEMPTS is {attempts}, but the loop makes one attempt less."
                wrong.next_step = "count all attempts, including the first: `range(ATTEMPTS)`."
            raise
    # A fourth attempt would come before the last attempts of later deliveries.
    later = []
    for _ in range(3):
        later.append(receiver.complete(BUSY))
        for number in range(1, attempts + 1):
            later[-1].attempt(number)
    for delivery in (first, later[0]):
        if len(delivery.attempts) > attempts:
            delivery.note(attempts + 1)
            raise Wrong("NEVER_ENOUGH", f"ATTEMPTS is {attempts}")
    first.must_leave(before)
