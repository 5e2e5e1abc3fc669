"""The rules for a callback: the finished task, signed as in Standard Webhooks (https://www.standardwebhooks.com)."""

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

#: The time zone of the learner's process: like most laptops not UTC, so that a time without a zone is wrong.
TIME_ZONE = "KIT-5:45"  # in POSIX notation: a name, and what to add to get UTC
_OFFSET_SECONDS = 5 * 3600 + 45 * 60
#: If the record is not known yet.
NOTHING: Json = {}
#: Receivers refuse a callback that is older than this.
_TOLERANCE_SECONDS = 300
#: The fields that are set by submit, or when the task is finished. Additional fields may be set later.
_FIELDS = ("status", "result", "error", "prompt", "callback_url")
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_NOT_UTC = "the time is local: this server is not in UTC, but `sign` treats every time as UTC."
_NO_ZONE = "the time has no zone: `timestamp()` treats `datetime.utcnow()` as local, but this server is not in UTC."
_WITH_ZONE = "call `datetime.now(UTC)` once per attempt, for both the header and `sign`."


def must_report(request: Request, task_id: str, record: Json = NOTHING) -> None:
    """Diagnose a callback whose body is not a finished task, or not the same as `record`, if given."""
    body = request.json
    if request.method != "POST":
        likely, next_step = "another method of the client is called.", "send a POST: `client.post(…)`."
        raise Wrong("CALLBACK_WRONG", f"the method is {request.method}, expected POST", likely, next_step)
    if not isinstance(body, dict):
        text = " ".join(request.body[:60].decode(errors="replace").split())
        twice = isinstance(body, str) and body.startswith("{")
        raise Wrong(
            "CALLBACK_WRONG",
            f"its body is {text.replace(task_id, '…')[:20] or 'empty'}…, expected a JSON object",
            "it is encoded twice: `json=` encodes the string from `json.dumps` again." if twice else "",
        )
    if body.get("task_id") != task_id:
        raise Wrong("CALLBACK_WRONG", f'its "task_id" is {body.get("task_id")!r}; the body has {sorted(body)}')
    status = body.get("status")
    if status is None:
        raise Wrong("CALLBACK_WRONG", f'it has no "status"; the body has {sorted(body)}')
    if status not in FINISHED:
        raise Wrong("CALLBACK_TOO_SOON", f'the body of the callback says "status": {status!r}')
    for field in [name for name in _FIELDS if name in record]:
        if field not in body:
            raise Wrong("CALLBACK_WRONG", f"it has no {field!r}, but status returns {record[field]!r}")
        if body[field] != record[field]:
            raise Wrong("CALLBACK_WRONG", f"its {field!r} is {body[field]!r}, but status returns {record[field]!r}")
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise Wrong(
            "CALLBACK_WRONG",
            f"its content-type is {kind!r}" if kind else "it has no content-type",
            likely="`content=` and `data=` send bytes as they are, without a header that says that they are JSON.",
            next_step='also send the header "content-type": "application/json".',
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
            "webhook-timestamp is not a whole number",
            likely="the time is written as a date, or with a fraction.",
            next_step="send whole seconds since 1970: `str(int(now.timestamp()))`.",
        )
    arrived = time.time() - (time.monotonic() - request.at)
    if abs(arrived - int(timestamp)) > _TOLERANCE_SECONDS:
        off = abs(abs(arrived - int(timestamp)) - _OFFSET_SECONDS) < _TOLERANCE_SECONDS
        seen = "webhook-timestamp is hours off" if off else "webhook-timestamp is not the current time in seconds"
        raise Wrong("CALLBACK_STALE", seen, _NO_ZONE if off else "", _WITH_ZONE if off else "")
    signatures = given.split()
    if signature(secret, delivery, timestamp, request.body) in signatures:
        return
    for wrong, likely, next_step in _slips(request, secret, delivery, int(timestamp)):
        if wrong in signatures:
            raise Wrong("SIGNATURE_WRONG", likely=likely, next_step=next_step)
    raise Wrong("SIGNATURE_WRONG")


def _slips(request: Request, secret: str, delivery: str, timestamp: int) -> Iterator[tuple[str, str, str]]:
    """Signatures from common mistakes, each with its cause and the fix."""
    yield from _of_another_time(request, secret, delivery, timestamp)
    yield from _of_other_bytes(request, secret, delivery, str(timestamp))
    yield from _made_by_hand(request.body, secret, f"{delivery}.{timestamp}.".encode())


def _of_another_time(request: Request, secret: str, delivery: str, timestamp: int) -> Iterator[tuple[str, str, str]]:
    for hours in (_OFFSET_SECONDS, -_OFFSET_SECONDS):
        yield signature(secret, delivery, str(timestamp + hours), request.body), _NOT_UTC, _WITH_ZONE
    for second in (1, -1):
        yield (
            signature(secret, delivery, str(timestamp + second), request.body),
            "the signed time and the time in the header are not the same second.",
            _WITH_ZONE,
        )


def _of_other_bytes(request: Request, secret: str, delivery: str, timestamp: str) -> Iterator[tuple[str, str, str]]:
    for spaces in ((", ", ": "), (",", ":")):
        for plain in (True, False):
            if isinstance(request.json, dict):
                other = json.dumps(request.json, ensure_ascii=plain, separators=spaces).encode()
                yield (
                    signature(secret, delivery, timestamp, other),
                    "the signed bytes are not the bytes sent: `json=` encodes the body again, with other spaces.",
                    "encode the body once, sign these bytes, and send the same bytes: `content=body`.",
                )
    yield (
        signature(secret, delivery, timestamp, str(request.body).encode()),
        "`sign` got bytes, and signed their representation in Python: b'…'.",
        "pass the body to `sign` as a string: `body.decode()`.",
    )


def _made_by_hand(body: bytes, secret: str, before: bytes) -> Iterator[tuple[str, str, str]]:
    """Signatures from an HMAC without the library. `before` is what is signed before the body."""
    text, decoded = before + body, base64.b64decode(secret.removeprefix("whsec_"))
    for key in (secret.encode(), secret.removeprefix("whsec_").encode()):
        digest = hmac.new(key, text, hashlib.sha256).digest()
        yield (
            "v1," + base64.b64encode(digest).decode(),
            "the secret is used as the key without decoding it.",
            "decode the part after `whsec_` from base64: that is the key. `Webhook(SECRET)` does this.",
        )
    digest = hmac.new(decoded, text, hashlib.sha256).digest()
    for form in (digest.hex(), f"v1,{digest.hex()}", base64.b64encode(digest).decode()):
        yield form, "the signature is right, but in the wrong format.", 'write "v1," and then the HMAC in base64.'
    alone = hmac.new(decoded, body, hashlib.sha256).digest()
    yield (
        "v1," + base64.b64encode(alone).decode(),
        "only the body is signed.",
        "sign the id, the timestamp and the body, joined with dots: `webhook.sign` does this.",
    )
