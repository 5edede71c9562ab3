"""One call under way: reports of the child come in, the record of what happened goes out.

The parent decides (ring limit, hold, stop); the child obeys. Every wait has an end.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from probe.agent.line import Deserted, Failed, HangUp, Obeyed, Order, Report
from probe.call import CallRecord, CallRequest, Direction, Ending, Media, Message, Security
from probe.sip import read_conversation, read_response
from probe.stack import Change, Phase, Wire

SILENCE_S = 8.0
"""So long we wait for a first word. UDP has repeated the INVITE four times by then (RFC 3261 s17.1.1.2)."""

_ENDING_S = 4.0  # for the answer to our CANCEL or BYE
_STOPPING_S = 1.2  # the same when the program is told to stop: it is gone within 2 s
_OBEDIENCE_S = 1.0  # for the child to say that it has hung up, or anything else: it may have a thousand to hang up
_BUSY_S = 30.0  # so long at most is a child waited for that speaks of other calls only
_FIRST_FINAL = 200  # RFC 3261 s7.2
_FIRST_REFUSAL = 300
# A far end may talk without end. So much of a call is kept as it comes, of the rest the first message of each kind.
_MOST_MESSAGES = 500
_MOST_BYTES = 1_000_000
_MOST_KINDS = 100
_CHALLENGES = {401, 407}  # the same INVITE with credentials follows; if none does, the wait for it is short
_ANSWER_TO_CANCEL = 487  # RFC 3261 s15.1.2


class Wait(StrEnum):
    """What a call waits for."""

    FIRST_WORD = "first word"
    FINAL = "final response"
    HOLD = "end of hold"
    END = "end"


class Stopped(StrEnum):
    """Why we hung up."""

    SILENCE = "silence"
    RING_LIMIT = "ring limit"
    HELD = "held"
    SHUTDOWN = "shutdown"
    UNREADABLE = "final response that the library cannot take"
    DESERTED = "the parent stood still"


@dataclass(frozen=True, slots=True)
class Stop:
    """A word of the parent among the reports of the child: hang up, because the program ends."""


@dataclass(slots=True)
class Flight:
    """The state of one call under way. `began`, `deadline` and `stopped_at` are time.monotonic() in seconds.

    `ended`: the library holds it to be over, which it says as soon as we hang up; the far end's answer is still to
    come. `leaked`: the library may still hold the call. `hung`: the child did not even say that it had hung up.
    `kinds` of messages are noted only where there are too many to keep them all; `left_out` counts those not kept.
    """

    request: CallRequest
    call_id: str
    began: float
    deadline: float
    wait: Wait = Wait.FIRST_WORD
    wires: list[Wire] = field(default_factory=list)
    kept_bytes: int = 0
    kinds: set[tuple[bool, bytes, str]] = field(default_factory=set)
    left_out: int = 0
    stopped: Stopped | None = None
    stopped_at: float = 0.0
    patience_s: float = 0.0
    obeyed: bool = False
    trouble: str | None = None
    child_died: bool = False
    ended: bool = False
    media: Media | None = None
    leaked: bool = False
    hung: bool = False
    over: bool = False

    @property
    def heard(self) -> bool:
        """Whether anything came off the wire."""
        return any(not wire.sent for wire in self.wires)


def begin_flight(request: CallRequest, call_id: str, now: float) -> Flight:
    """A call that is about to be dialled."""
    return Flight(request=request, call_id=call_id, began=now, deadline=now + _patience(request))


def _patience(request: CallRequest) -> float:
    return min(SILENCE_S, request.ring_limit_ms / 1000)


class Course:
    """Moves a call on by each report of its child, and by its deadline, until it is over."""

    def __init__(self, flight: Flight, order: Callable[[Order], None], quiet_s: Callable[[], float]) -> None:
        """`quiet_s` says for how long the child has said nothing of any call."""
        self._flight, self._order, self._quiet_s = flight, order, quiet_s
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._timer = self._loop.call_at(flight.deadline, self._look_at_time)

    def take(self, report: Report | Stop | None) -> None:
        """Hear a report of the child; None means that it has died."""
        _take(self._flight, report, self._order)
        if self._flight.over:
            self._end()
        elif self._flight.deadline < self._timer.when():
            self._wait()

    async def over(self) -> None:
        """Wait for the end of the call."""
        try:
            await self._over
        finally:
            self._timer.cancel()

    def _look_at_time(self) -> None:
        if time.monotonic() >= self._flight.deadline:
            _time_is_up(self._flight, self._order, self._quiet_s)
        if self._flight.over:
            self._end()
        else:
            self._wait()

    def _wait(self) -> None:
        self._timer.cancel()
        self._timer = self._loop.call_at(self._flight.deadline, self._look_at_time)

    def _end(self) -> None:
        self._timer.cancel()
        if not self._over.done():
            self._over.set_result(None)


def _hang_up(flight: Flight, order: Callable[[Order], None], why: Stopped, patience_s: float) -> None:
    flight.stopped = why
    flight.wait = Wait.END
    flight.stopped_at = time.monotonic()
    flight.patience_s = patience_s
    flight.deadline = flight.stopped_at + patience_s
    order(HangUp(call_id=flight.call_id))


def _time_is_up(flight: Flight, order: Callable[[Order], None], quiet_s: Callable[[], float]) -> None:
    match flight.wait:
        case Wait.FIRST_WORD:
            # There is nothing to cancel yet (RFC 3261 s9.1). The child keeps the call until it can be.
            _hang_up(flight, order, Stopped.SILENCE, _OBEDIENCE_S)
        case Wait.FINAL:
            _hang_up(flight, order, Stopped.RING_LIMIT, _ENDING_S)
        case Wait.HOLD:
            _hang_up(flight, order, Stopped.HELD, _ENDING_S)
        case Wait.END:
            _give_up(flight, quiet_s())


def _give_up(flight: Flight, quiet_s: float) -> None:
    """End the wait for an answer; but a child that has not even come to this call's order is waited for."""
    now = time.monotonic()
    disobeyed = flight.stopped is not None and not flight.obeyed
    if disobeyed and quiet_s < _OBEDIENCE_S and now < flight.stopped_at + _BUSY_S:
        flight.deadline = now + _OBEDIENCE_S - quiet_s
        return
    flight.hung = disobeyed and quiet_s >= _OBEDIENCE_S
    flight.leaked = flight.over = True


