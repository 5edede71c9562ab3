"""One call: what is asked (`CallRequest`) and what happened (`CallRecord`), facts only.

Opinions about a call are made elsewhere, from these facts, and can be made again.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from probe.expectation import Expectation
from probe.trunk import Srtp

LOCAL: Final = "local"
"""The site of calls that this machine places for itself; those of other sites stand in the ledger."""


class Ending(StrEnum):
    """How a call ended, seen from our side."""

    ANSWERED = "answered"
    REFUSED = "refused"  # a final response of 300 or more came off the wire
    RING_LIMIT = "ring_limit"  # we sent CANCEL
    NO_RESPONSE = "no_response"  # nothing came off the wire
    STOPPED = "stopped"  # our own shutdown
    AGENT_FAILED = "agent_failed"
    LOST = "lost"  # the process died between INVITE and ending
    GUARDED = "guarded"  # the guard refused; nothing was sent


class Direction(StrEnum):
    SENT = "sent"
    RECEIVED = "received"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One SIP message of a call, as it went over the transport.

    `at_ms` counts from the first INVITE on the wire. `raw` is kept to the byte, except for what would open anything:
    see `probe.sip.blanked`. `cut` says that only the head of the message could be kept (too large for the SIP
    library). Addresses are `host:port` (`[host]:port` for IPv6).
    """

    at_ms: float
    direction: Direction
    transport: str
    local: str
    remote: str
    raw: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What flowed while an answered call was held: packets each way and the codec agreed on; `encrypted` as SRTP."""

    codec: str | None
    rtp_sent: int
    rtp_received: int
    encrypted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """How the trunk of a call was set: whether its certificate was to be checked (None without TLS), and SRTP."""

    tls_verify: bool | None
    srtp: Srtp


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """A call that is asked for. `plan_key` is unique: the same planned call is never placed twice.

    `control_of` is the id of the refused call that this one, from a known-good caller ID, is held against. `timezone`
    is that of the called party, where the file gives it.
    """

    id: str
    plan_key: str
    trunk: str
    caller: str
    callee: str
    consent: str | None = None
    scenario: str | None = None
    round: str | None = None
    site: str = LOCAL
    network: str | None = None
    label: str | None = None
    campaign: str | None = None
    ring_limit_ms: int = 25_000
    hold_ms: int = 6_000
    expect: Expectation | None = None
    control_of: str | None = None
    lead_source: str | None = None
    tags: tuple[str, ...] = ()
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What is known of a call whose messages are not held: it was placed by others, or they were pruned.

    Enough to judge the call as its messages would be: the final response without body and routing, the reasons of the
    far end's BYE as header values, and times in ms from the INVITE. `provisional`: status, time, and whether it
    brought a session description. `status` is None where nothing final was heard.
    """

    status: int | None
    phrase: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    flaws: tuple[str, ...] = ()
    provisional: tuple[tuple[int, float, bool], ...] = ()
    final_ms: float | None = None
    talk_ms: float | None = None
    bye_reasons: tuple[str, ...] = ()
    bye_from: Direction | None = None
    cut: bool = False
    sip_call_id: str | None = None


class CardState(StrEnum):
    """Whether what a card says can be believed to come from its signer."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"  # nothing was fetched, or nobody answered: it is not known
    REFUSED = "refused"  # it is forged, stale or badly made, or stands where we do not ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What came of the signed card that a 608 names (RFC 8688), as it was found at `at`, once.

    Its signature holds for a minute and for the roots that were trusted then, so it is not checked again. `why` is a
    sentence unless it is verified; `jws` and `certificates` (PEM) are what was fetched if it is, a character for each
    byte.
    """

    uri: str
    at: datetime
    state: CardState
    why: str | None = None
    jws: str | None = None
    certificates: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """What happened. `detail` is our own or the library's word for why nothing could be asked; never a status.

    `imported` names where the facts come from, if another program placed the call. `security` is None for such a call,
    and for one that was not dialled.
    """

    request: CallRequest
    started_at: datetime
    ended_at: datetime
    ending: Ending
    messages: tuple[Message, ...] = ()
    detail: str | None = None
    media: Media | None = None
    digest: Digest | None = None
    imported: str | None = None
    security: Security | None = None
    card: Card | None = None
