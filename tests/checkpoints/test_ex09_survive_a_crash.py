"""Checkpoint 9: whatever is killed, and whenever, each task gets one outcome, and the outcome is delivered.

The checks kill processes at chosen moments, while they hold the agent. They wait for a lost task for as long as a
right solution may take, and know that a callback is missing when a later callback has arrived.
"""

import pytest

from tests.checkpoints.engine.actors.celery_deployment import NEXT_ROUND
from tests.checkpoints.engine.actors.environment import CheckEnvironment
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.scripted_server import Reply
from tests.checkpoints.engine.scenarios.crash import LONG, MOST_RUNS, CrashScenario
from tests.checkpoints.engine.scenarios.poison_task import must_be_given_up, must_stay_completed
from tests.checkpoints.engine.webhooks.receiver import BUSY, CUT, CallbackReply

pytestmark = pytest.mark.concurrent

NOT_FOUND, ACCEPTED = CallbackReply(Reply(404)), CallbackReply(Reply(202))
#: More failures than Celery's default of three retries.
REFUSALS = (BUSY, CUT, NOT_FOUND, BUSY, BUSY)


@pytest.mark.points(2)
def test_without_a_crash_a_task_runs_and_is_delivered_once(environment: CheckEnvironment) -> None:
    """Without a crash, a task runs once, and its outcome is delivered once, success or failure."""
    scenario = environment.enter(CrashScenario(environment))
    app = scenario.begin().app
    task, broken = scenario.submit(), scenario.submit()
    run, other = scenario.deployment.started(task), scenario.deployment.started(broken)
    app.until(task, "running")
    app.completed(task, app.finish(task, run))
    scenario.must_deliver(task, "completed")
    app.fail(broken, other, kind="TimeoutError")
    scenario.deployment.forget_what_was_raised()
    app.until(broken, "failed")
    scenario.must_deliver(broken, "failed")
    scenario.must_have_own_ids(task, broken)
    scenario.must_deliver_once(task, broken)


@pytest.mark.points(3)
def test_a_task_whose_process_is_killed_runs_again(environment: CheckEnvironment) -> None:
    """When the process that runs the agent is killed, the task runs again, and its outcome is delivered."""
    scenario = environment.enter(CrashScenario(environment))
    app = scenario.begin().app
    task = scenario.submit()
    scenario.deployment.kill_pool_process(scenario.deployment.started(task))
    run = scenario.must_run_again(task, 2)
    app.completed(task, app.finish(task, run))
    scenario.must_deliver(task, "completed")


@pytest.mark.points(3)
def test_a_task_whose_worker_is_killed_runs_in_another_worker(environment: CheckEnvironment) -> None:
    """When a whole worker is killed, another worker runs its unfinished tasks, but not its finished tasks."""
    scenario = environment.enter(CrashScenario(environment))
    deployment = scenario.begin(kills_workers=True)
    app = deployment.app
    done, task = scenario.submit(), scenario.submit()
    first, _ = deployment.started(done), deployment.started(task)
    deployment.freeze_worker()  # it can no longer acknowledge a message
    app.completed(done, app.finish(done, first))
    deployment.kill_worker()
    app.timeline.amend(" before it could acknowledge {task A}")
    deployment.add_worker()
    run = scenario.must_run_again(task, 2, elsewhere=True)
    app.completed(task, app.finish(task, run))
    scenario.must_deliver(task, "completed")
    try:
        after = scenario.submit()
        app.completed(after, app.finish(after, deployment.started(after)))
        app.completed(done)
    except Wrong as wrong:
        if wrong.code == "STATUS_WENT_BACK":
            app.agent_control.wait_for(done.prompt, app.time_limit, 2)  # the agent is about to be called
        scenario.must_have_run(done, 1)  # the cause of everything else
        raise
    scenario.must_have_run(done, 1)
    scenario.must_deliver(done, "completed")


@pytest.mark.points(2)
def test_a_task_that_kills_its_worker_each_time_is_given_up(environment: CheckEnvironment) -> None:
    """A task that kills its worker each time is given up after MOST_RUNS runs: it fails, and that is delivered."""
    scenario = environment.enter(CrashScenario(environment))
    app = scenario.begin(retry=LONG).app
    scenario.answer_with("/busy", BUSY)
    other = scenario.submit("/busy")
    run = scenario.deployment.started(other)
    message = scenario.deployment.message_of(other)
    app.completed(other, app.finish(other, run))
    scenario.must_deliver(other, "completed")
    task = scenario.submit()
    for number in range(1, MOST_RUNS + 1):
        run = scenario.deployment.started(task) if number == 1 else scenario.must_run_again(task, number)
        if number == MOST_RUNS:  # an agent works for minutes: the count of its runs must not expire
            environment.pass_time(minutes=10)
        scenario.deployment.kill_pool_process(run)
    must_be_given_up(scenario, task)
    scenario.must_deliver(task, "failed")
    scenario.must_not_deliver_again(other)
    must_stay_completed(scenario, other, message)
    broken = scenario.submit()
    run = scenario.deployment.started(broken)
    message = scenario.deployment.message_of(broken)
    app.fail(broken, run)
    scenario.deployment.forget_what_was_raised()
    scenario.must_deliver(broken, "failed")
    scenario.deliver_again(broken, message)
    scenario.must_have_run(broken, 1)


@pytest.mark.points(2)
def test_a_callback_is_retried_until_it_is_acknowledged(environment: CheckEnvironment) -> None:
    """A refused callback is retried, even if the process that sends it is killed."""
    scenario = environment.enter(CrashScenario(environment))
    scenario.answer_with("/busy", *REFUSALS, scenario.silent)
    scenario.answer_with("/accepts", ACCEPTED)
    deployment = scenario.begin()
    app = deployment.app
    accepted, task = scenario.submit("/accepts"), scenario.submit("/busy")
    app.completed(accepted, app.finish(accepted, deployment.started(accepted)))
    scenario.must_deliver(accepted, "completed")
    run = deployment.started(task)
    message = deployment.message_of(task)
    app.completed(task, app.finish(task, run))
    held = len(REFUSALS) + 1
    for number in range(1, held + 1):
        scenario.must_deliver(task, "completed", number)
    scenario.must_deliver_once(accepted)  # a repeat would have arrived by now
    deployment.kill_pool()
    try:
        scenario.must_deliver(task, "completed", held + 1, later=NEXT_ROUND)
    except Wrong as wrong:
        raise Wrong("NOT_TOLD_AGAIN", wrong.seen) if wrong.code == "CALLBACK_NOT_RETRIED" else wrong from None
    for number in range(held + 2, scenario.deliver_again(task, message) + 1):
        try:
            scenario.must_deliver(task, "completed", number)
        except Wrong as wrong:
            if wrong.code != "WEBHOOK_ID_WRONG":
                raise
            raise Wrong(
                wrong.code,
                wrong.seen,
                likely="the id identifies a single run of `tell`, as `self.request.id` does. This is the same outcome, "
                "which `work` has sent to the queue a second time.",
                next_step="derive the id from what all callbacks for an outcome share: `msg_` and the task_id.",
            ) from None
    app.completed(task)
    scenario.must_have_run(task, 1)
