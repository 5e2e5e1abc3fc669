"""A server that is stopped delivers the last outcomes first."""

import signal
from collections.abc import Callable

from starlette.responses import Response

from patterns import WEBHOOK
from tests.support.callback_receiver import ACKNOWLEDGED, CallbackReceiver
from tests.support.serving import QUICK_AGENT, Servers
from tests.support.waiting import eventually
from tests.webhooks.signing import SECRET, verified


def test_on_sigterm_every_outcome_is_delivered_within_the_grace_period(
    servers: Servers, new_receiver: Callable[[], CallbackReceiver]
) -> None:
    settings = {"KIT_GRACE_SECONDS": "2", "KIT_WORKERS": "2", "KIT_WEBHOOK_FIRST_PAUSE_SECONDS": "0.05"}
    served = servers.serve(WEBHOOK, {**QUICK_AGENT, **settings, "KIT_WEBHOOK_SECRET": SECRET})
    takes, refuses_once = new_receiver(), new_receiver().answers(Response(status_code=500), ACKNOWLEDGED)
    hanging = served.accept("hang: for ever", callback_url=refuses_once.url)
    served.until(hanging, "running")
    running, waiting = served.accept(callback_url=takes.url), served.accept(callback_url=takes.url)
    web = served.running.web[0]

    web.kill(signal.SIGTERM)
    eventually(lambda: web.exit_code, lambda code: code is not None)

    assert {verified(request)["task_id"]: verified(request)["status"] for request in takes.seen()} == {
        running: "completed",
        waiting: "completed",
    }
    assert [verified(request)["error"]["code"] for request in refuses_once.seen()] == ["shutdown", "shutdown"]
