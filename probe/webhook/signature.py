"""A secret, an id, a moment and a body in, the three headers of Standard Webhooks out."""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from probe.errors import ScenarioError

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)


def sign(secret: str, event_id: str, timestamp: datetime, body: bytes) -> dict[str, str]:
    """Sign one try (Standard Webhooks, "Signature scheme", v1): `timestamp` is that of the try, not of the event.

    Raises ScenarioError for a secret that is none.
    """
    seconds = int(timestamp.timestamp())
    signed = f"{event_id}.{seconds}.".encode() + body
    digest = hmac.digest(read_secret(secret), signed, hashlib.sha256)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def read_secret(secret: str) -> bytes:
    """Give the key inside a `whsec_` secret: 24 to 64 bytes in base64. The message never shows the secret."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ScenarioError(
            "webhook.secret must be whsec_ and then 24 to 64 bytes in base64; "
            'make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key
