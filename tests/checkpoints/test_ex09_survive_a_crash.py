"""Checkpoint 9: whatever is killed, and whenever: each task comes to one outcome, and the outcome is told.

The checks kill processes at chosen moments: the agent is held there. What may have been lost is waited for until a
right solution would have brought it back, and that nothing comes is known when what must come later has come.
"""

import pytest

from tests.checkpoints.engine.crashing import LONG, MOST_RUNS, Crashing
from tests.checkpoints.engine.peer import Reply
from tests.checkpoints.engine.receiver import BUSY, CUT, Say
from tests.checkpoints.engine.stage import Stage
from tests.checkpoints.engine.verdict import Wrong
from tests.checkpoints.engine.worked import NEXT_ROUND

pytestmark = pytest.mark.side_by_side

NOT_FOUND, ACCEPTED = Say(Reply(404)), Say(Reply(202))
#: More than Celery gets over by itself: its default is three more tries.
REFUSALS = (BUSY, CUT, NOT_FOUND, BUSY, BUSY)


@pytest.mark.points(2)
def test_without_a_crash_all_is_done_and_told_once(stage: Stage) -> None:
    """Without a crash a task is done once, and its outcome is told once, well or not."""
    crashing = stage.enter(Crashing(stage))
    app = crashing.begin().app
    task, broken = crashing.submit(), crashing.submit()
    run, other = crashing.worked.started(task), crashing.worked.started(broken)
    app.until(task, "running")
    app.completed(task, app.finish(task, run))
    crashing.told(task, "completed")
    app.fail(broken, other, kind="TimeoutError")
    crashing.worked.forget_what_was_raised()
    app.until(broken, "failed")
    crashing.told(broken, "failed")
    crashing.have_their_own_ids(task, broken)
    crashing.told_once(task, broken)


@pytest.mark.points(3)
def test_a_task_whose_process_is_killed_is_run_again(stage: Stage) -> None:
    """When the process in which the agent works is killed, the task is run again, and told."""
    crashing = stage.enter(Crashing(stage))
    app = crashing.begin().app
    task = crashing.submit()
    crashing.worked.kill_pool_process(crashing.worked.started(task))
    run = crashing.again(task, 2)
    app.completed(task, app.finish(task, run))
    crashing.told(task, "completed")


@pytest.mark.points(3)
def test_a_task_whose_worker_is_killed_is_run_by_another(stage: Stage) -> None:
    """When a whole worker is killed, another one takes what was not done, and does not do again what was."""
    crashing = stage.enter(Crashing(stage))
    worked = crashing.begin(kills_workers=True)
    app = worked.app
    done, task = crashing.submit(), crashing.submit()
    first, _ = worked.started(done), worked.started(task)
    worked.freeze_worker()  # it cannot say any more that a task is done
    app.completed(done, app.finish(done, first))
    worked.kill_worker()
    app.timeline.amend(", before it could say that {task A} is done")
    worked.add_worker()
    run = crashing.again(task, 2, elsewhere=True)
    app.completed(task, app.finish(task, run))
    crashing.told(task, "completed")
    try:
        after = crashing.submit()
        app.completed(after, app.finish(after, worked.started(after)))
        app.completed(done)
    except Wrong as wrong:
        if wrong.code == "STATUS_WENT_BACK":
            app.desk.wait_for(done.prompt, app.patience, 2)  # it is about to be called
        crashing.ran(done, 1)  # whatever else was seen comes of that
        raise
    crashing.ran(done, 1)
    crashing.told(done, "completed")


