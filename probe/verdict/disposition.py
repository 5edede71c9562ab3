"""What became of a call, and what each status and each Q.850 cause says of it: tables of data."""

from dataclasses import dataclass
from enum import StrEnum


class Disposition(StrEnum):
    """What became of a call."""

    ANSWERED = "answered"
    ANALYTICS_BLOCKED = "analytics_blocked"
    ANALYTICS_SUSPECTED = "analytics_suspected"
    SUBSCRIBER_BLOCKED = "subscriber_blocked"
    PROVIDER_BLOCKED = "provider_blocked"
    USER_DECLINED = "user_declined"
    REJECTED_AMBIGUOUS = "rejected_ambiguous"
    USER_BUSY = "user_busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    INVALID_NUMBER = "invalid_number"
    CALLER_ID_REJECTED = "caller_id_rejected"
    TRUNK_MISCONFIGURED = "trunk_misconfigured"
    NETWORK_FAILURE = "network_failure"
    MEDIA_INCOMPATIBLE = "media_incompatible"
    REDIRECTED = "redirected"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    PROTOCOL_ERROR = "protocol_error"
    INCONCLUSIVE = "inconclusive"


class Confidence(StrEnum):
    """How sure a verdict is."""

    CERTAIN = "certain"  # the standard says so
    STRONG = "strong"
    WEAK = "weak"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one row of a table concludes; `because` is one sentence, `flags` are its own."""

    disposition: Disposition
    confidence: Confidence
    because: str
    flags: tuple[str, ...] = ()


def certain(disposition: Disposition, because: str, *flags: str) -> Finding:
    return Finding(disposition=disposition, confidence=Confidence.CERTAIN, because=because, flags=flags)


def strong(disposition: Disposition, because: str, *flags: str) -> Finding:
    return Finding(disposition=disposition, confidence=Confidence.STRONG, because=because, flags=flags)


def weak(disposition: Disposition, because: str, *flags: str) -> Finding:
    return Finding(disposition=disposition, confidence=Confidence.WEAK, because=because, flags=flags)


_INVALID = certain(Disposition.INVALID_NUMBER, "The called number does not exist or is incomplete.")
_BUSY = certain(Disposition.USER_BUSY, "The called party is busy.")
_MEDIA = certain(Disposition.MEDIA_INCOMPATIBLE, "The two sides found no codec or media in common.")
_REDIRECTED = certain(Disposition.REDIRECTED, "The call was sent on to another address, which was not followed.")
_PROTOCOL = certain(Disposition.PROTOCOL_ERROR, "The far end could not process our SIP request.")
_CREDENTIALS = certain(Disposition.TRUNK_MISCONFIGURED, "The trunk does not accept our credentials.")
_IDENTITY = certain(Disposition.CALLER_ID_REJECTED, "The caller ID or its signature was refused.")
_ROUTING = certain(Disposition.NETWORK_FAILURE, "The network could not route the call.")
_FAILURE = certain(Disposition.NETWORK_FAILURE, "The network failed or was overloaded.")
_NOT_FOR_CALLS = weak(Disposition.INCONCLUSIVE, "This status is no answer to a call.")

# Every code of standards in use whose meaning needs no second look; the others have rows of their own in judge.py.
# Sources: RFC 3261 s21 unless named. 428, 436-438: RFC 8224; 433: RFC 5079; 430, 439: RFC 5626; 555: RFC 8599;
# 580: RFC 3312; 402 is reserved, providers use it for an empty account.
_CODES: tuple[tuple[tuple[int, ...], Finding], ...] = (
    ((202, 204), _NOT_FOR_CALLS),
    ((300, 301, 302, 305, 380), _REDIRECTED),
    ((400, 405, 406, 409, 411, 412, 413, 414, 415, 416, 417), _PROTOCOL),
    ((420, 421, 422, 423, 424, 425, 429), _PROTOCOL),
    ((440, 469, 470, 481, 489, 491, 493, 494, 501, 505, 513), _PROTOCOL),
    ((401, 407), _CREDENTIALS),
    ((402,), certain(Disposition.TRUNK_MISCONFIGURED, "The provider asks for payment.")),
    ((403,), weak(Disposition.REJECTED_AMBIGUOUS, "403 forbids the call and does not say who or why.")),
    ((404, 410, 484, 485, 604), _INVALID),
    ((428, 433, 436, 437, 438), _IDENTITY),
    ((430, 439, 555), certain(Disposition.UNREACHABLE, "The called device could not be reached.")),
    ((482, 483), _ROUTING),
    ((486, 600), _BUSY),
    ((487,), certain(Disposition.CANCELLED, "The call was cancelled before anyone answered.")),
    ((488, 580, 606), _MEDIA),
    ((500, 502, 503), _FAILURE),
    ((504,), certain(Disposition.TIMED_OUT, "A network on the way got no answer in time.")),
    ((607,), certain(Disposition.SUBSCRIBER_BLOCKED, "607: the called party does not want calls from this caller.")),
    ((608,), certain(Disposition.ANALYTICS_BLOCKED, "608: a machine on the way rejected the call as unwanted.")),
)
BY_STATUS: dict[int, Finding] = {code: finding for codes, finding in _CODES for code in codes}

# An unknown final code counts as the x00 of its class (RFC 3261 s8.1.3.2).
BY_CLASS: dict[int, Finding] = {3: _REDIRECTED, 4: _PROTOCOL, 5: _FAILURE, 6: _BUSY}

# Q.850 causes as RFC 3398 s7.2.4.1 maps them, for a 603 that says nothing else; 0, 16, 21 and 31 tell nothing.
_CAUSES: tuple[tuple[tuple[int, ...], Disposition, str], ...] = (
    ((1, 2, 3, 22, 23, 26, 28), Disposition.INVALID_NUMBER, "the number is unassigned, changed or cannot be routed"),
    ((17,), Disposition.USER_BUSY, "the called party is busy"),
    ((18, 20, 27), Disposition.UNREACHABLE, "the called device could not be reached"),
    ((19,), Disposition.NO_ANSWER, "nobody answered"),
    ((29, 55, 57, 79, 87), Disposition.TRUNK_MISCONFIGURED, "the service is not provided on this line"),
    ((34, 38, 41, 42, 47, 111, 127), Disposition.NETWORK_FAILURE, "the network failed or was overloaded"),
    ((58, 65, 70, 88), Disposition.MEDIA_INCOMPATIBLE, "the two sides found no bearer in common"),
    ((102,), Disposition.TIMED_OUT, "a network on the way got no answer in time"),
)
BY_CAUSE: dict[int, Finding] = {
    cause: weak(disposition, f"The telephone network gives cause {cause}: {words}.")
    for causes, disposition, words in _CAUSES
    for cause in causes
}
