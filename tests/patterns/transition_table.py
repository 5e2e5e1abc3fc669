"""The transitions of a task and of its delivery, which both stores must make alike."""

from collections.abc import Sequence
from typing import Any

Steps = Sequence[tuple[str, object]]

#: What is done, one step after the other, each with its answer; and what differs from a new task in the end.
#: `start` of a running task is not in here: in Redis it is the next run of a task whose worker has died.
TRANSITIONS: dict[str, tuple[Steps, dict[str, Any]]] = {
    "accepted": ([], {}),
    "started": ([("start", True)], {"status": "running", "started": True}),
    "progress before the start": ([("progress 40", False)], {}),
    "progress": ([("start", True), ("progress 40", True)], {"status": "running", "started": True, "progress": 40}),
    "progress with a message": (
        [("start", True), ("progress 40 reading page 3", True)],
        {"status": "running", "started": True, "progress": 40, "message": "reading page 3"},
    ),
    "a message before the start": ([("progress 40 reading page 3", False)], {}),
    "a report without a message keeps the last one": (
        [("start", True), ("progress 40 reading page 3", True), ("progress 60", True)],
        {"status": "running", "started": True, "progress": 60, "message": "reading page 3"},
    ),
    "a message changes without progress, and with one that goes back": (
        [("start", True), *((f"progress {percent} page {percent}", True) for percent in (40, 40, 20))],
        {"status": "running", "started": True, "progress": 40, "message": "page 20"},
    ),
    "the last message stays after the outcome": (
        [("start", True), ("progress 40 page 3", True), ("complete", None), ("progress 60 page 4", False)],
        {"status": "completed", "started": True, "finished": True, "progress": 100, "result": "the result"}
        | {"message": "page 3"},
    ),
    "progress backwards": (
        [("start", True), ("progress 40", True), ("progress 20", True), ("progress -5", True)],
        {"status": "running", "started": True, "progress": 40},
    ),
    "progress beyond the end": (
        [("start", True), ("progress 1000", True)],
        {"status": "running", "started": True, "progress": 100},
    ),
    "completed": (
        [("start", True), ("complete", None)],
        {"status": "completed", "started": True, "finished": True, "progress": 100, "result": "the result"},
    ),
    "completed, and whatever comes after": (
        [
            *(("start", True), ("complete", None), ("fail", None), ("complete", None), ("start", False)),
            *(("progress 20", False), ("cancel", "AlreadyFinished"), ("cancel", "AlreadyFinished")),
        ],
        {"status": "completed", "started": True, "finished": True, "progress": 100, "result": "the result"},
    ),
    "failed": (
        [("start", True), ("progress 40", True), ("fail", None)],
        {"status": "failed", "started": True, "finished": True, "progress": 40, "error": "agent_error: the error"},
    ),
    "failed, and whatever comes after": (
        [
            *(("start", True), ("fail", None), ("complete", None), ("fail", None), ("start", False)),
            *(("progress 20", False), ("cancel", "AlreadyFinished")),
        ],
        {"status": "failed", "started": True, "finished": True, "error": "agent_error: the error"},
    ),
    "failed before it started": (
        [("fail", None), ("start", False)],
        {"status": "failed", "finished": True, "error": "agent_error: the error"},
    ),
    "cancelled while it waits": ([("cancel", True), ("start", False)], {"status": "cancelled", "finished": True}),
    "cancelled while it runs": (
        [("start", True), ("progress 40", True), ("cancel", True), ("progress 60", False)],
        {"status": "cancelled", "started": True, "finished": True, "progress": 40},
    ),
    "cancelled twice, and whatever comes after": (
        [("start", True), ("cancel", True), ("cancel", True), ("complete", None), ("fail", None), ("start", False)],
        {"status": "cancelled", "started": True, "finished": True},
    ),
    "nothing to deliver without a callback URL": (
        [("complete", None), ("deliver delivered", False), ("redeliver", "NotADeadLetter")],
        {"status": "completed", "finished": True, "progress": 100, "result": "the result"},
    ),
}

_COMPLETED = {"status": "completed", "finished": True, "progress": 100, "result": "the result"}
#: The same for tasks with a callback URL.
DELIVERIES: dict[str, tuple[Steps, dict[str, Any]]] = {
    "accepted": ([], {}),
    "nothing to deliver before the end": (
        [("start", True), ("deliver delivered", False), ("redeliver", "NotADeadLetter")],
        {"status": "running", "started": True},
    ),
    "due": ([("complete", None), ("redeliver", "NotADeadLetter")], _COMPLETED | {"under_way": 1}),
    "delivered": (
        [("complete", None), ("deliver delivered", True), ("deliver dead", False), ("redeliver", "NotADeadLetter")],
        _COMPLETED | {"delivery": "delivered", "attempts": [None]},
    ),
    "a cancelled task is delivered too": (
        [("cancel", True), ("deliver delivered", True)],
        {"status": "cancelled", "finished": True, "delivery": "delivered", "attempts": [None]},
    ),
    "to be tried again": (
        [("complete", None), ("deliver waiting", True)],
        _COMPLETED | {"attempts": ["not acknowledged"], "last_error": "not acknowledged", "due": 60, "under_way": 1},
    ),
    "delivered at the second attempt": (
        [("complete", None), ("deliver waiting", True), ("a minute later", None), ("deliver delivered", True)],
        _COMPLETED | {"delivery": "delivered", "attempts": ["not acknowledged", None]},
    ),
    "given up": (
        [("complete", None), ("deliver dead", True), ("deliver delivered", False)],
        _COMPLETED
        | {"delivery": "dead", "attempts": ["not acknowledged"], "last_error": "not acknowledged", "dead_letters": 1},
    ),
    "sent again": (
        [("complete", None), ("deliver dead", True), ("redeliver", True), ("redeliver", "NotADeadLetter")],
        _COMPLETED | {"attempts": ["not acknowledged"], "under_way": 1},
    ),
    "sent again, and delivered": (
        [("complete", None), ("deliver dead", True), ("redeliver", True), ("deliver delivered", True)],
        _COMPLETED | {"delivery": "delivered", "attempts": ["not acknowledged", None]},
    ),
    "sent again, and given up again": (
        [("complete", None), ("deliver dead", True), ("redeliver", True), ("deliver dead", True)],
        _COMPLETED
        | {"delivery": "dead", "attempts": ["not acknowledged"] * 2, "last_error": "not acknowledged"}
        | {"dead_letters": 1},
    ),
    "the last twenty attempts are kept": (
        [
            ("complete", None),
            *([("deliver waiting", True), ("a minute later", None)] * 25),
            ("deliver delivered", True),
        ],
        _COMPLETED | {"delivery": "delivered", "attempts": [*["not acknowledged"] * 19, None]},
    ),
}

NEW = {
    "status": "pending",
    "progress": 0,
    "message": None,
    "result": None,
    "error": None,
    "started": False,
    "finished": False,
}
UNDELIVERED: dict[str, Any] = {"delivery": "waiting", "attempts": [], "due": None, "last_error": None}
COUNTED = {"under_way": 0, "dead_letters": 0}
