"""What an error means that came through none of the learner's lines: their process printed it all the same."""

import re
from typing import Any

_BLOCK = "Traceback (most recent call last)"
_RAISED = re.compile(r"^(?:\w+\.)*(?P<kind>\w+)(?:: (?P<message>.*))?$")
_INVALID = re.compile(r"^ +\{.*'loc': \((?P<where>.*?)\), 'msg': '(?P<what>.*?)', 'input': (?P<it>.*)\}$")

#: What an HTTPException in the body of an answer means.
RETURNED = (
    "the HTTPException is returned, as if it were a task. Only one that is raised becomes an answer.",
    "write `raise HTTPException(…)` in place of `return HTTPException(…)`.",
)

#: What a 5xx means that has a detail, as only an HTTPException gives it one.
ON_PURPOSE = (
    "your code says so itself: it raises an HTTPException with this code.",
    "answer with the code that is made for the case: 4xx where the request is at fault. A 5xx says that you are.",
)


def first_detail(body: Any) -> tuple[list[str], str]:
    """Where FastAPI misses something in a request, and what it says of it, in the body of a 422. Empty for others."""
    details = body.get("detail") if isinstance(body, dict) else None
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    return [str(piece) for piece in first.get("loc") or ()], str(first.get("msg", ""))


def refused_by_its_type(body: Any) -> tuple[str, str]:
    """What is likely, and what to do next, when FastAPI did not take an id in the path. Empty for all other bodies."""
    where, _ = first_detail(body)
    if where[:1] == ["query"]:
        return (
            f"the path has another name between its braces: FastAPI looks for `{where[-1]}` behind a `?`.",
            'give both one name: `@app.get("/agent/status/{task_id}")` and `task_id: str`.',
        )
    if where[:1] != ["path"]:
        return "", ""
    return (
        "the type of the path parameter (`UUID`, `int`) refuses the id: FastAPI answers 422 by itself.",
        "take the id as a text, `task_id: str`, and raise the 404 when there is no such task.",
    )


def submit_refused(body: Any) -> tuple[str, str, str]:
    """What was seen, is likely, and comes next, when FastAPI took a submit for an invalid one."""
    where, what = first_detail(body)
    return (
        f"it misses {'.'.join(where)}: {what}" if where else "the answer is 422, where 202 Accepted is due",
        'FastAPI did not get to your code: it looks for something else than the body {"prompt": "…"}.',
        "let submit have one parameter of the model, `body: SubmitRequest`, and the model one field, `prompt: str`.",
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


#: What an error means that came through none of the learner's lines: the first that fits.
_MEANINGS = {
    re.compile(r"ResponseValidationError.*= HTTPException\("): RETURNED,
    re.compile(r"ResponseValidationError.*= None:"): (
        "the handler returns nothing: there is a way through it that does not get to a `return`.",
        "return the task on every way, or raise an HTTPException.",
    ),
    re.compile(r"ResponseValidationError"): (
        "what the handler returns is not what it promises behind `->`.",
        "return the task itself, a dictionary; or let the annotation say what you do return.",
    ),
    re.compile(r".*coroutine"): (
        "a coroutine is kept where its outcome should be: a function is called without `await`, and so it never runs.",
        "write `await` before the call.",
    ),
    re.compile(r".*(Unable to serialize|not JSON serializable|is not iterable|must have __dict__)"): (
        "something in the answer cannot be written as JSON: an exception, a lock, a handle.",
        "give back texts, numbers, lists and dictionaries: `str(error)`, for one, in place of the exception.",
    ),
    re.compile(r"TypeError: [\w.<>]+\(\) (missing|takes|got) "): (
        "a function is called with other arguments than it takes. Who hands it over hands its arguments over, too.",
        "compare its `def` with the call, or with what follows its name in `add_task(…)` or `delay(…)`.",
    ),
    re.compile(r"AttributeError: module .* has no attribute 'app'(\. Did you mean: .*)?$"): (
        "the module has no `app`: it has another name there, or the file is empty.",
        "keep the stub's name: `app = FastAPI(…)`.",
    ),
}


def meaning(error: str) -> tuple[str, str]:
    """What is likely, and what to do next, for an error that the learner's process printed. Empty for all others."""
    return next((meant for pattern, meant in _MEANINGS.items() if pattern.match(error)), ("", ""))


def _short(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"