def _take(flight: Flight, report: Report | Stop | None, order: Callable[[Order], None]) -> None:
    match report:
        case None:
            flight.child_died = flight.over = True
        case Stop():
            _stop(flight, order)
        case Failed():
            flight.trouble, flight.over = report.why, True
        case Obeyed():
            _obeyed(flight)
        case Deserted():
            _deserted(flight)
        case Wire():
            _heard(flight, report, order)
        case Change(phase=Phase.ANSWERED):
            _answered(flight)
        case Change(phase=Phase.ENDED):
            _ended(flight, report)


def _stop(flight: Flight, order: Callable[[Order], None]) -> None:
    if flight.wait in {Wait.FIRST_WORD, Wait.FINAL, Wait.HOLD}:
        _hang_up(flight, order, Stopped.SHUTDOWN, _STOPPING_S)
    else:
        flight.deadline = min(flight.deadline, time.monotonic() + _STOPPING_S)


def _obeyed(flight: Flight) -> None:
    flight.obeyed = True
    flight.deadline = time.monotonic() + flight.patience_s
    if not flight.heard or flight.stopped is Stopped.UNREADABLE:
        flight.leaked = flight.over = True


def _deserted(flight: Flight) -> None:
    """The child has hung up by itself: we are late, and only the answers to that are still to come."""
    if flight.stopped is None:
        flight.stopped, flight.trouble = Stopped.DESERTED, "probe stood still, so its user agent hung up"
    flight.obeyed, flight.wait = True, Wait.END
    flight.deadline = time.monotonic() + _ENDING_S


def _heard(flight: Flight, wire: Wire, order: Callable[[Order], None]) -> None:
    _keep(flight, wire)
    flight.over |= flight.ended and _is_settled(flight)
    if wire.sent:
        _left(flight)
        return
    if flight.wait is Wait.FIRST_WORD:
        flight.wait = Wait.FINAL
        flight.deadline = _first_invite(flight) + flight.request.ring_limit_ms / 1000
    if wire.dropped and (_answers(wire, "INVITE") or 0) >= _FIRST_FINAL:
        _unreadable(flight, order)


def _keep(flight: Flight, wire: Wire) -> None:
    """Keep a message, unless it is one of too many and another of its kind is kept."""
    if len(flight.wires) >= _MOST_MESSAGES or flight.kept_bytes >= _MOST_BYTES:
        flight.kinds = flight.kinds or {_kind(kept) for kept in flight.wires}
        kind = _kind(wire)
        if kind in flight.kinds or len(flight.kinds) >= _MOST_KINDS:
            flight.left_out += 1
            return
        flight.kinds.add(kind)
    flight.wires.append(wire)
    flight.kept_bytes += len(wire.raw)


