"""Checkpoint 7: tell the outcome, signed, again until it is taken, and hold up nobody with it.

The check plays the receivers. That something does not come is known when what must come later has come.
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
def test_the_outcome_is_told(environment: CheckEnvironment) -> None:
    """When the task is completed, its receiver is told: the finished task, as status tells it too."""
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
        raise Wrong("CALLBACK_TOO_SOON", "it came while the agent was at work")
    must_report(request, delivery.task.task_id, app.completed(delivery.task, answer))


@pytest.mark.points(2)
def test_a_failure_is_told_too(environment: CheckEnvironment) -> None:
    """When the agent fails, the receiver is told that too, with the error."""
    receiver = environment.enter(Receiver(environment))
    app, reader, message = receiver.serve(), StatusReader(receiver), "the model refused"
    delivery = receiver.submit(reader.reply)
    app.fail(delivery.task, app.started(delivery.task), message)
    try:
        request = delivery.attempt(wanted="failed")
    except Wrong as wrong:
        if wrong.code != "CALLBACK_NOT_SENT":
            raise
        raise Wrong(
            "FAILURE_NOT_TOLD",
            wrong.seen,
            likely="the delivery is begun only where the agent has returned, inside the `try`.",
            next_step="begin it after the `try` and its `except`: a failure is an outcome too.",
        ) from None
    must_report(request, delivery.task.task_id)
    reader.could_have_read_it(delivery.task)
    record = app.until(delivery.task, "failed")
    if message not in str(record.get("error")):
        raise Wrong("FAILURE_NOT_TOLD", f'"error" is {record.get("error")!r}, and the agent had said {message!r}')
    must_report(request, delivery.task.task_id, record)


@pytest.mark.points(2)
def test_the_callback_is_signed(environment: CheckEnvironment) -> None:
    """Whoever holds the secret can verify the callback, byte for byte."""
    receiver = environment.enter(Receiver(environment))
    app = receiver.serve()
    for _ in range(3):
        delivery = receiver.submit(TAKEN)
        agent = app.started(delivery.task)
        while not 0.51 < time.time() % 1 < 0.6:  # who rounds has another second now than who leaves the fraction out
            time.sleep(0.005)
        second = int(time.time())
        app.finish(delivery.task, agent)
        must_be_signed(delivery.attempt(), receiver.secret)
        if int(time.time()) == second:  # else it may have been signed in the next one, where both are the same
            break


@pytest.mark.points(2)
def test_what_is_not_taken_is_sent_again(environment: CheckEnvironment) -> None:
    """Every answer but a 2xx means: again. No redirect is followed."""
    receiver = environment.enter(Receiver(environment))
    receiver.serve()
    delivery = receiver.complete(CallbackReply(Reply(500)), CallbackReply(Reply(404)), receiver.elsewhere(), TAKEN)
    for number in range(1, 5):
        delivery.attempt(number)


def test_what_is_taken_is_not_sent_again(environment: CheckEnvironment) -> None:
    """Once any 2xx has come, nothing more is sent, and the task is what it was."""
    receiver = environment.enter(Receiver(environment))
    app = receiver.serve()
    # 226 is the least known of them: whoever has made a list misses it.
    taken = receiver.complete(receiver.held(Reply(226)), TAKEN)
    before = app.completed(taken.task)
    receiver.release()
    taken.attempt().answered.wait(app.time_limit)
    # Its next attempt, and what is done to the task, would come before the third of a delivery that began later.
    later = receiver.complete(BUSY, BUSY, TAKEN)
    for number in (1, 2, 3):
        later.attempt(number)
    if len(taken.attempts) > 1:
        taken.note(2)
        raise Wrong("CALLBACK_REPEATED")
    taken.must_leave(before)


@pytest.mark.points(2)
def test_a_delivery_holds_up_nobody(environment: CheckEnvironment) -> None:
    """One worker: while a delivery pauses, or waits for its receiver, the next task is worked on and told."""
    receiver = environment.enter(Receiver(environment))
    app = receiver.serve(workers=1, first_pause=LONG, timeout=LONG)
    first = receiver.complete(BUSY)
    try:
        first.attempt()
    except Wrong as wrong:
        wrong.likely = "it pauses before the first attempt, and FIRST_PAUSE_SECONDS is long this time."
        wrong.next_step = "make the first attempt at once: the pauses are between two attempts."
        raise
    with held_up_by(app, first):
        receiver.complete(receiver.silent).attempt()
        receiver.complete(TAKEN).attempt()


def test_a_receiver_that_is_away_is_called_again(environment: CheckEnvironment) -> None:
    """A receiver that hangs up, or cannot be reached, is called again, and told once it is back."""
    receiver = environment.enter(Receiver(environment))
    app = receiver.serve(attempts=MANY)
    hangs_up = receiver.complete(CUT, TAKEN)
    hangs_up.attempt(1)
    hangs_up.attempt(2)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: whoever calls is refused
        port: int = nobody.getsockname()[1]
        app.timeline.note("nobody listens where the receiver of the next task should be")
        away = receiver.complete(TAKEN, port=port)
        app.completed(away.task)
        began = time.monotonic()
        with held_up_by(app, away):
            receiver.complete(TAKEN).attempt()
            receiver.complete(TAKEN).attempt()
    try:
        receiver.listen(port)  # what was begun before these two has been refused by now
    except OSError as error:
        raise Inconclusive(f"The port of the receiver was taken meanwhile ({error.strerror}).") from None
    app.timeline.note("now somebody listens there")
    try:
        away.attempt(later=2 * (time.monotonic() - began))  # a pause is as long as all before it together
    except Wrong as wrong:
        code = "CALLBACK_NOT_RETRIED" if wrong.code == "CALLBACK_NOT_SENT" else wrong.code
        raise Wrong(code, "no attempt comes") from None


def test_a_silent_receiver_is_not_waited_for(environment: CheckEnvironment) -> None:
    """A receiver that takes the call and does not answer in time is given up, and called again."""
    receiver = environment.enter(Receiver(environment))
    seconds = 0.6  # no pause between two bytes is as long, however busy the machine
    receiver.serve(timeout=seconds)
    delivery, slow = receiver.complete(receiver.silent, TAKEN), receiver.complete(SLOW, TAKEN)
    delivery.attempt()
    receiver.wait(lambda: len(delivery.attempts) > 1, seconds + receiver.app.time_limit)
    if len(delivery.attempts) == 1:
        receiver.release()
        receiver.wait(lambda: len(delivery.attempts) > 1, receiver.app.time_limit)
        if len(delivery.attempts) > 1:
            raise Wrong("DELIVERY_HANGS", "only when it answers at last, far too late, the next attempt is made")
    delivery.attempt(2)
    slow.attempt()
    try:
        slow.attempt(2, later=seconds)
    except Wrong as wrong:
        if wrong.code != "CALLBACK_NOT_RETRIED":
            raise
        raise Wrong(
            "DELIVERY_HANGS",
            f"ATTEMPT_TIMEOUT_SECONDS is {seconds:g}, and nothing ends this attempt",
            likely="the client alone has the time, and its `timeout` is for each wait: each byte comes in time.",
            next_step="put `asyncio.timeout(ATTEMPT_TIMEOUT_SECONDS)` around the attempt, and catch its TimeoutError.",
        ) from None


def test_the_pauses_grow(environment: CheckEnvironment) -> None:
    """Between two attempts is a pause, and the pauses double."""
    pauses_grow(environment)


@pytest.mark.points(2)
def test_each_attempt_is_signed_anew(environment: CheckEnvironment) -> None:
    """Every attempt has the id and the body of its delivery, and a timestamp and a signature of its own."""
    receiver = environment.enter(Receiver(environment))
    receiver.serve()
    delivery = receiver.complete(CallbackReply(Reply(503), "503, once another second has begun", next_second), TAKEN)
    first = delivery.attempt()
    must_be_signed(first, receiver.secret)
    other = receiver.complete(TAKEN).attempt()
    second = delivery.attempt(2, later=2)
    must_have_own_ids(first, second, other)
    if second.body != first.body:
        raise Wrong(
            "CALLBACK_WRONG",
            "the second attempt has the id of the first, and another body",
            likely="the body is made inside the loop, and is not the same each time.",
            next_step="make the bytes once, before the loop: whoever knows the id by now will not look at them again.",
        )
    must_be_signed(second, receiver.secret)
    if int(second.headers["webhook-timestamp"]) <= int(first.headers["webhook-timestamp"]):
        raise Wrong(
            "CALLBACK_STALE",
            "the second attempt has the timestamp of the first",
            likely="the headers are made once, and every attempt sends the same.",
            next_step="take the time, and sign, anew for each attempt: hours may lie between the first and the last.",
        )


def test_it_gives_up_and_leaves_the_task_alone(environment: CheckEnvironment) -> None:
    """After the last attempt it gives up; the task stays what it is, and the server goes on."""
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
                wrong.likely = f"ATTEMPTS is {attempts}, and the loop makes one less."
                wrong.next_step = "count all attempts, the first one too: `range(ATTEMPTS)`."
            raise
    # A fourth attempt would come before the last of two deliveries that began later.
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
