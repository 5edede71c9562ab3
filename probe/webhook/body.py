"""An event in, the JSON text that is signed and sent out."""

import json
from datetime import UTC, datetime

from probe.event import Event


def make_body(event: Event) -> bytes:
    """Write an event as compact JSON, the same bytes for the same event: what is signed is what is sent.

    The timestamp is that of the event, not of the try (Standard Webhooks, "Payload structure").
    """
    body = {"type": event.type, "timestamp": _utc_text(event.timestamp), "data": event.data}
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def make_test_event(now: datetime, event_id: str) -> Event:
    """Make the event that `probe webhook test` sends."""
    return Event(id=event_id, type="webhook.test", timestamp=now, data={"message": "probe can reach this endpoint"})


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
