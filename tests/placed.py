"""Raw responses in, placed calls out, judged by the real rooms: samples for the tests of several rooms."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from probe.call import CallRecord, CallRequest, Direction, Ending, Media, Message
from probe.health import Accounts, Standing, observe
from probe.judged import JudgedCall, judge_call

START = datetime(2026, 11, 22, 10, 0, 0, 123_000, UTC)
LOCAL, REMOTE = "192.0.2.10:5060", "192.0.2.20:5060"
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.20\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

CONTACTS = "url=https://redress.example.com/r;tel=+12025550142;id=blk-0001"
BLOCKED = (
    "603 Network Blocked",
    f'Reason: SIP;cause=603;text="v=analytics1;{CONTACTS}";location=RLN',
)
SUSPECTED = (
    "603 Decline",
    'Reason: SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r";location=RLN',
)


def request(**asked: object) -> CallRequest:
    """A call that is asked for, with whatever the test says of it."""
    defaults: dict[str, object] = {
        "id": "0197f1c2-0000-7000-8000-000000000001",
        "plan_key": "k",
        "trunk": "carrier-a",
        "caller": "+12025550101",
        "callee": "+12025550191",
        "network": "verizon",
    }
    return CallRequest(**defaults | asked)


def placed(  # noqa: PLR0913 - one keyword for each fact of a call
    *responses: tuple[float, Direction, bytes],
    at: datetime = START,
    ending: Ending | None = None,
    detail: str | None = None,
    media: Media | None = None,
    transport: str = "udp",
    ends: tuple[str, str] = (LOCAL, REMOTE),
    **asked: object,
) -> JudgedCall:
    """A call that was placed: an INVITE at 0 ms, then the messages given."""
    call = request(**asked)
    sent = [(0.0, Direction.SENT, invite(call)), *responses]
    messages = tuple(
        Message(at_ms=ms, direction=way, transport=transport, local=ends[0], remote=ends[1], raw=raw)
        for ms, way, raw in sent
    )
    last = max(ms for ms, _, _ in sent)
    return judge_call(
        CallRecord(
            request=call,
            started_at=at,
            ended_at=at + timedelta(milliseconds=last),
            ending=ending or Ending.REFUSED,
            messages=messages,
            detail=detail,
            media=media,
        )
    )


def unplaced(ending: Ending, detail: str, *, at: datetime = START, **asked: object) -> JudgedCall:
    """A call of which no message exists."""
    record = CallRecord(request=request(**asked), started_at=at, ended_at=at, ending=ending, detail=detail)
    return judge_call(record)


def refused(
    status_line: str, *headers: str, ms: float = 412, rang_ms: float | None = None, **given: object
) -> JudgedCall:
    """A call that got one final response, after ringing if `rang_ms` says when it began."""
    call = request(**{key: value for key, value in given.items() if key in {"caller", "callee"}})
    ringing = [] if rang_ms is None else [(rang_ms, Direction.RECEIVED, response(call, "180 Ringing"))]
    messages = [
        (4.0, Direction.RECEIVED, response(call, "100 Trying")),
        *ringing,
        (ms, Direction.RECEIVED, response(call, status_line, *headers)),
        (ms + 1, Direction.SENT, in_dialog(call, "ACK", sequence=1)),
    ]
    return placed(*messages, **given)


def answered(*, ms: float = 3_100, held_ms: float = 6_000, **given: object) -> JudgedCall:
    """A call that rang, was answered, held, and ended by our BYE."""
    call = request(**{key: value for key, value in given.items() if key in {"caller", "callee"}})
    messages: Sequence[tuple[float, Direction, bytes]] = (
        (4.0, Direction.RECEIVED, response(call, "100 Trying")),
        (210.0, Direction.RECEIVED, response(call, "180 Ringing")),
        (ms, Direction.RECEIVED, response(call, "200 OK", body=SDP)),
        (ms + 1, Direction.SENT, in_dialog(call, "ACK", sequence=1)),
        (ms + held_ms, Direction.SENT, in_dialog(call, "BYE", sequence=2)),
        (ms + held_ms + 5, Direction.RECEIVED, response(call, "200 OK", cseq="2 BYE")),
    )
    media = Media(codec="PCMU", rtp_sent=300, rtp_received=298)
    return placed(*messages, ending=Ending.ANSWERED, media=media, **given)


def standings_of(calls: Iterable[JudgedCall]) -> tuple[Standing, ...]:
    """What these calls add up to, in the order given."""
    accounts = Accounts()
    for seen in filter(None, map(observe, calls)):
        accounts.add(seen)
    return accounts.standings()


def invite(call: CallRequest) -> bytes:
    return _message(f"INVITE sip:{call.callee}@sbc.example.com SIP/2.0", call, "1 INVITE")


def in_dialog(call: CallRequest, method: str, *, sequence: int) -> bytes:
    return _message(f"{method} sip:{call.callee}@sbc.example.com SIP/2.0", call, f"{sequence} {method}")


def response(call: CallRequest, status_line: str, *headers: str, cseq: str = "1 INVITE", body: bytes = b"") -> bytes:
    return _message(f"SIP/2.0 {status_line}", call, cseq, *headers, body=body)


def _message(first: str, call: CallRequest, cseq: str, *headers: str, body: bytes = b"") -> bytes:
    kind = ("Content-Type: application/sdp",) if body else ()
    lines = (
        first,
        "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-1",
        f"From: <sip:{call.caller}@sbc.example.com>;tag=a1",
        f"To: <sip:{call.callee}@sbc.example.com>;tag=b2",
        "Call-ID: c1@probe.example.net",
        f"CSeq: {cseq}",
        *headers,
        *kind,
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body
