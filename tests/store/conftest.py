"""A fresh store on either database, and the values to fill it with."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from databases import opened

from probe.call import CallRecord, CallRequest, Direction, Ending, Message
from probe.event import Event
from probe.store import Store

NOW = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = opened(url)
    yield store
    store.close()


@pytest.fixture
def make_request() -> Callable[..., CallRequest]:
    def make(call_id: str = "call-1", **changes: object) -> CallRequest:
        asked = {
            "id": call_id,
            "plan_key": f"plan of {call_id}",
            "trunk": "carrier-a",
            "caller": "+12025550101",
            "callee": "+12025550191",
        }
        return CallRequest(**asked | changes)

    return make


@pytest.fixture
def make_message() -> Callable[..., Message]:
    def make(raw: bytes, direction: Direction = Direction.RECEIVED, **changes: object) -> Message:
        carried = {"at_ms": 12.5, "transport": "udp", "local": "192.0.2.1:5060", "remote": "192.0.2.2:5060"}
        return Message(raw=raw, direction=direction, **carried | changes)

    return make


@pytest.fixture
def make_record(make_message: Callable[..., Message]) -> Callable[..., CallRecord]:
    def make(request: CallRequest, status: int = 486, **changes: object) -> CallRecord:
        answer = (
            f"SIP/2.0 {status} Whatever\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
            "From: <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@192.0.2.2>;tag=2\r\n"
            "Call-ID: 1@192.0.2.1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        )
        happened = {
            "started_at": NOW,
            "ended_at": NOW + timedelta(seconds=1),
            "ending": Ending.REFUSED,
            "messages": (make_message(answer.encode()),),
        }
        return CallRecord(request=request, **happened | changes)

    return make


@pytest.fixture
def make_event() -> Callable[..., Event]:
    def make(event_id: str = "msg-1", subject: str | None = None) -> Event:
        return Event(
            id=event_id, type="call.blocked", timestamp=NOW, data={"id": event_id, "é": [1.5]}, subject=subject
        )

    return make
