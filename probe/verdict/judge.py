"""What was heard of a call in, the verdict on it out: finding, evidence for people, flags for machines. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from probe.call import Direction
from probe.sip.reason import Reason, printable
from probe.sip.response import Response
from probe.sip.visible import has_control
from probe.verdict.disposition import Confidence, Disposition
from probe.verdict.evidence import evidence
from probe.verdict.heard import Case, Heard, look_at
from probe.verdict.notice import Notice, find_analytics
from probe.verdict.rules import DROPPED_MS, find

# A change of any rule or table of this room changes this name, so that stored verdicts are known to be old.
RULESET = "1"

_MOST_FLAGS = 64  # a response with more faults than these was made to harm

# Registered Reason protocols (IANA); others may be ignored (RFC 3326 s2) and are never believed.
_PROTOCOLS = frozenset({"sip", "q.850", "stir", "preemption", "emm", "release_cause", "failure_cause"})
# Causes that agree with an analytics block, or say nothing.
_NO_CONFLICT = frozenset({None, 0, 16, 21, 31, 603, 608})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of the call, how sure that is, the lines of evidence, and flags for machines, sorted.

    `notice` is the one that was read on the way, if there was one.
    """

    disposition: Disposition
    confidence: Confidence
    because: tuple[str, ...]
    flags: tuple[str, ...]
    notice: Notice | None


def judge(heard: Heard) -> Verdict:
    """Say what became of a call, and why. Never raises; without timing it says what the response alone can tell."""
    case = look_at(heard)
    finding = find(case)
    flags = tuple(sorted({*finding.flags, *_flags(case)})[:_MOST_FLAGS])
    return Verdict(
        disposition=finding.disposition,
        confidence=finding.confidence,
        because=evidence(case, finding, flags),
        flags=flags,
        notice=case.notice,
    )


def _flags(case: Case) -> Iterator[str]:
    """Name what is notable, whatever rule decided."""
    response = case.response
    if response:
        yield from response.flaws
        yield from _reason_flags(response.reasons)
        yield from _text_flags(response)
    for row, code in case.errors:
        yield f"provider_error:{row.provider}:{code}"
    if case.notice:
        yield from case.notice.flaws
    if case.heard.cut:
        yield "message_cut"
    if _is_dropped(case):
        yield "answered_and_dropped"
    if response and case.notice and case.notice.kind == "603+" and _conflict(response):
        yield "conflicting_reasons"


def _reason_flags(reasons: tuple[Reason, ...]) -> Iterator[str]:
    seen = set()
    for reason in reasons:
        yield from reason.flaws
        protocol = reason.protocol.lower()
        if protocol not in _PROTOCOLS:
            yield f"unknown_reason_protocol:{printable(reason.protocol)}"
        elif protocol == "stir":  # RFC 9366 lets STIR repeat
            yield f"stir_error:{reason.cause or '?'}"
        elif protocol in seen:  # RFC 3326 s2
            yield f"duplicate_protocol:{printable(reason.protocol)}"
        seen.add(protocol)


def _text_flags(response: Response) -> Iterator[str]:
    if response.status is not None and not response.phrase:
        yield "empty_phrase"
    if response.header("retry-after") is not None:
        yield "retry_after"
    if has_control(response.phrase) or any(has_control(r.text) for r in response.reasons if r.text):
        yield "control_characters"


def _is_dropped(case: Case) -> bool:
    heard = case.heard
    return heard.bye_from is Direction.RECEIVED and heard.talk_ms is not None and heard.talk_ms < DROPPED_MS


def _conflict(response: Response) -> bool:
    """Say whether a Reason beside the notice tells another story, as the stray `Q.850;cause=17` of some carriers."""
    believed = find_analytics(response)
    return any(r is not believed and r.cause not in _NO_CONFLICT for r in response.reasons)
