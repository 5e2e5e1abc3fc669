"""`kit submit --webhook`: it starts a receiver, and gets the outcome by a verified callback."""

import pytest

from patterns.contract.settings import new_webhook_secret
from tests.cli.command import Kit
from tests.cli.conftest import SECRET
from tests.support.scripted_server import bound_socket
from tests.support.serving import Served


def test_the_result_comes_with_the_callback(webhook: Served, kit: Kit) -> None:
    outcome = kit("submit", "compare", "--url", webhook.url, "--webhook", "--secret", SECRET)

    assert (outcome.code, outcome.err) == (0, "")
    assert "prompt of 7 characters" in outcome.out


def test_the_secret_may_be_in_the_environment(webhook: Served, kit: Kit) -> None:
    outcome = kit("submit", "compare", "--url", webhook.url, "--webhook", KIT_WEBHOOK_SECRET=SECRET)

    assert outcome.code == 0


def test_a_failed_task_is_reported_with_its_error(webhook: Served, kit: Kit) -> None:
    outcome = kit("submit", "fail: please", "--url", webhook.url, "--webhook", "--secret", SECRET)

    assert (outcome.code, outcome.out) == (1, "")
    assert "agent_error" in outcome.line


def test_a_wrong_secret_is_reported_at_the_deadline(webhook: Served, kit: Kit) -> None:
    secret = new_webhook_secret()

    outcome = kit("submit", "compare", "--url", webhook.url, "--webhook", "--secret", secret, "--deadline", "1.5")

    assert (outcome.code, outcome.out) == (2, "")
    assert "within 1.5 s" in outcome.line
    assert "another secret" in outcome.line
    assert secret not in outcome.line


def test_a_task_that_does_not_end_ends_at_the_deadline(webhook: Served, kit: Kit) -> None:
    outcome = kit("submit", "hang: on", "--url", webhook.url, "--webhook", "--secret", SECRET, "--deadline", "0.5")

    assert outcome.code == 2
    assert "within 0.5 s" in outcome.line
    assert "another secret" not in outcome.line


def test_without_a_secret_the_error_says_where_to_get_it(kit: Kit) -> None:
    outcome = kit("submit", "compare", "--webhook")

    assert outcome.code == 2
    assert "--secret" in outcome.line


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!", "hunter-2"])
def test_an_invalid_secret_is_refused_and_not_shown(webhook: Served, kit: Kit, secret: str) -> None:
    outcome = kit("submit", "compare", "--url", webhook.url, "--webhook", "--secret", secret)

    assert outcome.code == 2
    assert "--secret" in outcome.line
    assert "hunter" not in outcome.line


def test_a_pattern_without_callbacks_is_reported(polled: Served, kit: Kit) -> None:
    outcome = kit("submit", "compare", "--url", polled.url, "--webhook", "--secret", SECRET)

    assert outcome.code == 2
    assert "callback_url" in outcome.line


def test_a_missing_server_is_one_line_here_too(kit: Kit) -> None:
    with bound_socket() as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        outcome = kit("submit", "compare", "--url", url, "--webhook", "--secret", SECRET)

    assert outcome.code == 2
    assert url in outcome.line
