"""The explanation of a 500 whose exception was raised outside the learner's code."""

import pytest

from tests.checkpoints.engine.diagnosis.framework_errors import last_error, meaning

PRINTED = """\
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "/venv/fastapi/routing.py", line 352, in serialize_response
    raise ResponseValidationError(
    ~~~~~^^^^^^^^^^^^^^^^^^^^^^^^^
{}
"""
INVALID = """\
fastapi.exceptions.ResponseValidationError: 1 validation error:
  {'type': 'dict_type', 'loc': ('response',), 'msg': 'Input should be a valid dictionary', 'input': None}

  File "/home/learner/app.py", line 23, in status
    GET /agent/status/{task_id}"""


def test_a_response_that_does_not_match_its_annotation_is_shown_with_its_value() -> None:
    expected = "ResponseValidationError: response = None: Input should be a valid dictionary"
    assert last_error(PRINTED.format(INVALID)) == expected


@pytest.mark.parametrize("line", ["ValueError: no", "kombu.exceptions.EncodeError: no", "TimeoutError"])
def test_every_other_exception_is_shown_as_printed(line: str) -> None:
    assert last_error(PRINTED.format(line)) == line.rpartition("exceptions.")[2]


def test_without_a_traceback_there_is_no_error() -> None:
    assert last_error("INFO: started\n") == ""


@pytest.mark.parametrize(
    ("error", "likely"),
    [
        ("ResponseValidationError: response = HTTPException(status_code=404…: no", "the HTTPException is returned"),
        ("ResponseValidationError: response = None: no", "the handler returns nothing"),
        ("ResponseValidationError: response.result = 7: no", "the handler's return value does not match"),
        ("PydanticSerializationError: Unable to serialize unknown type: <class 'coroutine'>", "a coroutine is stored"),
        ("TypeError: Object of type set is not JSON serializable", "something in the response cannot be written"),
        ("OSError: disk full", ""),
    ],
)
def test_a_known_error_has_an_explanation(error: str, likely: str) -> None:
    assert meaning(error)[0].startswith(likely)
    assert bool(meaning(error)[1]) == bool(likely)
