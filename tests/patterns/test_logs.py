"""A log line: what is in it, and the task that it is about."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from patterns.agents.running import Agent, ReportProgress, run_in_daemon_thread, run_on_event_loop
from patterns.contract.settings import Settings
from patterns.observability.logs import JsonLine, TextLine, add_task_id, bound_task_id, set_up_logging
from patterns.tasks.execution import RunAgent, execute
from patterns.tasks.memory_store import MemoryStore

logger = logging.getLogger("test")


class Kept(logging.Handler):
    """A handler that keeps formatted lines."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.addFilter(add_task_id)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(self.format(record))


@pytest.fixture
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    """What this test logs, as JSON unless the test sets another formatter."""
    handler = Kept(getattr(request, "param", JsonLine)())
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield handler
    logger.removeHandler(handler)


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, restored after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


as_text = pytest.mark.parametrize("kept", [TextLine], indirect=True)


@as_text
def test_a_line_of_text_has_the_message_first_and_then_the_fields(kept: Kept) -> None:
    with bound_task_id("a1"):
        logger.info("finished %s", "well", extra={"seconds": 1.23456789, "code": None, "error": "Broken: no pipe"})

    moment, _, rest = kept.lines[0].partition(" ")
    assert moment.endswith("Z")
    assert rest == 'INFO test: finished well seconds=1.234568 error="Broken: no pipe" task_id=a1'


@as_text
def test_a_traceback_stands_below_a_line_of_text(kept: Kept) -> None:
    try:
        raise ValueError("the cause")
    except ValueError:
        logger.exception("it broke")

    first, *below = kept.lines[0].splitlines()
    assert first.endswith("ERROR test: it broke")
    assert below[-1] == "ValueError: the cause"


def test_a_line_of_json_is_one_line_whatever_is_in_it(kept: Kept) -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("it\nbroke", extra={"half": "\ud83d", "thing": object})

    assert "\n" not in kept.lines[0]
    line = json.loads(kept.lines[0])
    assert line["message"] == "it\nbroke"
    assert line["exception"].endswith("ValueError: two\nlines")
    assert line["half"] == "\ud83d"


def test_an_extra_field_does_not_replace_a_standard_field(kept: Kept) -> None:
    logger.info("now", extra={"time": "yesterday", "level": "top", "more": 1})

    line = json.loads(kept.lines[0])
    assert line["time"] != "yesterday"
    assert line["level"] == "info"
    assert line["more"] == 1


def test_a_line_without_a_task_has_no_task_id(kept: Kept) -> None:
    logger.info("before")
    with bound_task_id("a1"):
        with bound_task_id("b2"):
            logger.info("inside")
        logger.info("outside again")
    logger.info("after")

    assert [json.loads(line).get("task_id") for line in kept.lines] == [None, "b2", "a1", None]


def test_an_explicit_task_id_wins(kept: Kept) -> None:
    with bound_task_id("a1"):
        logger.info("hello", extra={"task_id": "b2"})
    logger.info("hello", extra={"data": {"id": "c3", "name": "kit.run_agent"}})  # as Celery does

    assert [json.loads(line)["task_id"] for line in kept.lines] == ["b2", "c3"]
    assert "data" not in json.loads(kept.lines[1])


def says_hello(prompt: str, report_progress: ReportProgress) -> str:
    """A plain function, which is run in a thread."""
    logger.info(prompt)
    return prompt


async def says_hello_later(prompt: str, report_progress: ReportProgress) -> str:
    """A coroutine function that starts a thread and a task."""
    await asyncio.to_thread(logger.info, prompt)
    await asyncio.create_task(asyncio.to_thread(logger.info, prompt))
    return prompt


@pytest.mark.parametrize("agent", [says_hello, says_hello_later])
@pytest.mark.parametrize("run", [run_on_event_loop, run_in_daemon_thread])
async def test_lines_of_concurrent_agents_have_the_ids_of_their_tasks(kept: Kept, agent: Agent, run: RunAgent) -> None:
    store = MemoryStore(limit=10, ttl=60)
    ids = [store.create("body")[0].task_id for _ in range(5)]

    await asyncio.gather(*(execute(store, run, agent, task_id, f"I am {task_id}", 30) for task_id in ids))

    lines = [json.loads(line) for line in kept.lines]
    assert {line["task_id"] for line in lines} == set(ids)
    assert all(line["message"] == f"I am {line['task_id']}" for line in lines)


@pytest.mark.parametrize(
    ("setting", "asked_for", "level"),
    [("warning", logging.ERROR, logging.WARNING), ("error", logging.INFO, logging.INFO), ("info", 40, logging.INFO)],
)
def test_the_more_verbose_of_the_setting_and_the_command_line_wins(
    root: logging.Logger, setting: str, asked_for: int, level: int
) -> None:
    set_up_logging(Settings(log_level=setting), asked_for)

    assert root.level == level


@pytest.mark.parametrize(("setting", "formatter"), [("text", TextLine), ("json", JsonLine)])
def test_lines_go_to_standard_error_as_the_setting_says(
    root: logging.Logger, setting: str, formatter: type[logging.Formatter]
) -> None:
    set_up_logging(Settings(log=setting))

    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    assert handler.stream is sys.stderr
    assert type(handler.formatter) is formatter