@pytest.mark.points(2)
def test_a_task_that_kills_its_worker_each_time_is_given_up(stage: Stage) -> None:
    """A task whose worker dies each time is given up after MOST_RUNS runs: it is failed, and told."""
    crashing = stage.enter(Crashing(stage))
    app = crashing.begin(retry=LONG).app
    crashing.say("/busy", BUSY)
    other = crashing.submit("/busy")
    run = crashing.worked.started(other)
    message = crashing.worked.message_of(other)
    app.completed(other, app.finish(other, run))
    crashing.told(other, "completed")
    task = crashing.submit()
    for number in range(1, MOST_RUNS + 1):
        run = crashing.worked.started(task) if number == 1 else crashing.again(task, number)
        if number == MOST_RUNS:  # an agent works for minutes: what counts its runs must not be gone by then
            stage.pass_time(minutes=10)
        crashing.worked.kill_pool_process(run)
    try:
        body = app.until(task, "failed", app.patience + NEXT_ROUND)
    except Wrong as wrong:
        if len(app.desk.of(task.prompt)) > MOST_RUNS:
            seen = f"the agent starts on {task.task_id} once more, and MOST_RUNS is {MOST_RUNS}"
            raise Wrong("POISON_TASK", seen) from None
        raise Wrong(
            "FAILURE_NOT_TOLD",
            wrong.seen,
            likely="a task with too many runs is dropped, and nobody writes down that it was given up.",
            next_step='make it an outcome like every other: status "failed", an "error", saved and told.',
        ) from None
    if not body.get("error"):
        raise Wrong("FAILURE_NOT_TOLD", f'"error" is {body.get("error")!r}')
    crashing.told(task, "failed")
    crashing.not_told_again(other)
    crashing.deliver_again(other, message, MOST_RUNS)
    crashing.ran(other, 1)
    try:
        app.completed(other)
    except Wrong as wrong:
        if wrong.code != "STATUS_WENT_BACK":
            raise
        raise Wrong(
            wrong.code,
            wrong.seen,
            likely="deliveries are counted, and found too many, before anybody looks whether the task is finished.",
            next_step="look first: count a run, and compare with MOST_RUNS, only when the task is not finished.",
        ) from None
    broken = crashing.submit()
    run = crashing.worked.started(broken)
    message = crashing.worked.message_of(broken)
    app.fail(broken, run)
    crashing.worked.forget_what_was_raised()
    crashing.told(broken, "failed")
    crashing.deliver_again(broken, message)
    crashing.ran(broken, 1)


@pytest.mark.points(2)
def test_an_outcome_is_told_until_it_is_taken(stage: Stage) -> None:
    """A receiver that refuses is asked again; killed while it tells, a worker does not keep it to itself."""
    crashing = stage.enter(Crashing(stage))
    crashing.say("/busy", *REFUSALS, crashing.silent)
    crashing.say("/accepts", ACCEPTED)
    worked = crashing.begin()
    app = worked.app
    accepted, task = crashing.submit("/accepts"), crashing.submit("/busy")
    app.completed(accepted, app.finish(accepted, worked.started(accepted)))
    crashing.told(accepted, "completed")
    run = worked.started(task)
    message = worked.message_of(task)
    app.completed(task, app.finish(task, run))
    held = len(REFUSALS) + 1
    for number in range(1, held + 1):
        crashing.told(task, "completed", number)
    crashing.told_once(accepted)  # it would have been told again by now
    worked.kill_pool()
    try:
        crashing.told(task, "completed", held + 1, later=NEXT_ROUND)
    except Wrong as wrong:
        raise Wrong("NOT_TOLD_AGAIN", wrong.seen) if wrong.code == "CALLBACK_NOT_RETRIED" else wrong from None
    for number in range(held + 2, crashing.deliver_again(task, message) + 1):
        try:
            crashing.told(task, "completed", number)
        except Wrong as wrong:
            if wrong.code != "WEBHOOK_ID_WRONG":
                raise
            raise Wrong(
                wrong.code,
                wrong.seen,
                likely="the id stands for one telling, as Celery's own (`self.request.id`). This is the same outcome, "
                "handed over by `work` a second time.",
                next_step="make the id of what all tellings of an outcome have in common: `msg_` and the task_id.",
            ) from None
    app.completed(task)
    crashing.ran(task, 1)
