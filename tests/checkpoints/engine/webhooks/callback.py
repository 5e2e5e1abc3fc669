"""What a callback must be: the finished task, and signed by Standard Webhooks (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from urllib.parse import unquote

from tests.checkpoints.engine.actors.task import FINISHED, Json
from tests.checkpoints.engine.diagnosis.failures import Wrong
from tests.checkpoints.engine.http.scripted_server import Request
from tests.checkpoints.engine.webhooks.signing import signature

#: Where the learner's process is: not in UTC, as few laptops are, so that a time without its zone is another time.
TIME_ZONE = "KIT-5:45"  # as POSIX writes it: a name, and what is to be added to get UTC
_OFFSET_SECONDS = 5 * 3600 + 45 * 60
#: Where it is not known yet what status tells.
NOTHING: Json = {}
#: How old a callback may be before receivers refuse it.
_TOLERANCE_SECONDS = 300
#: What a task has from its submit on, or has when it is finished. What is noted beside may come later.
_FIELDS = ("status", "result", "error", "prompt", "callback_url")
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_NOT_UTC = "the time is local: this server is not in UTC, and `sign` takes whatever it gets for UTC."
_NO_ZONE = "the time has no zone: `timestamp()` takes `datetime.utcnow()` for local, and this server is not in UTC."
_WITH_ZONE = "take `datetime.now(UTC)` once for each attempt, for the header and for `sign`."


def must_report(request: Request, task_id: str, record: Json = NOTHING) -> None:
    """Diagnose a callback that does not tell a finished task; the very `record`, where one is given."""
    body = request.json
    if request.method != "POST":
        likely, next_step = "another method of the client is called.", "POST it: `client.post(…)`."
        raise Wrong("CALLBACK_WRONG", f"the method is {request.method}, where POST is due", likely, next_step)
    if not isinstance(body, dict):
        text = " ".join(request.body[:60].decode(errors="replace").split())
        twice = isinstance(body, str) and body.startswith("{")
        raise Wrong(
            "CALLBACK_WRONG",
            f"its body is {text.replace(task_id, '…')[:20] or 'empty'}…, where a JSON object is due",
            "it is JSON in JSON: a text that `json.dumps` has made is dumped once more by `json=`." if twice else "",
        )
    if body.get("task_id") != task_id:
        raise Wrong("CALLBACK_WRONG", f'its "task_id" is {body.get("task_id")!r}, and the body has {sorted(body)}')
    status = body.get("status")
    if status is None:
        raise Wrong("CALLBACK_WRONG", f'its "status" is not there, and the body has {sorted(body)}')
    if status not in FINISHED:
        raise Wrong("CALLBACK_TOO_SOON", f'the body of the callback says "status": {status!r}')
    for field in [name for name in _FIELDS if name in record]:
        if field not in body:
            raise Wrong("CALLBACK_WRONG", f"it has no {field!r}, and status tells {record[field]!r}")
        if body[field] != record[field]:
            raise Wrong("CALLBACK_WRONG", f"its {field!r} is {body[field]!r}, and status tells {record[field]!r}")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise Wrong(
            "CALLBACK_WRONG",
            f"its content-type is {kind!r}" if kind else "it has no content-type",
            likely="bytes are sent as they are (`content=`, `data=`), and nothing says that they are JSON.",
            next_step='send the header "content-type": "application/json" too.',
        )


def must_be_signed(request: Request, secret: str) -> None:
    """Diagnose a callback that a receiver with the secret would refuse."""
    bare = secret.removeprefix("whsec_")
    if bare in " ".join([unquote(request.path), *request.headers.values()]) or bare.encode() in request.body:
        raise Wrong("SECRET_SENT")
    if missing := [name for name in _HEADERS if not request.headers.get(name)]:
        raise Wrong("CALLBACK_UNSIGNED", f"it has no {' and no '.join(missing)}")
    delivery, timestamp, given = (request.headers[name] for name in _HEADERS)
    if not (timestamp.isascii() and timestamp.isdecimal()):
        raise Wrong(
            "CALLBACK_STALE",
            "webhook-timestamp is no whole number",
            likely="the time is written as a date, or with its fractions.",
            next_step="send the seconds since 1970, without fractions: `str(int(now.timestamp()))`.",
        )
    came = time.time() - (time.monotonic() - request.at)
    if abs(came - int(timestamp)) > _TOLERANCE_SECONDS:
        off = abs(abs(came - int(timestamp)) - _OFFSET_SECONDS) < _TOLERANCE_SECONDS
        seen = "webhook-timestamp is hours away from now" if off else "webhook-timestamp is not now, in seconds"
        raise Wrong("CALLBACK_STALE", seen, _NO_ZONE if off else "", _WITH_ZONE if off else "")
    signatures = given.split()
    if signature(secret, delivery, timestamp, request.body) in signatures:
        return
    for wrong, likely, next_step in _slips(request, secret, delivery, int(timestamp)):
        if wrong in signatures:
            raise Wrong("SIGNATURE_WRONG", likely=likely, next_step=next_step)
    raise Wrong("SIGNATURE_WRONG")


def _slips(request: Request, secret: str, delivery: str, timestamp: int) -> Iterator[tuple[str, str, str]]:
    """Signatures that people make by mistake, each with its cause and its cure."""
    yield from _of_another_time(request, secret, delivery, timestamp)
    yield from _of_other_bytes(request, secret, delivery, str(timestamp))
    yield from _made_by_hand(request.body, secret, f"{delivery}.{timestamp}.".encode())


def _of_another_time(request: Request, secret: str, delivery: str, timestamp: int) -> Iterator[tuple[str, str, str]]:
    for hours in (_OFFSET_SECONDS, -_OFFSET_SECONDS):
        yield signature(secret, delivery, str(timestamp + hours), request.body), _NOT_UTC, _WITH_ZONE
    for second in (1, -1):
        yield (
            signature(secret, delivery, str(timestamp + second), request.body),
            "the signed time and the header's are not the same second.",
            _WITH_ZONE,
        )


def _of_other_bytes(request: Request, secret: str, delivery: str, timestamp: str) -> Iterator[tuple[str, str, str]]:
    for spaces in ((", ", ": "), (",", ":")):
        for plain in (True, False):
            if isinstance(request.json, dict):
                other = json.dumps(request.json, ensure_ascii=plain, separators=spaces).encode()
                yield (
                    signature(secret, delivery, timestamp, other),
                    "other bytes are signed than are sent: `json=` writes it anew, with other spaces and letters.",
                    "make the bytes once, sign them, and send these very bytes: `content=body`.",
                )
    yield (
        signature(secret, delivery, timestamp, str(request.body).encode()),
        "`sign` was given bytes, and has signed how Python shows them: b'…'.",
        "`sign` takes the body as text: `body.decode()`.",
    )


def _made_by_hand(body: bytes, secret: str, before: bytes) -> Iterator[tuple[str, str, str]]:
    """Those of an HMAC without the library. `before` is what is signed before the body."""
    text, decoded = before + body, base64.b64decode(secret.removeprefix("whsec_"))
    for key in (secret.encode(), secret.removeprefix("whsec_").encode()):
        digest = hmac.new(key, text, hashlib.sha256).digest()
        yield (
            "v1," + base64.b64encode(digest).decode(),
            "the secret is taken as it is written, as the key.",
            "the key is what comes after `whsec_`, decoded from base64. `Webhook(SECRET)` does it.",
        )
    digest = hmac.new(decoded, text, hashlib.sha256).digest()
    for form in (digest.hex(), f"v1,{digest.hex()}", base64.b64encode(digest).decode()):
        yield form, "the signature is right, and written in another form.", 'write "v1,", and the HMAC in base64.'
    alone = hmac.new(decoded, body, hashlib.sha256).digest()
    yield (
        "v1," + base64.b64encode(alone).decode(),
        "the body alone is signed.",
        "sign the id, the timestamp and the body, with dots between: `webhook.sign` does it.",
    )
