"""The null contender: it accepts, and is finished at once. What it takes is what the harness itself costs."""

from patterns.contract.descriptor import LearnsBy, Pattern, Question, RunsIn

NULL = Pattern(
    name="null",
    title="Nothing at all",
    summary="Accepts and is finished at once: what the harness itself costs.",
    app="benchmarks.plan.null_server:create_app",
    runs_in=RunsIn.AFTER_RESPONSE,
    learns_by=LearnsBy.ADAPTIVE_POLL,  # it asks at once: a poll interval would be measured otherwise
    teaches=Question.RUNS_IN,
    loses_on=frozenset(),
)
