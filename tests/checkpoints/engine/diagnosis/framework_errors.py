"""What an error means that was raised in a framework, outside the learner's code, and printed by their process."""

import re
from typing import Any

_BLOCK = "Traceback (most recent call last)"
_RAISED = re.compile(r"^(?:\w+\.)*(?P<kind>\w+)(?:: (?P<message>.*))?$")
_INVALID = re.compile(r"^ +\{.*'loc': \((?P<where>.*?)\), 'msg': '(?P<what>.*?)', 'input': (?P<it>.*)\}$")

#: What an HTTPException in the body of a response means.
RETURNED = (
    "the HTTPException is returned like a task. FastAPI turns it into a response only if it is raised.",
    "replace `return HTTPException(…)` with `raise HTTPException(…)`.",
)

#: What a 5xx with a detail means: only an HTTPException adds a detail.
ON_PURPOSE = (
    "your code raises an HTTPException with this status code.",
    "choose the status code for the case: a 4xx if the request is wrong. A 5xx means that the server is.",
)


def first_detail(body: Any) -> tuple[list[str], str]:
    """The location and the message of FastAPI's first error in the body of a 422. Empty for all other bodies."""
    details = body.get("detail") if isinstance(body, dict) else None
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    return [str(piece) for piece in first.get("loc") or ()], str(first.get("msg", ""))


def refused_by_its_type(body: Any) -> tuple[str, str]:
    """The likely cause and the next step if FastAPI refused an id in the path. Empty for all other bodies."""
    where, _ = first_detail(body)
    if where[:1] == ["query"]:
        return (
            f"the name in the path's braces differs: FastAPI expects `{where[-1]}` as a query parameter, after a `?`.",
            'use the same name in both: `@app.get("/agent/status/{task_id}")` and `task_id: str`.',
        )
    if where[:1] != ["path"]:
        return "", ""
    return (
        "the type of the path parameter (`UUID`, `int`) rejects the id, so FastAPI itself responds with 422.",
        "declare the id as a string, `task_id: str`, and raise a 404 if there is no such task.",
    )


def submit_refused(body: Any) -> tuple[str, str, str]:
    """What was observed, the likely cause and the next step if FastAPI rejected a valid submit."""
    where, what = first_detail(body)
    return (
        f"422 for {'.'.join(where)}: {what}" if where else "the status code is 422, expected 202 Accepted",
        'FastAPI did not call your code: it expects something other than the body {"prompt": "…"}.',
        "give submit one parameter, `body: SubmitRequest`, and that model one field, `prompt: str`.",
    )


def last_error(output: str) -> str:
    """The exception at the end of the last traceback, in one line; empty when there is none."""
    _, found, block = output.rpartition(_BLOCK)
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


#: What an error in a framework means: the first pattern that matches.
_MEANINGS = {
    re.compile(r"ResponseValidationError.*= HTTPException\("): RETURNED,
    re.compile(r"ResponseValidationError.*= None:"): (
        "the handler returns nothing: one path through it does not reach a `return`.",
        "return the task on every path, or raise an HTTPException.",
    ),
    re.compile(r"ResponseValidationError"): (
        "the handler's return value does not match its annotation after `->`.",
        "return the task itself, a dictionary, or change the annotation to what you return.",
    ),
    re.compile(r".*coroutine"): (
        "a coroutine is stored instead of its result: a function is called without `await`, so it never runs.",
        "write `await` before the call.",
    ),
    re.compile(r".*(Unable to serialize|not JSON serializable|is not iterable|must have __dict__)"): (
        "something in the response cannot be written as JSON: an exception, a lock, a handle.",
        "return strings, numbers, lists and dictionaries: for example, `str(error)` instead of the exception.",
    ),
    re.compile(r"TypeError: [\w.<>]+\(\) (missing|takes|got) "): (
        "a function is called with the wrong arguments. `add_task` and `delay` pass on the arguments they get.",
        "compare its `def` with the call, or with the arguments of `add_task(…)` or `delay(…)`.",
    ),
    re.compile(r"AttributeError: module .* has no attribute 'app'(\. Did you mean: .*)?$"): (
        "the module has no `app`: it has a different name, or the file is empty.",
        "keep the name from the stub: `app = FastAPI(…)`.",
    ),
}


def meaning(error: str) -> tuple[str, str]:
    """The likely cause and the next step for an error that the learner's process printed. Empty for unknown errors."""
    return next((known for pattern, known in _MEANINGS.items() if pattern.match(error)), ("", ""))


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"