def _kind(wire: Wire) -> tuple[bool, bytes, str]:
    """Give the direction, the method or the status, and the method that a response answers."""
    first, second = (*wire.raw.split(b" ", 2), b"")[:2]
    if not first.startswith(b"SIP/"):
        return wire.sent, first, ""
    answered = read_response(wire.raw).header("CSeq") or ""
    return wire.sent, second, answered.rpartition(" ")[2]


def _left(flight: Flight) -> None:
    """Count the wait for a first word from when the INVITE left: the child may have had others to send before it."""
    if flight.wait is Wait.FIRST_WORD:
        flight.deadline = max(flight.deadline, _first_invite(flight) + _patience(flight.request))


def _answers(wire: Wire, method: str) -> int | None:
    """Give the status of a response to such a request; the head of a cut one may have lost its CSeq."""
    response = read_response(wire.raw)
    return response.status if method in (response.header("CSeq") or method) else None


def _unreadable(flight: Flight, order: Callable[[Order], None]) -> None:
    """The library would wait on; we have read the message, or its head, and that ends the call."""
    flight.trouble = flight.trouble or "the SIP library cannot act on the final response"
    if flight.wait is Wait.END:
        flight.leaked = flight.over = True
    else:
        _hang_up(flight, order, Stopped.UNREADABLE, _OBEDIENCE_S)


def _first_invite(flight: Flight) -> float:
    return next((wire.at for wire in flight.wires if wire.sent), flight.began)


def _answered(flight: Flight) -> None:
    if flight.wait in {Wait.FIRST_WORD, Wait.FINAL}:
        flight.wait = Wait.HOLD
        flight.deadline = time.monotonic() + flight.request.hold_ms / 1000


def _ended(flight: Flight, change: Change) -> None:
    flight.ended = True
    flight.trouble = change.trouble or flight.trouble
    if change.codec is not None:
        flight.media = Media(
            codec=change.codec,
            rtp_sent=change.rtp_sent,
            rtp_received=change.rtp_received,
            encrypted=change.encrypted,
        )
    if flight.wait is not Wait.END:
        flight.wait = Wait.END
        flight.deadline = time.monotonic() + _ENDING_S
    # An INVITE that nobody answered is still out, and the child has to cancel it as soon as it may.
    flight.leaked |= flight.stopped is not None and not flight.heard
    flight.over |= _is_settled(flight)


def _is_settled(flight: Flight) -> bool:
    """Say whether all is said: a failure has its ACK, a BYE and a CANCEL have their answers."""
    final = _final_status(flight.wires)
    if final is None:
        return not _has(flight, b"CANCEL ")
    if final >= _FIRST_REFUSAL:
        return _has(flight, b"ACK ")
    return not _has(flight, b"BYE ") or any(_answers(wire, "BYE") for wire in flight.wires)


def _final_status(wires: list[Wire]) -> int | None:
    heard = (_answers(wire, "INVITE") for wire in wires if not wire.sent)
    return next((status for status in heard if status and status >= _FIRST_FINAL and status not in _CHALLENGES), None)


def _has(flight: Flight, start: bytes) -> bool:
    return any(wire.raw.startswith(start) for wire in flight.wires)


def record_of(flight: Flight, now: datetime, security: Security) -> CallRecord:
    """Write down what happened. Times of the wire become milliseconds from the first INVITE."""
    zero = _first_invite(flight)
    started_at = now - timedelta(seconds=time.monotonic() - zero)
    messages = tuple(_message(wire, zero) for wire in flight.wires)
    ending, detail = _ending(flight, messages)
    if flight.left_out:
        much = f"the far end said too much: {flight.left_out} of its messages and our answers are not kept"
        detail = f"{detail}; {much}" if detail else much
    return CallRecord(
        request=flight.request,
        started_at=started_at.astimezone(UTC),
        ended_at=now.astimezone(UTC),
        ending=ending,
        messages=messages,
        detail=detail,
        media=flight.media,
        security=security,
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
        (flight.hung, Ending.AGENT_FAILED, "The SIP user agent hung and was killed."),
        (flight.stopped is Stopped.SHUTDOWN, Ending.STOPPED, "probe was told to stop"),
        (flight.stopped is Stopped.DESERTED, Ending.STOPPED, flight.trouble),
        (flight.stopped is Stopped.RING_LIMIT, Ending.RING_LIMIT, None),
        (not messages, Ending.NO_RESPONSE, flight.trouble or f"no connection {_within(flight)}"),
        (not flight.heard, Ending.NO_RESPONSE, flight.trouble or f"not one answer {_within(flight)}"),
        (True, Ending.NO_RESPONSE, flight.trouble or "the call ended without a final response"),
    )
    return next((ending, detail) for holds, ending, detail in rules if holds)


def _within(flight: Flight) -> str:
    return f"within {_patience(flight.request):g} s"
