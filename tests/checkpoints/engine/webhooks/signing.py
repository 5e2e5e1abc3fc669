"""Standard Webhooks without the library: what a sender with the secret sends (https://www.standardwebhooks.com)."""

import base64
import hashlib
import hmac
import secrets
import time


def new_secret() -> str:
    """A signing key: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(secret: str, delivery: str, timestamp: str, body: bytes) -> str:
    """The value of `webhook-signature`: `v1,` and HMAC-SHA256 over `id.timestamp.body`, in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed.digest()).decode()


def signed_headers(secret: str, delivery: str, body: bytes, age: float = 0) -> dict[str, str]:
    """The three headers of a delivery that is `age` seconds old."""
    timestamp = str(int(time.time() - age))
    return {
        "webhook-id": delivery,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, delivery, timestamp, body),
    }
