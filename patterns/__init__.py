"""The five ways to run a long job behind a short request, in teaching order."""

from patterns.contract.descriptor import Fault, Interrupts, LearnsBy, Pattern, Process, Question, RunsIn

_DIES_WITH_THE_WEB_PROCESS = frozenset({Fault.WEB_KILL, Fault.WEB_STOP})

BACKGROUND_TASKS = Pattern(
    name="background_tasks",
    title="Background tasks",
    summary="FastAPI runs the job after it has sent the response, in the same process.",
    app="patterns.background_tasks:create_app",
    runs_in=RunsIn.AFTER_RESPONSE,
    learns_by=LearnsBy.FIXED_POLL,
    teaches=Question.RUNS_IN,
    loses_on=_DIES_WITH_THE_WEB_PROCESS,
)

CELERY_QUEUE = Pattern(
    name="celery_queue",
    title="Celery and Redis",
    summary="Worker processes take jobs from a broker; web processes and workers restart independently.",
    app="patterns.celery_queue:create_app",
    runs_in=RunsIn.WORKER_PROCESS,
    learns_by=LearnsBy.FIXED_POLL,
    teaches=Question.RUNS_IN,
    loses_on=frozenset({Fault.BROKER_LOSS}),
    processes=(
        Process(
            name="worker",
            arguments=(
                # Celery warns about pickle if it runs as root, as in a container. This worker accepts JSON only.
                *("-W", "ignore:You're running the worker with superuser"),
                *("-m", "celery", "--quiet", "-A", "patterns.celery_queue", "worker"),
                *("--loglevel", "ERROR", "--without-gossip", "--without-mingle"),  # KIT_LOG_LEVEL may lower it
                # `/health` counts workers by name: two with the same name would disappear when either stops.
                *("--hostname", "{unique}@%h"),
            ),
            # Makes the pool processes ignore SIGTERM, which a service manager may send to the whole process group:
            # `celery_support.stopping` gives running tasks the grace period.
            env={"REMAP_SIGTERM": "SIGQUIT"},
        ),
    ),
    needs=frozenset({"redis"}),
    interrupts=Interrupts.ALL_AGENTS,
    takes_callback=True,
)

IN_MEMORY_QUEUE = Pattern(
    name="in_memory_queue",
    title="In-memory queue",
    summary="A few asyncio workers take jobs from a bounded queue in the web process.",
    app="patterns.in_memory_queue:create_app",
    runs_in=RunsIn.IN_PROCESS_QUEUE,
    learns_by=LearnsBy.FIXED_POLL,
    teaches=Question.RUNS_IN,
    loses_on=_DIES_WITH_THE_WEB_PROCESS,
)

POLLING = Pattern(
    name="polling",
    title="Polite polling",
    summary="The client long-polls, backs off with jitter, and has one deadline for everything.",
    app="patterns.polling:create_app",
    runs_in=RunsIn.IN_PROCESS_QUEUE,
    learns_by=LearnsBy.ADAPTIVE_POLL,
    teaches=Question.LEARNS_BY,
    loses_on=_DIES_WITH_THE_WEB_PROCESS,
)

WEBHOOK = Pattern(
    name="webhook",
    title="Webhook",
    summary="The server POSTs the outcome to the client, signed, and retries until it is acknowledged.",
    app="patterns.webhook:create_app",
    runs_in=RunsIn.IN_PROCESS_QUEUE,
    learns_by=LearnsBy.CALLBACK,
    teaches=Question.LEARNS_BY,
    loses_on=_DIES_WITH_THE_WEB_PROCESS,
)

PATTERNS = {p.name: p for p in (BACKGROUND_TASKS, CELERY_QUEUE, IN_MEMORY_QUEUE, POLLING, WEBHOOK)}
