"""Logs: one line for each event, on standard error, with the id of its task.

The id is in a context variable, so every line that is logged while a task runs has it, including those of the user's
own agent. `KIT_LOG` sets the format, `KIT_LOG_LEVEL` the level.
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

#: The attributes of every log record. All others were passed as `extra`.
_STANDARD_ATTRIBUTES = frozenset(
    {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
    | {"color_message"}  # uvicorn's
    | {"data"}  # Celery's
)


@contextmanager
def bound_task_id(task_id: str) -> Iterator[None]:
    """Add the task's id to every line that is logged in this block, or by a task or thread started in it."""
    token = _task_id.set(task_id)
    try:
        yield
    finally:
        _task_id.reset(token)


def set_up_logging(settings: Settings, level: int = logging.ERROR) -> None:
    """Configure the logging of this process: at the level in the settings, or at `level` if that is lower."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if settings.log == "json" else TextLine())
    handler.addFilter(add_task_id)
    configured = logging.getLevelNamesMapping()[settings.log_level.upper()]
    logging.basicConfig(handlers=[handler], level=min(level, configured), force=True)
    logging.captureWarnings(True)


def add_task_id(record: logging.LogRecord) -> bool:
    """A logging filter that drops nothing: it adds the task's id to a record that has none."""
    if not getattr(record, "task_id", None):
        task_id = _task_id.get()
        # Celery's own log records have the message in `data`. The id of a `run_agent` message is the task's id.
        data = getattr(record, "data", None)
        if task_id is None and isinstance(data, dict) and data.get("name") == "kit.run_agent":
            task_id = data["id"]
        if task_id:
            record.task_id = task_id
    return True


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in vars(record).items()
        if name not in _STANDARD_ATTRIBUTES and value is not None
    }


def _time(record: logging.LogRecord) -> str:
    """RFC 3339, in UTC, with milliseconds."""
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class TextLine(logging.Formatter):
    """For people: time, level, logger, message, then `name=value` for each extra."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, followed by the traceback if there is one."""
        extras = "".join(f" {name}={_quoted(value)}" for name, value in _extras(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{extras}"
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        return line


def _quoted(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


class JsonLine(logging.Formatter):
    """For programs: one JSON object per line, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object."""
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        # `fields` twice: first for the order, last so that an extra named `time` does not replace the time.
        return json.dumps(fields | _extras(record) | fields, default=str)
