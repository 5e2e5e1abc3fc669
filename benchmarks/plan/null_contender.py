"""The null contender: it finishes every task immediately, so its latency is the harness overhead."""

from patterns.contract.descriptor import LearnsBy, Pattern, Question, RunsIn

NULL = Pattern(
    name="null",
    title="No work",
    summary="Finishes every task immediately: the harness overhead.",
    app="benchmarks.plan.null_server:create_app",
    runs_in=RunsIn.AFTER_RESPONSE,
    learns_by=LearnsBy.ADAPTIVE_POLL,  # polls immediately: otherwise the poll interval would be measured
    teaches=Question.RUNS_IN,
    loses_on=frozenset(),
)
