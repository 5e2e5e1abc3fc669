"""`kit check --url`: right servers pass, in any language; of a wrong server, the mistake is named and nothing else."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from exercises.checking import Checked
from exercises.course import course
from exercises.run import CONTRACT
from patterns import PATTERNS
from tests.checkpoints.engine.api import Verdict
from tests.cli.command import KIT, Outcome, run
from tests.cli.conftest import SECRET
from tests.cli.node_server import check_as_a_user, check_node, failed
from tests.support.process_pool import processes
from tests.support.serving import Served, Servers

#: Long enough to be seen at work, on a busy machine too.
_AGENT = {"KIT_AGENT_STEPS": "10", "KIT_AGENT_STEP_SECONDS": "0.1", "KIT_AGENT_OBEYS_PROMPT": "1"}
_QUICK_STOP = {"KIT_GRACE_SECONDS": "0.5"}

Checks = dict[str, str]

needs_node = pytest.mark.needs("node")

#: Mistakes that do not get in each other's way, made by one server: exactly the checks that fail, and their codes.
FAULTS: list[dict[str, Checks]] = [
    # The first three take longest.
    {"blocks-the-loop": {"submit_does_not_wait_for_the_agent": "LOOP_BLOCKED"}},
    {
        "held-too-long": {"a_response_is_held": "HELD_TOO_LONG"},
        "never-calls-back": {"the_outcome_is_posted": "CALLBACK_NOT_SENT"},
        "no-health": {"health": "HEALTH_NOT_OK"},
        "no-location": {"location": "LOCATION_MISSING"},
        "says-400": {"an_invalid_body_is_422": "WRONG_STATUS_CODE"},
        "local-times": {"times": "BAD_TIMES"},
        "progress-99": {"progress": "PROGRESS_NOT_100"},
        "etag-ignored": {"an_unchanged_task_is_304": "ETAG_IGNORED"},
        "cancels-once": {"a_task_is_cancelled": "CANCEL_REFUSED"},
    },
    {"submit-blocks": {"submit_does_not_wait_for_the_agent": "SUBMIT_BLOCKS"}},
    {
        "says-200": {"submit_is_202": "WRONG_STATUS_CODE"},
        "submit-without-retry-after": {"submit_has_retry_after": "WHEN_TO_ASK_MISSING"},
        "callback-url-ignored": {"a_callback_url_is_required_or_refused": "INVALID_ACCEPTED"},
        "key-for-any-body": {"the_same_key_with_another_body_is_422": "KEY_FOR_ANOTHER_BODY"},
        "progress-goes-back": {"progress": "PROGRESS_WENT_BACK"},
        "result-object": {"the_result_is_a_string": "RESULT_MISSING"},
        "retry-after-for-ever": {"status_has_retry_after": "ASK_AGAIN_FOR_NOTHING"},
        "no-long-poll": {"a_response_is_held": "NO_LONG_POLL"},
        "etag-stays": {"the_etag_changes_with_the_task": "ETAG_STAYS"},
        "cancelled-comes-back": {"a_cancelled_task_stays_cancelled": "STATUS_WENT_BACK"},
    },
    {
        "late-record": {"the_record_exists_before_the_response": "RECORD_TOO_LATE"},
        "no-limit": {"a_body_that_is_far_too_long_is_413": "BODY_LIMIT_MISSING"},
        "outcome-changes": {"a_finished_task_never_changes": "OUTCOME_CHANGED"},
        "progress-in-parts": {"progress": "PROGRESS_NOT_WHOLE"},
        "no-retry-after": {"status_has_retry_after": "WHEN_TO_ASK_MISSING"},
    },
    {
        "unknown-is-pending": {"an_unknown_id_is_404": "UNKNOWN_ID_NOT_404"},
        "key-ignored": {
            "the_same_key_returns_the_same_task": "KEY_IGNORED",
            "the_same_key_with_another_body_is_422": "KEY_FOR_ANOTHER_BODY",
        },
        "cancels-the-completed": {"a_completed_task_cannot_be_cancelled": "CANCELLED_THOUGH_DONE"},
        "no-etag": {"an_unchanged_task_is_304": "NO_ETAG"},
        "unknown-left-out": {"a_task_has_all_eight_fields": "FIELDS_MISSING"},
        "traceback": {"a_failure_is_reported": "FAILURE_NOT_TOLD"},
        "calls-back-too-little": {"the_outcome_is_posted": "CALLBACK_WRONG"},
    },
    {
        "takes-anything": {
            "an_invalid_body_is_422": "INVALID_ACCEPTED",
            "a_callback_url_is_required_or_refused": "INVALID_ACCEPTED",
        },
        "no-cancel": {"a_task_is_cancelled": "CANCEL_REFUSED"},
        "never-running": {"a_task_goes_from_pending_to_completed": "NOT_MARKED_RUNNING", "times": "BAD_TIMES"},
        "unsigned": {"the_callback_has_its_headers": "CALLBACK_UNSIGNED"},
    },
    {
        "ids-mixed-up": {"two_tasks_do_not_mix": "TASKS_MIXED_UP"},
        "html-errors": {"every_error_is_a_problem": "NOT_A_PROBLEM"},
        "signs-something-else": {"the_callback_is_signed": "SIGNATURE_WRONG"},
    },
]
_EACH_FAULT = [pytest.param(group, fault, id=fault) for group in FAULTS for fault in group]

#: The same for exercises: (number, mistake) → the first check that fails, and its code.
EXERCISE_FAULTS = {
    (1, "blocks-the-loop"): ("submit_returns_an_id_while_the_agent_works", "LOOP_BLOCKED"),
    (1, "submit-blocks"): ("submit_returns_an_id_while_the_agent_works", "SUBMIT_BLOCKS"),
    (1, "never-running"): ("submit_returns_an_id_while_the_agent_works", "NOT_MARKED_RUNNING"),
    (1, "result-object"): ("a_task_is_completed_with_the_agents_answer", "RESULT_MISSING"),
    (1, "unknown-is-pending"): ("an_unknown_id_is_404", "UNKNOWN_ID_NOT_404"),
    (2, "progress-goes-back"): ("progress_never_goes_back", "PROGRESS_WENT_BACK"),
    (2, "progress-99"): ("progress_is_100_when_completed", "PROGRESS_NOT_100"),
}
#: For each exercise: at least how many checks can be made from outside, and how many cannot.
FROM_OUTSIDE = {1: (6, 1), 2: (4, 4), 3: (1, 8), 5: (1, 7)}

Found = Callable[..., Checked]


@pytest.fixture(scope="module")
def found() -> Iterator[Found]:
    """What is found of the server in plain Node: by its mistakes, and by the number of an exercise. All of it side by
    side: most of it is waiting."""
    wanted: list[tuple[Sequence[str], int | None, Checks | None]] = []
    wanted += [(list(group), None, all_of(group)) for group in FAULTS]
    wanted += [((), None, None), (["calls-back"], None, None)]
    wanted += [([fault], number, None) for number, fault in EXERCISE_FAULTS]
    wanted += [((), number, None) for number in FROM_OUTSIDE]
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("KIT_WEBHOOK_SECRET", SECRET)  # before its processes start
        pool = stack.enter_context(processes(5))
        runs = {}
        for faults, number, expected in wanted:
            names = [one.folder for one in course() if one.number == number] or CONTRACT
            blocks = {"blocks-the-loop", "submit-blocks"} & {*faults}
            settings = {"FAULT": ",".join(faults), "STEP_MS": "150" if blocks or number else "500"}
            if _OF_CALLBACKS & {*faults}:
                settings |= {"PATTERN": "webhook", "KIT_WEBHOOK_SECRET": SECRET}
            runs[*faults, number] = pool.apply_async(check_node, (settings, names, expected))
        yield lambda *faults, number=None: runs[*faults, number].get()


def all_of(group: dict[str, Checks]) -> Checks:
    """What a server with all the mistakes of a group fails."""
    return {check: code for checks in group.values() for check, code in checks.items()}


#: The server calls back when it is to be wrong in that; and once when it is to be right.
_OF_CALLBACKS = {"never-calls-back", "calls-back-too-little", "unsigned", "signs-something-else", "calls-back"}


def texts(checked: Checked) -> str:
    return "\n".join(outcome.text for outcome in checked.outcomes if outcome.text)


def count(checked: Checked, verdict: Verdict) -> int:
    return sum(outcome.verdict is verdict for outcome in checked.outcomes)


# The patterns


@pytest.fixture(scope="module")
def verdicts(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """The output of `kit check --url` for each pattern, as a user runs it."""
    folder = tmp_path_factory.mktemp("url")
    served = servers.fleet(PATTERNS.values(), {**_AGENT, **_QUICK_STOP, "KIT_WEBHOOK_SECRET": SECRET})

    def check(one: Served) -> Outcome:
        return run([*KIT, "check", "--url", one.url], folder, KIT_WEBHOOK_SECRET=SECRET)

    with ThreadPoolExecutor(2) as threads:
        return dict(zip(served, threads.map(check, served.values()), strict=True))


@pytest.fixture(scope="module")
def long_check(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Outcome]]:
    """A check of a server whose agent takes ten seconds, going on beside the other tests."""
    file = tmp_path_factory.getbasetemp() / "grade.json"
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(check_as_a_user, {"STEP_MS": "1000"}, file.parent, "--json", str(file))


@pytest.fixture(scope="module")
def announced(long_check: Future[Outcome]) -> Outcome:
    """Its output."""
    return long_check.result()


@pytest.mark.parametrize("name", PATTERNS)
def test_each_pattern_passes(verdicts: dict[str, Outcome], name: str) -> None:
    ended = verdicts[name]
    assert ended.code == 0, ended.out
    made = 32 if PATTERNS[name].requires_callback else 29
    assert f"{made} of {made} checks" in ended.out


# A server in another language


@needs_node
@pytest.mark.parametrize("faults", [(), ("calls-back",)], ids=["polled", "calls-back"])
def test_a_correct_server_in_another_language_passes(found: Found, faults: Sequence[str]) -> None:
    checked = found(*faults)
    passed = {Verdict.PASSED, Verdict.NOT_FROM_OUTSIDE}
    assert checked.outcomes
    assert [outcome.text for outcome in checked.outcomes if outcome.verdict not in passed] == []


@needs_node
@pytest.mark.parametrize(("group", "fault"), _EACH_FAULT)
def test_a_mistake_gets_its_code(found: Found, group: dict[str, Checks], fault: str) -> None:
    checked = found(*group)
    assert group[fault].items() <= failed(checked).items(), texts(checked)


@needs_node
@pytest.mark.parametrize("group", FAULTS, ids=lambda group: next(iter(group)))
def test_a_mistake_fails_no_check_but_its_own(found: Found, group: dict[str, Checks]) -> None:
    checked = found(*group)
    assert failed(checked) == all_of(group), texts(checked)


@needs_node
@pytest.mark.parametrize(("number", "fault"), EXERCISE_FAULTS)
def test_the_checks_of_an_exercise_find_the_mistake_too(found: Found, number: int, fault: str) -> None:
    checked = found(fault, number=number)
    assert next(iter(failed(checked).items()), None) == EXERCISE_FAULTS[number, fault], texts(checked)


@needs_node
@pytest.mark.parametrize("number", FROM_OUTSIDE)
def test_only_the_checks_that_work_from_outside_are_made_of_an_exercise(found: Found, number: int) -> None:
    checked = found(number=number)
    made = (count(checked, Verdict.PASSED), count(checked, Verdict.NOT_FROM_OUTSIDE))
    assert all(count >= least for count, least in zip(made, FROM_OUTSIDE[number], strict=True)), texts(checked)
    assert len(checked.outcomes) == sum(made)


@needs_node
def test_the_whole_run_as_json(announced: Outcome, tmp_path_factory: pytest.TempPathFactory) -> None:
    said = json.loads((tmp_path_factory.getbasetemp() / "grade.json").read_text())
    assert announced.code == 0, announced.out
    assert (said["result"], said["problems"]) == ("passed", [])
    assert [exercise["exercise"] for exercise in said["exercises"]] == ["contract"]
    assert said["points"] == said["of"] == sum(check["of"] for check in made(said))


def made(said: dict[str, Any]) -> list[dict[str, Any]]:
    """The checks that could be made, in the JSON of a run."""
    return [check for check in said["exercises"][0]["checks"] if check["verdict"] != "not from outside"]


@needs_node
def test_a_long_wait_is_announced(announced: Outcome) -> None:
    assert "… waiting for the server's agent to finish" in announced.out
