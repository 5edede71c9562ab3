"""The messages of a call in, the rows of its ladder diagram out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from probe.call import Direction, Message
from probe.sip.conversation import has_sdp
from probe.sip.reason import Reason
from probe.sip.request import Request, read_request
from probe.sip.response import Response, read_response
from probe.sip.visible import visible

_USER = re.compile(r"(?:sips?|tel):([^@;>?\s]{1,64})", re.IGNORECASE)
_LABEL_LENGTH = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One row: when, which way, and what it says, free of control characters."""

    at_ms: float
    direction: Direction
    label: str


def ladder(messages: Sequence[Message]) -> tuple[Arrow, ...]:
    """Give the rows of the ladder in order of time: `INVITE (caller +12025550101)`, `183 Session Progress (SDP)`."""
    seen: set[tuple[Direction, bytes]] = set()
    arrows = []
    for message in sorted(messages, key=lambda m: m.at_ms):
        label = _label(message)
        if (message.direction, message.raw) in seen:
            label += " (retransmission)"
        seen.add((message.direction, message.raw))
        arrows.append(Arrow(at_ms=message.at_ms, direction=message.direction, label=label))
    return tuple(arrows)


def _label(message: Message) -> str:
    request = read_request(message.raw)
    label = _request_label(request) if request else _response_label(read_response(message.raw), cut=message.cut)
    return visible(label)[:_LABEL_LENGTH] + (" (cut)" if message.cut else "")


def _request_label(request: Request) -> str:
    if request.method == "INVITE":
        return f"INVITE (caller {_caller(request)})"
    reasons = ", ".join([_reason_label(r) for r in request.reasons])
    return f"{request.method} ({reasons})" if reasons else request.method


def _caller(request: Request) -> str:
    """Give the user part of From, or of P-Asserted-Identity where From is anonymous (RFC 3325 s9.3)."""
    users = [_USER.search(request.header(name) or "") for name in ("from", "p-asserted-identity")]
    known = [user[1] for user in users if user]
    return next((user for user in known if user.lower() != "anonymous"), known[0] if known else "unknown")


def _reason_label(reason: Reason) -> str:
    return reason.protocol if reason.cause is None else f"{reason.protocol};cause={reason.cause}"


def _response_label(response: Response, *, cut: bool) -> str:
    if response.status is None:
        return "unreadable message"
    method = (response.header("cseq") or "").partition(" ")[2].strip()
    label = f"{response.status} {response.phrase}".rstrip()
    if method not in ("", "INVITE"):
        label += f" (to {method})"
    return label + (" (SDP)" if has_sdp(response.headers, response.body, cut=cut) else "")
