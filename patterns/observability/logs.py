"""Logs: one line for each thing that happens, on standard error, with the id of the task that it is about.

Whatever is logged while a task is worked on has its id, also what the user's own agent logs: the id is in a context
variable, and not in the arguments of every call. `KIT_LOG` says how a line looks, `KIT_LOG_LEVEL` which are written.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

from patterns.contract.settings import Settings

_task_id: ContextVar[str | None] = ContextVar("task_id", default=None)

#: What every record has. The rest is what its caller gave as `extra`.
_ORDINARY = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
    | {"color_message"}  # uvicorn's
    | {"data"}  # Celery's
)


@contextmanager
def about(task_id: str) -> Iterator[None]:
    """What is logged in this block, and by what is started in it, is about this task."""
    token = _task_id.set(task_id)
    try:
        yield
    finally:
        _task_id.reset(token)


def set_up_logging(settings: Settings, level: int = logging.ERROR) -> None:
    """Let this process log as the settings say, or more if `level` asks for more. Called once, when it starts."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if settings.log == "json" else TextLine())
    handler.addFilter(add_task_id)
    wanted = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(handlers=[handler], level=min(level, wanted), force=True)
    logging.captureWarnings(True)


def add_task_id(record: logging.LogRecord) -> bool:
    """Give a record the id of the task that it is about, unless its caller has. A filter that keeps everything."""
    if not getattr(record, "task_id", None):
        found = _task_id.get()
        # Here Celery says which of its messages a line is about. That which runs a task has the task's id.
        data = getattr(record, "data", None)
        if found is None and isinstance(data, dict) and data.get("name") == "kit.run_agent":
            found = data["id"]
        if found:
            record.task_id = found
    return True


def _extras(record: logging.LogRecord) -> dict[str, object]:
    found = {name: value for name, value in vars(record).items() if name not in _ORDINARY and value is not None}
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in found.items()}


def _time(record: logging.LogRecord) -> str:
    """RFC 3339, in UTC, with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextLine(logging.Formatter):
    """For people: time, level, logger, what happened, then `name=value` for the rest."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and a traceback below it if there is one."""
        rest = "".join(f" {name}={_word(value)}" for name, value in _extras(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{rest}"
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        return line


def _word(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


class JsonLine(logging.Formatter):
    """For programs: one JSON object per line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """The object."""
        told: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        # Twice, so that the time comes first, and whoever calls an extra `time` does not change it.
        return json.dumps(told | _extras(record) | told, default=str)
