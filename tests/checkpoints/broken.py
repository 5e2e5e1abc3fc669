"""What a 500 means when the exception came through none of the learner's lines: the server printed it all the same."""

import re
from typing import Any

_BLOCK = "Traceback (most recent call last)"
_RAISED = re.compile(r"^(?:\w+\.)*(?P<kind>\w+)(?:: (?P<message>.*))?$")
_INVALID = re.compile(r"^ +\{.*'loc': \((?P<where>.*?)\), 'msg': '(?P<what>.*?)', 'input': (?P<it>.*)\}$")
_NO_JSON = ("Unable to serialize", "not JSON serializable", "is not iterable", "must have __dict__")

#: What an HTTPException in the body of an answer means.
RETURNED = (
    "the HTTPException is returned, as if it were a task. Only one that is raised becomes an answer.",
    "write `raise HTTPException(…)` in place of `return HTTPException(…)`.",
)


def refused_by_its_type(body: Any) -> tuple[str, str]:
    """What is likely, and what to do next, when FastAPI did not take an id in the path. Empty for all other bodies."""
    details = body.get("detail") if isinstance(body, dict) else None
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    if list(first.get("loc") or ())[:1] != ["path"]:
        return "", ""
    return (
        "the type of the path parameter (`UUID`, `int`) refuses the id: FastAPI answers 422 by itself.",
        "take the id as a text, `task_id: str`, and raise the 404 when there is no such task.",
    )


def last_error(printed: str) -> str:
    """The exception at the end of the last traceback, in one line; empty when there is none."""
    _, found, block = printed.rpartition(_BLOCK)
    lines = block.splitlines()[1:] if found else []
    for number, line in enumerate(lines):
        if line.startswith((" ", "~", "^")) or not (raised := _RAISED.match(line)):
            continue
        message = raised["message"] or ""
        if raised["kind"] == "ResponseValidationError" and (wrong := _INVALID.match("".join(lines[number + 1 :][:1]))):
            where = wrong["where"].replace("'", "").rstrip(",").replace(", ", ".")
            message = f"{where} = {_short(wrong['it'])}: {wrong['what']}"
        return f"{raised['kind']}: {message}".removesuffix(": ")
    return ""


#: What a coroutine in an answer means.
_NOT_AWAITED = (
    "a coroutine is kept where its outcome should be: a function is called without `await`, and so it never runs.",
    "write `await` before the call.",
)


def meaning(error: str) -> tuple[str, str]:
    """What is likely, and what to do next, for an error that came when the answer was made. Empty for all others."""
    if error.startswith("ResponseValidationError"):
        if "= HTTPException(" in error:
            return RETURNED
        if "= None:" in error:
            return (
                "the handler returns nothing: there is a way through it that does not get to a `return`.",
                "return the task on every way, or raise an HTTPException.",
            )
        return (
            "what the handler returns is not what it promises behind `->`.",
            "return the task itself, a dictionary; or let the annotation say what you do return.",
        )
    if "coroutine" in error:
        return _NOT_AWAITED
    if any(sign in error for sign in _NO_JSON):
        return (
            "something in the answer cannot be written as JSON: an exception, a lock, a handle.",
            "give back texts, numbers, lists and dictionaries: `str(error)`, for one, in place of the exception.",
        )
    return "", ""


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"
