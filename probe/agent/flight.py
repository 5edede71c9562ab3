"""One call under way: reports of the child come in, the record of what happened goes out.

The parent decides (ring limit, hold, stop); the child obeys. Every wait has an end.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from probe.agent.line import Dial, Failed, HangUp, Order, Report
from probe.call import CallRecord, CallRequest, Direction, Ending, Media, Message
from probe.sip import read_conversation
from probe.stack import Change, Phase, Wire

SILENCE_S = 8.0
"""So long we wait for a first word. UDP has repeated the INVITE four times by then (RFC 3261 s17.1.1.2)."""

_ENDING_S = 4.0  # for the answer to our CANCEL or BYE
_STOPPING_S = 1.2  # the same when the program is told to stop: it is gone within 2 s
_FAREWELL_S = 0.5  # for the 200 to our BYE, which comes after the call is over
_FIRST_REFUSAL = 300  # RFC 3261 s7.2: below it a final response is a success
_ANSWER_TO_CANCEL = 487  # RFC 3261 s15.1.2


class Wait(StrEnum):
    """What a call waits for."""

    FIRST_WORD = "first word"
    FINAL = "final response"
    HOLD = "end of hold"
    END = "end"
    FAREWELL = "answer to BYE"


class Stopped(StrEnum):
    """Why we hung up."""

    SILENCE = "silence"
    RING_LIMIT = "ring limit"
    HELD = "held"
    SHUTDOWN = "shutdown"


@dataclass(slots=True)
class Flight:
    """The state of one call under way. `deadline` is time.monotonic() in seconds."""

    request: CallRequest
    call_id: str
    began: float
    deadline: float
    wait: Wait = Wait.FIRST_WORD
    wires: list[Wire] = field(default_factory=list)
    stopped: Stopped | None = None
    trouble: str | None = None
    child_died: bool = False
    media: Media | None = None
    leaked: bool = False
    over: bool = False


def begin_flight(request: CallRequest, call_id: str, now: float) -> Flight:
    """A call that is about to be dialled."""
    limit = min(SILENCE_S, request.ring_limit_ms / 1000)
    return Flight(request=request, call_id=call_id, began=now, deadline=now + limit)


async def fly(
    flight: Flight, dial: Dial, order: Callable[[Order], None], reports: "asyncio.Queue[Report | None]"
) -> None:
    """Dial and follow the call to its end."""
    order(dial)
    while not flight.over:
        left = flight.deadline - time.monotonic()
        try:
            report = await asyncio.wait_for(reports.get(), max(left, 0))
        except TimeoutError:
            _time_is_up(flight, order)
        else:
            _take(flight, report)
    while not reports.empty():
        _take(flight, reports.get_nowait())


def stop(flight: Flight, order: Callable[[Order], None]) -> None:
    """Hang up because the program ends."""
    if flight.wait in {Wait.FIRST_WORD, Wait.FINAL, Wait.HOLD}:
        _hang_up(flight, order, Stopped.SHUTDOWN, _STOPPING_S)


def _hang_up(flight: Flight, order: Callable[[Order], None], why: Stopped, patience_s: float) -> None:
    flight.stopped = why
    flight.wait = Wait.END
    flight.deadline = time.monotonic() + patience_s
    order(HangUp(call_id=flight.call_id))


def _time_is_up(flight: Flight, order: Callable[[Order], None]) -> None:
    match flight.wait:
        case Wait.FIRST_WORD:
            # There is nothing to cancel yet (RFC 3261 s9.1). The child keeps the call until it can be.
            _hang_up(flight, order, Stopped.SILENCE, 0.0)
        case Wait.FINAL:
            _hang_up(flight, order, Stopped.RING_LIMIT, _ENDING_S)
        case Wait.HOLD:
            _hang_up(flight, order, Stopped.HELD, _ENDING_S)
        case Wait.END:
            flight.leaked = True
            flight.over = True
        case Wait.FAREWELL:
            flight.over = True


def _take(flight: Flight, report: Report | None) -> None:
    match report:
        case None:
            flight.child_died = flight.over = True
        case Failed():
            flight.trouble, flight.over = report.why, True
        case Wire():
            _heard(flight, report)
        case Change(phase=Phase.ANSWERED):
            if flight.wait in {Wait.FIRST_WORD, Wait.FINAL}:
                flight.wait = Wait.HOLD
                flight.deadline = time.monotonic() + flight.request.hold_ms / 1000
        case Change(phase=Phase.ENDED):
            _ended(flight, report)


def _heard(flight: Flight, wire: Wire) -> None:
    flight.wires.append(wire)
    if flight.wait is Wait.FIRST_WORD and not wire.sent:
        flight.wait = Wait.FINAL
        flight.deadline = _first_invite(flight) + flight.request.ring_limit_ms / 1000
    elif wire.cut and not wire.sent:
        # The library will never act on a message that is too large for it, but we have read its head.
        flight.over = flight.leaked = True
    elif flight.wait is Wait.FAREWELL and not wire.sent:
        flight.over = True


def _first_invite(flight: Flight) -> float:
    return next((wire.at for wire in flight.wires if wire.sent), flight.began)


def _ended(flight: Flight, change: Change) -> None:
    flight.trouble = change.trouble or flight.trouble
    if change.codec is not None:
        flight.media = Media(codec=change.codec, rtp_sent=change.rtp_sent, rtp_received=change.rtp_received)
    # The call is over when our BYE has left; its 200 is still to come.
    last = flight.wires[-1] if flight.wires else None
    if last is not None and last.sent and last.raw.startswith(b"BYE "):
        flight.wait = Wait.FAREWELL
        flight.deadline = time.monotonic() + _FAREWELL_S
    else:
        flight.over = True


def record_of(flight: Flight, now: datetime) -> CallRecord:
    """Write down what happened. Times of the wire become milliseconds from the first INVITE."""
    zero = _first_invite(flight)
    started_at = now - timedelta(seconds=time.monotonic() - zero)
    messages = tuple(_message(wire, zero) for wire in flight.wires)
    ending, detail = _ending(flight, messages)
    return CallRecord(
        request=flight.request,
        started_at=started_at.astimezone(UTC),
        ended_at=now.astimezone(UTC),
        ending=ending,
        messages=messages,
        detail=detail,
        media=flight.media,
    )


def _message(wire: Wire, zero: float) -> Message:
    return Message(
        at_ms=round((wire.at - zero) * 1000, 3),
        direction=Direction.SENT if wire.sent else Direction.RECEIVED,
        transport=wire.transport,
        local=wire.local,
        remote=wire.remote,
        raw=wire.raw,
        cut=wire.cut,
    )


def _ending(flight: Flight, messages: tuple[Message, ...]) -> tuple[Ending, str | None]:
    """Say how the call ended, seen from our side. What came off the wire goes before what we did."""
    final = read_conversation(messages).final
    status = final.status if final else None
    cancelled = status == _ANSWER_TO_CANCEL and flight.stopped is not None
    rules = (
        (status is not None and status < _FIRST_REFUSAL, Ending.ANSWERED, flight.trouble),
        (status is not None and not cancelled, Ending.REFUSED, flight.trouble),
        (flight.child_died, Ending.AGENT_FAILED, flight.trouble),
        (flight.stopped is Stopped.SHUTDOWN, Ending.STOPPED, "probe was told to stop"),
        (flight.stopped is Stopped.RING_LIMIT, Ending.RING_LIMIT, None),
        (not messages, Ending.NO_RESPONSE, flight.trouble or "no message could be sent"),
        (True, Ending.NO_RESPONSE, flight.trouble or _silence(flight)),
    )
    return next((ending, detail) for holds, ending, detail in rules if holds)


def _silence(flight: Flight) -> str:
    return f"not one answer within {flight.deadline - flight.began:.0f} s"
