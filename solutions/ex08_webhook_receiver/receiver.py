"""Solution 8: receive a callback."""

import os
from typing import Any

from fastapi import BackgroundTasks, FastAPI, HTTPException, Request
from standardwebhooks import Webhook, WebhookVerificationError

from patterns.practice import run_agent

SECRET = os.environ.get("WEBHOOK_SECRET", "whsec_dGhpcyBpcyBub3QgYSBzZWNyZXQsIG9ubHkgYW4gZXhhbXBsZQ==")

app = FastAPI()
webhook = Webhook(SECRET)

taken: set[str] = set()


def work(callback: dict[str, Any]) -> None:
    run_agent(f"Follow up on {callback['task_id']}")


@app.post("/hooks/agent", status_code=204)
async def hook(request: Request, background_tasks: BackgroundTasks) -> None:
    body = await request.body()
    try:
        callback = webhook.verify(body, dict(request.headers))
    except (WebhookVerificationError, ValueError):  # ValueError: not base64, not a number, not JSON
        raise HTTPException(400, "The signature or the timestamp is missing, wrong or stale.") from None
    # Only now: an id in a forged delivery must not keep the genuine one out.
    delivery = request.headers["webhook-id"]
    if delivery not in taken:
        taken.add(delivery)
        background_tasks.add_task(work, callback)
