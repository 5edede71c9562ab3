"""All messages of one call in; what the network said, and when, out: final and provisional responses, BYE."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from probe.call import Direction, Message
from probe.sip.head import find_header
from probe.sip.reason import Reason
from probe.sip.request import Request, read_request
from probe.sip.response import Response, read_response

_JUST_READ = 16  # how a call ended and what it means are asked one after the other, of the same messages
_FINAL = 200
_RINGING = 180
_FAILURE = 300
_CHALLENGES = (401, 407)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisional:
    """A 1xx response to our INVITE; `sdp` says that it brought a session description, so early media may flow."""

    status: int
    phrase: str
    at_ms: float
    sdp: bool = False


class Timing(NamedTuple):
    """Milliseconds from the first INVITE on the wire; `talk_ms` runs from the 200 to the BYE of either side.

    Alerting is the first 180, early media the first 18x with a session description.
    """

    alerting_ms: float | None = None
    early_media_ms: float | None = None
    final_ms: float | None = None
    answered_ms: float | None = None
    talk_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One call as read from its messages. `final` answers our last INVITE; None when nothing final came off the wire.

    `cut` says that of the final response only the head could be kept. `bye_reasons` are those of the far end's BYE.
    """

    call_id: str | None
    final: Response | None
    provisional: tuple[Provisional, ...]
    timing: Timing
    bye_reasons: tuple[Reason, ...]
    bye_from: Direction | None
    challenged: bool
    cut: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    message: Message
    request: Request


@dataclass(frozen=True, slots=True)
class _Answer:
    message: Message
    response: Response
    status: int
    cseq: tuple[int | None, str]


def read_conversation(messages: Sequence[Message]) -> Conversation:
    """Read the messages of one call, of both directions, in any order. Never raises.

    A challenge that we answered with a new INVITE is not the final response; a 200 that crosses our CANCEL is
    (RFC 3261 s9.1). Responses are matched by the method and number of CSeq (RFC 3261 s17.1.3).
    """
    return _read_once(tuple(messages))


@lru_cache(maxsize=_JUST_READ)
def _read_once(messages: tuple[Message, ...]) -> Conversation:
    asked, answers = _read(messages)
    call_id, number = _our_invite(asked, answers)
    asked = [a for a in asked if _is_of_call(a.request, call_id)]
    answers = [a for a in answers if _is_of_call(a.response, call_id)]
    ours = [a for a in answers if _answers_invite(a, number)]
    final = _final(ours)
    provisional = _provisional(ours, final)
    bye = _first_bye(asked, final)
    return Conversation(
        call_id=call_id,
        final=final.response if final else None,
        provisional=provisional,
        timing=_timing(provisional, final, bye),
        bye_reasons=_bye_reasons(asked),
        bye_from=bye.message.direction if bye else None,
        challenged=any(a.status in _CHALLENGES and _answers_invite(a, None) for a in answers),
        cut=bool(final and final.message.cut),
    )


def has_sdp(headers: tuple[tuple[str, str], ...], body: bytes, *, cut: bool = False) -> bool:
    """Say whether a message brings a session description, in a multipart body too; of a cut one the head decides."""
    kind = (find_header(headers, "content-type") or "").lower()
    if kind.startswith("application/sdp"):
        return cut or bool(body.strip())
    return kind.startswith("multipart/") and b"application/sdp" in body.lower()


def _read(messages: Sequence[Message]) -> tuple[list[_Asked], list[_Answer]]:
    """Sort into requests of both directions and responses we received; what is neither is left out."""
    asked, answers = [], []
    for message in sorted(messages, key=lambda m: m.at_ms):
        request = read_request(message.raw)
        if request:
            asked.append(_Asked(message, request))
        elif message.direction is Direction.RECEIVED:
            response = read_response(message.raw)
            if response.status is not None:
                answers.append(_Answer(message, response, response.status, read_cseq(response.header("cseq"))))
    return asked, answers


