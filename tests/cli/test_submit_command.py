"""`kit submit`: only the result on standard output, and errors in one line."""

import signal
import subprocess
from pathlib import Path

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from tests.cli.command import COMMAND_SECONDS, KIT, Kit, environment
from tests.support.answers import CANCEL, STATUS, SUBMIT, accepted, task
from tests.support.exit_codes import as_a_shell_says
from tests.support.scripted_server import bound_socket, hang, scripted_server
from tests.support.serving import Served


def test_only_the_result_is_on_standard_output(polled: Served, kit: Kit) -> None:
    outcome = kit("submit", "compare", "--url", polled.url)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("\n") == 1
    assert "prompt of 7 characters" in outcome.out


def test_a_failed_task_is_reported_with_its_error(polled: Served, kit: Kit) -> None:
    outcome = kit("submit", "fail: please", "--url", f"{polled.url}/")

    assert (outcome.code, outcome.out) == (1, "")
    assert "agent_error: RuntimeError: the simulated agent failed, as requested" in outcome.line


def test_without_a_server_the_error_says_how_to_start_one(kit: Kit) -> None:
    with bound_socket() as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        outcome = kit("submit", "compare", "--url", url)

    assert (outcome.code, outcome.out) == (2, "")
    assert url in outcome.line
    assert "kit serve" in outcome.line


def test_a_server_without_the_routes_is_reported_by_its_status(kit: Kit) -> None:
    with scripted_server() as scripts:
        outcome = kit("submit", "compare", "--url", scripts.script().url)

    assert outcome.code == 2
    assert "404" in outcome.line


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://127.0.0.1", "http://127.0.0.1:99999", "http://127.0.0.1:-1", "http://"]
)
def test_an_invalid_url_is_refused(kit: Kit, url: str) -> None:
    outcome = kit("submit", "compare", "--url", url)

    assert outcome.code == 2
    assert "--url" in outcome.line


def test_a_prompt_that_is_not_text_is_refused(polled: Served, kit: Kit) -> None:
    outcome = kit("submit", "\udcff", "--url", polled.url)

    assert outcome.code == 2
    assert outcome.line


def test_a_task_that_takes_too_long_ends_at_the_deadline(polled: Served, kit: Kit) -> None:
    outcome = kit("submit", "hang: for ever", "--url", polled.url, "--deadline", "0.5")

    assert (outcome.code, outcome.out) == (2, "")
    assert "After 0.5 s the task is " in outcome.line


def test_ctrl_c_cancels_the_task(tmp_path: Path) -> None:
    with scripted_server() as scripts:
        script = scripts.script().on("GET /health", PlainTextResponse("ok"))
        script.on(SUBMIT, accepted()).on(STATUS, hang).on(CANCEL, JSONResponse(task("cancelled")))
        argv = [*KIT, "submit", "compare", "--url", script.url]
        with subprocess.Popen(argv, cwd=tmp_path, env=environment({}), stderr=subprocess.PIPE, text=True) as submit:
            script.until_seen(STATUS)
            submit.send_signal(signal.SIGINT)
            _, err = submit.communicate(timeout=COMMAND_SECONDS)

        assert script.count(CANCEL) == 1
    assert as_a_shell_says(submit.returncode) == 130
    assert err == "kit: Interrupted; the task was cancelled.\n"


def test_a_pattern_that_always_calls_back_asks_for_a_url(webhook: Served, kit: Kit) -> None:
    outcome = kit("submit", "compare", "--url", webhook.url)

    assert outcome.code == 2
    assert "callback_url" in outcome.line


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ALL_PROXY", "socks5://127.0.0.1:9"), ("HTTP_PROXY", "http://127.0.0.1:9"), ("SSL_CERT_FILE", "/no/such/file")],
)
def test_a_server_on_this_machine_is_reached_whatever_proxy_is_set(
    polled: Served, kit: Kit, variable: str, value: str
) -> None:
    outcome = kit("submit", "compare", "--url", polled.url, **{variable: value, "NO_PROXY": ""})

    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize(("variable", "value"), [("ALL_PROXY", "nonsense://x"), ("SSL_CERT_FILE", "/no/such/file")])
def test_a_proxy_that_cannot_be_used_is_named(kit: Kit, variable: str, value: str) -> None:
    outcome = kit("submit", "compare", "--url", "https://example.invalid", **{variable: value, "NO_PROXY": ""})

    assert outcome.code == 2
    assert variable in outcome.line
