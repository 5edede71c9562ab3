"""The SIP messages of a capture in, the `CallRecord` of each call out, as soon as the call is over.

Of a call that was captured on several hops, the first hop counts: it is the one that its caller saw.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote

from probe.call import CallRecord, CallRequest, Direction, Ending, Message
from probe.importing.columns import FIRST_YEAR
from probe.importing.facts import IMPORTED, Source, call_id_of
from probe.importing.remark import Bad, Unreadable
from probe.importing.tshark import Carried, read_messages
from probe.phone import normalise
from probe.scenario.notation import shown
from probe.sip import Request, read_conversation, read_request, read_response

# A message may be sent again for so long (RFC 3261 s17, 64 T1).
_LINGERS: Final = timedelta(seconds=32)
_MOST_OPEN: Final = 50_000
_FAILURE: Final = 300
_SWEEP: Final = 1_000
_USER: Final = re.compile(r"(?:sips?|tel):([^@;>?\s]{1,64})", re.IGNORECASE)
_CALL_ENDS: Final = {"BYE", "CANCEL"}


@dataclass(slots=True)
class _Call:
    """The messages of one Call-ID, the first of which is its INVITE."""

    invite: Request
    messages: list[Carried] = field(default_factory=list)
    over: bool = False

    @property
    def last_at(self) -> datetime:
        return self.messages[-1].at


def read_capture(source: Source) -> Iterator[CallRecord | Bad]:
    """Read the capture on stdin. Raises Unreadable for what tshark cannot read."""
    return calls_of(read_messages(), source)


def calls_of(messages: Iterable[Carried], source: Source) -> Iterator[CallRecord | Bad]:
    """Sort messages by call, and give each call when nothing more can come of it, or at the end."""
    calls: dict[str, _Call] = {}
    broken: Unreadable | None = None
    try:
        for count, carried in enumerate(messages):
            _sort(carried, calls)
            if count % _SWEEP == 0:
                yield from (_read(calls.pop(call_id), source) for call_id in _finished(calls, carried.at))
    except Unreadable as error:
        broken = error  # a capture that was cut short holds whole calls, too
    yield from (_read(call, source) for call in calls.values())
    if broken is not None:
        raise broken


def _finished(calls: dict[str, _Call], now: datetime) -> list[str]:
    over = [call_id for call_id, call in calls.items() if call.over and call.last_at + _LINGERS < now]
    # More calls at once than any capture has: a flood of INVITEs that nobody answers.
    return over or list(calls)[: max(0, len(calls) - _MOST_OPEN)]


def _sort(carried: Carried, calls: dict[str, _Call]) -> None:
    request = read_request(carried.raw)
    headers = request or read_response(carried.raw)
    call_id = headers.header("call-id")
    if call_id is None:
        return
    if call_id not in calls:
        if request is None or request.method != "INVITE" or ";tag=" in (request.header("to") or "").lower():
            return
        calls[call_id] = _Call(request)
    call = calls[call_id]
    call.messages.append(carried)
    call.over = call.over or _ends_call(request, carried.raw)


def _ends_call(request: Request | None, raw: bytes) -> bool:
    if request is not None:
        return request.method in _CALL_ENDS
    response = read_response(raw)
    challenge = response.status in {401, 407}
    return (response.status or 0) >= _FAILURE and not challenge and "INVITE" in (response.header("cseq") or "")


def _read(call: _Call, source: Source) -> CallRecord | Bad:
    try:
        return _record(call, source)
    except ValueError as error:
        return Bad(line=call.messages[0].packet, sentence=str(error))


def _record(call: _Call, source: Source) -> CallRecord:
    first = call.messages[0]
    caller, callee = _caller(call.invite), _number(call.invite.uri)
    if caller is None:
        raise ValueError(f"begins a call from {shown(_user(call.invite.header('from')))}, which is no phone number.")
    if callee is None:
        raise ValueError(f"begins a call to {shown(_user(call.invite.uri))}, which is no phone number.")
    if any(one.at > source.latest or one.at.year < FIRST_YEAR for one in call.messages):
        raise ValueError("has a time in the future, or in another age; look at the clock of what captured it.")
    messages = tuple(_messages(call))
    conversation = read_conversation(messages)
    status = conversation.final.status if conversation.final else None
    if status is None:
        raise ValueError("begins a call of which the capture holds no final response.")
    call_id = call_id_of(first.at, f"{caller} {callee} {status} {conversation.call_id}")
    return CallRecord(
        request=CallRequest(
            id=call_id,
            plan_key=f"import|{call_id}",
            trunk=IMPORTED,
            caller=caller,
            callee=callee,
            site=IMPORTED,
            network=source.network,
            ring_limit_ms=0,
            hold_ms=0,
        ),
        started_at=first.at,
        ended_at=max(one.at for one in call.messages),
        ending=Ending.ANSWERED if status < _FAILURE else Ending.REFUSED,
        messages=messages,
        imported=f"{source.name}:{first.packet}",
    )


def _messages(call: _Call) -> Iterator[Message]:
    first = call.messages[0]
    for one in call.messages:
        direction = _direction(one, first)
        if direction is not None:
            local, remote = (one.source, one.target) if direction is Direction.SENT else (one.target, one.source)
            yield Message(
                at_ms=max(0.0, (one.at - first.at) / timedelta(milliseconds=1)),
                direction=direction,
                transport=one.transport,
                local=local,
                remote=remote,
                raw=one.raw,
            )


def _direction(one: Carried, first: Carried) -> Direction | None:
    """Say which way a message goes, seen from who sent the INVITE; None for one on another hop."""
    if one.source == first.source:
        return Direction.SENT if _host(one.target) == _host(first.target) else None
    if one.target == first.source:
        return Direction.RECEIVED if _host(one.source) == _host(first.target) else None
    # Some send from one port and listen on another.
    hosts, way = (_host(one.source), _host(one.target)), (_host(first.source), _host(first.target))
    if way[0] == way[1]:
        return None
    return Direction.SENT if hosts == way else Direction.RECEIVED if hosts == way[::-1] else None


def _host(end: str) -> str:
    return end.rpartition(":")[0]


def _caller(invite: Request) -> str | None:
    """Read the caller ID: From, or P-Asserted-Identity where From names no number (RFC 3325 s9.3)."""
    return _number(invite.header("from")) or _number(invite.header("p-asserted-identity"))


def _number(address: str | None) -> str | None:
    return normalise(_user(address))


def _user(address: str | None) -> str:
    found = _USER.search(address or "")
    return unquote(found[1]) if found else ""
