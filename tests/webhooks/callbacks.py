"""What the tests of webhooks say to a server, and to the place where its callbacks go."""

from typing import Any

import httpx
from standardwebhooks import Webhook
from starlette.responses import Response

from patterns.contract.settings import new_webhook_secret
from tests.support.scripted_server import Script, Seen
from tests.support.serving import Served
from tests.support.waiting import eventually

#: What all servers here sign with.
SECRET = new_webhook_secret()
#: Where the callbacks of a script go, below its URL.
HOOK = "POST /hook"

TAKEN = Response(status_code=204)


def url_of(script: Script) -> str:
    """The callback URL of a script."""
    return f"{script.url}/hook"


def submit(served: Served, callback_url: str, prompt: str = "compare the vendors") -> str:
    """Hand over a task that must be accepted, and give its id."""
    answer = try_submit(served, callback_url, prompt)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["task_id"])


def try_submit(served: Served, callback_url: str, prompt: str = "compare the vendors") -> httpx.Response:
    """Hand over a task, and give the answer, whatever it is."""
    answer = served.http.post("/agent/submit", json={"prompt": prompt, "callback_url": callback_url})
    if answer.status_code == 202:
        served.submitted.append(answer.json()["task_id"])
    return answer


def delivery(served: Served, task_id: str) -> dict[str, Any]:
    """How far the server is with telling the outcome."""
    found: dict[str, Any] = served.task(task_id)["delivery"]
    return found


def until_delivery(served: Served, task_id: str, state: str) -> dict[str, Any]:
    """The delivery, once it is in this state."""
    return eventually(lambda: delivery(served, task_id), lambda delivery: delivery["state"] == state)


def dead_letters(served: Served) -> list[str]:
    """The task ids whose outcome could not be told."""
    answer = served.http.get("/agent/dead-letters", params={"limit": 1000})
    assert answer.status_code == 200, answer.text
    return [task["task_id"] for task in answer.json()]


def verified(request: Seen) -> dict[str, Any]:
    """The callback in a request, checked by the reference library."""
    body: dict[str, Any] = Webhook(SECRET).verify(request.body, dict(request.headers))
    return body
