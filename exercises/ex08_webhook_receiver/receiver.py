"""Exercise 8: receive a callback. Read README.md first; run `kit check 8` as often as you like.

Anybody can POST to your endpoint. Trust nothing until its signature is verified, accept each delivery once, and
respond before you start to work: the sender waits seconds, not minutes.
"""

import os
from typing import Any

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from standardwebhooks import Webhook, WebhookVerificationError

from patterns.practice import run_agent

SECRET = os.environ.get("WEBHOOK_SECRET", "whsec_dGhpcyBpcyBub3QgYSBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==")

app = FastAPI()
webhook = Webhook(SECRET)

# The ids of the accepted deliveries.
taken: set[str] = set()


def work(callback: dict[str, Any]) -> None:
    """Do the work for one callback. It takes seconds, and may fail."""
    run_agent(f"Follow up on {callback['task_id']}")


@app.post("/hooks/agent", status_code=204)
async def hook(request: Request, background_tasks: BackgroundTasks) -> None:
    # TODO 1: read the raw body (await request.body()), and get the callback from webhook.verify(body, headers).
    #         If that raises, whatever the exception, refuse the delivery with HTTPException(400, …).
    # TODO 2: if a delivery with the same "webhook-id" header was already accepted, respond without working on it again.
    # TODO 3: remember the delivery, hand the work over with background_tasks.add_task(…), and return.
    raise HTTPException(501, "TODO 1, in hook")