def _our_invite(asked: list[_Asked], answers: list[_Answer]) -> tuple[str | None, int | None]:
    """Give the Call-ID of our call and the CSeq number of our last INVITE that opens it (one without a To tag)."""
    invites = [a.request for a in asked if a.message.direction is Direction.SENT and _opens_call(a.request)]
    if invites:
        call_id = invites[0].header("call-id")
        numbers = [read_cseq(i.header("cseq"))[0] for i in invites if i.header("call-id") == call_id]
    else:
        known = [a for a in answers if a.cseq[1] == "INVITE"]
        call_id = next((a.response.header("call-id") for a in known if a.response.header("call-id")), None)
        numbers = [a.cseq[0] for a in known if a.response.header("call-id") == call_id]
    return call_id, max((n for n in numbers if n is not None), default=None)


def _opens_call(request: Request) -> bool:
    return request.method == "INVITE" and tag_of(request.header("to")) is None


def _is_of_call(said: Request | Response, call_id: str | None) -> bool:
    """A message cut before its Call-ID still counts; one of another call (an OPTIONS, a REGISTER) does not."""
    return call_id is None or said.header("call-id") in (None, call_id)


def _answers_invite(answer: _Answer, number: int | None) -> bool:
    """Say whether a response belongs to our INVITE of that number (None: of any); a cut one may have lost its CSeq."""
    if answer.response.header("cseq") is None:
        return answer.message.cut
    sent, method = answer.cseq
    return method == "INVITE" and (number is None or sent == number)


def read_cseq(value: str | None) -> tuple[int | None, str]:
    """Give the number and the method of a CSeq value (RFC 3261 s20.16); None and nothing of one that is malformed."""
    parts = (value or "").split()
    if len(parts) != 2 or not (parts[0].isascii() and parts[0].isdigit() and len(parts[0]) <= 10):  # noqa: PLR2004 - a number and a method; 32 bits are 10 digits
        return None, ""
    return int(parts[0]), parts[1]


def tag_of(address: str | None) -> str | None:
    """Give the tag parameter of a From or To value, or None; only what follows the `>` is a header parameter."""
    for param in (address or "").rpartition(">")[2].split(";")[1:]:
        name, _, value = param.partition("=")
        if name.strip().lower() == "tag":
            return value.strip()
    return None


def _final(ours: list[_Answer]) -> _Answer | None:
    """The first final response stands, save that a 2xx beats a failure: a forked call was answered after all."""
    finals = [a for a in ours if a.status >= _FINAL]
    answered = (a for a in finals if a.status < _FAILURE)
    return next(answered, finals[0] if finals else None)


def _provisional(ours: list[_Answer], final: _Answer | None) -> tuple[Provisional, ...]:
    """Those before the final response; one that comes late is dropped, as RFC 3261 s17.1.1.2 drops it."""
    seen = set()
    kept = []
    for answer in ours:
        if answer.status >= _FINAL or (final and answer.message.at_ms > final.message.at_ms):
            continue
        response = answer.response
        sdp = has_sdp(response.headers, response.body, cut=answer.message.cut)
        once = (answer.status, response.phrase, tag_of(response.header("to")), response.header("rseq"), sdp)
        if once not in seen:
            seen.add(once)
            kept.append(Provisional(status=answer.status, phrase=response.phrase, at_ms=answer.message.at_ms, sdp=sdp))
    return tuple(kept)


def _first_bye(asked: list[_Asked], final: _Answer | None) -> _Asked | None:
    if final is None or final.status >= _FAILURE:
        return None
    return next((a for a in asked if a.request.method == "BYE"), None)


def _bye_reasons(asked: list[_Asked]) -> tuple[Reason, ...]:
    """The far end's BYE may cross ours: its Reason counts all the same (RFC 8197 s4: 607 on a BYE)."""
    byes = (a.request for a in asked if a.request.method == "BYE" and a.message.direction is Direction.RECEIVED)
    first = next(byes, None)
    return first.reasons if first else ()


def _timing(provisional: tuple[Provisional, ...], final: _Answer | None, bye: _Asked | None) -> Timing:
    final_ms = final.message.at_ms if final else None
    answered_ms = final_ms if final and final.status < _FAILURE else None
    return Timing(
        alerting_ms=next((p.at_ms for p in provisional if p.status == _RINGING), None),
        early_media_ms=next((p.at_ms for p in provisional if p.status >= _RINGING and p.sdp), None),
        final_ms=final_ms,
        answered_ms=answered_ms,
        talk_ms=max(0.0, bye.message.at_ms - answered_ms) if bye and answered_ms is not None else None,
    )
