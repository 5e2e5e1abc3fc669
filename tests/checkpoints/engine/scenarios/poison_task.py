"""A task that kills its worker at every run: it is given up, and the tasks that were finished are not."""

from tests.checkpoints.engine.actors.celery_deployment import NEXT_ROUND
from tests.checkpoints.engine.actors.task import Task
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.scenarios.crash import MAX_RUNS, CrashScenario


def must_be_given_up(scenario: CrashScenario, task: Task) -> None:
    """See that a task whose runs are used up is failed, with an error."""
    app = scenario.app
    try:
        body = app.until(task, "failed", app.time_limit + NEXT_ROUND)
    except Wrong as wrong:
        if len(app.agent_control.of(task.prompt)) > MAX_RUNS:
            seen = f"the agent starts on {task.task_id} once more, and MAX_RUNS is {MAX_RUNS}"
            raise Wrong("POISON_TASK", seen) from None
        raise Wrong(
            "FAILURE_NOT_TOLD",
            wrong.seen,
            likely="a task with too many runs is dropped, and nobody writes down that it was given up.",
            next_step='make it an outcome like every other: status "failed", an "error", saved and told.',
        ) from None
    if not body.get("error"):
        raise Wrong("FAILURE_NOT_TOLD", f'"error" is {body.get("error")!r}')


def must_stay_completed(scenario: CrashScenario, task: Task, message: str) -> None:
    """See that a finished task is neither run again nor given up, however often its message is delivered."""
    scenario.deliver_again(task, message, MAX_RUNS)
    scenario.must_have_run(task, 1)
    try:
        scenario.app.completed(task)
    except Wrong as wrong:
        if wrong.code != "STATUS_WENT_BACK":
            raise
        raise Wrong(
            wrong.code,
            wrong.seen,
            likely="deliveries are counted, and found too many, before anybody looks whether the task is finished.",
            next_step="look first: count a run, and compare with MAX_RUNS, only when the task is not finished.",
        ) from None
