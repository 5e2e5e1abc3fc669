"""A task that kills its worker at every run: it must be given up, but finished tasks must not."""

from tests.checkpoints.engine.actors.celery_deployment import NEXT_ROUND
from tests.checkpoints.engine.actors.task import Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.scenarios.crash import MOST_RUNS, CrashScenario


def must_be_given_up(scenario: CrashScenario, task: Task) -> None:
    """Check that a task that has used up its runs fails, with an error."""
    app = scenario.app
    try:
        body = app.until(task, "failed", app.time_limit + NEXT_ROUND)
    except Wrong as wrong:
        if len(app.agent_control.of(task.prompt)) > MOST_RUNS:
            seen = f"the agent starts on {task.task_id} again, but MOST_RUNS is {MOST_RUNS}"
            raise Wrong("POISON_TASK", seen) from None
        raise Wrong(
            "FAILURE_NOT_TOLD",
            wrong.seen,
            likely="a task with too many runs is dropped without an outcome.",
            next_step='save this outcome like any other: status "failed" and an "error", and send the callback.',
        ) from None
    if not body.get("error"):
        raise Wrong("FAILURE_NOT_TOLD", f'"error" is {body.get("error")!r}')


def must_stay_completed(scenario: CrashScenario, task: Task, message: str) -> None:
    """Check that a finished task is neither run again nor given up, however often its message is delivered."""
    scenario.deliver_again(task, message, MOST_RUNS)
    scenario.must_have_run(task, 1)
    try:
        scenario.app.completed(task)
    except Wrong as wrong:
        if wrong.code != "STATUS_WENT_BACK":
            raise
        raise Wrong(
            wrong.code,
            wrong.seen,
            likely="the runs are counted and compared before the task is checked for an outcome.",
            next_step="check for an outcome first: count a run only if the task is not finished.",
        ) from None
