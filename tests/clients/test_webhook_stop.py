"""A server that is told to stop tells the last outcomes first."""

import signal

from patterns import WEBHOOK
from tests.clients.loopback import Script
from tests.clients.webhooks import HOOK, SECRET, TAKEN, submit, url_of, verified
from tests.serving import QUICK_AGENT, Servers
from tests.waiting import eventually


def test_on_sigterm_what_finishes_and_what_is_ended_is_told_within_the_grace(servers: Servers, script: Script) -> None:
    settings = {"KIT_GRACE_SECONDS": "2", "KIT_WORKERS": "2", "KIT_WEBHOOK_SECRET": SECRET}
    served = servers.serve(WEBHOOK, {**QUICK_AGENT, **settings})
    script.on(HOOK, TAKEN)
    hanging = submit(served, url_of(script), "hang: for ever")
    served.until(hanging, "running")
    running = submit(served, url_of(script))
    waiting = submit(served, url_of(script))
    served.until(running, "running")
    web = served.running.web[0]

    web.kill(signal.SIGTERM)
    eventually(lambda: web.exit_code, lambda code: code is not None)

    told = {callback["task_id"]: callback for callback in map(verified, script.seen(HOOK))}
    assert {task_id: callback["status"] for task_id, callback in told.items()} == {
        running: "completed",
        waiting: "completed",
        hanging: "failed",
    }
    assert told[hanging]["error"]["code"] == "shutdown"
    assert script.count(HOOK) == 3
