"""A server that is told to stop tells the last outcomes first."""

import signal
from collections.abc import Callable

from starlette.responses import Response

from patterns import WEBHOOK
from tests.support.scripted_server import Script
from tests.support.serving import QUICK_AGENT, Servers
from tests.support.waiting import eventually
from tests.webhooks.callbacks import HOOK, SECRET, TAKEN, submit, url_of, verified


def test_on_sigterm_what_finishes_and_what_is_ended_is_told_within_the_grace(
    servers: Servers, new_script: Callable[[], Script]
) -> None:
    settings = {"KIT_GRACE_SECONDS": "2", "KIT_WORKERS": "2", "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.05"}
    served = servers.serve(WEBHOOK, {**QUICK_AGENT, **settings, "KIT_WEBHOOK_SECRET": SECRET})
    takes, refuses_once = new_script().on(HOOK, TAKEN), new_script().on(HOOK, Response(status_code=500), TAKEN)
    hanging = submit(served, url_of(refuses_once), "hang: for ever")
    served.until(hanging, "running")
    running, waiting = submit(served, url_of(takes)), submit(served, url_of(takes))
    web = served.running.web[0]

    web.kill(signal.SIGTERM)
    eventually(lambda: web.exit_code, lambda code: code is not None)

    assert {verified(request)["task_id"]: verified(request)["status"] for request in takes.seen(HOOK)} == {
        running: "completed",
        waiting: "completed",
    }
    assert [verified(request)["error"]["code"] for request in refuses_once.seen(HOOK)] == ["shutdown", "shutdown"]
