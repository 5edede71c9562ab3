"""A call's facts in, the opinions on it out: pure, so that last month's calls can be judged anew."""

from dataclasses import dataclass
from typing import Final

from probe.call import CallRecord, Digest
from probe.expectation import is_met
from probe.sip import Conversation, read_conversation
from probe.sip.conversation import Provisional, Timing
from probe.sip.reason import read_reasons, written
from probe.sip.response import Response, response_of
from probe.verdict import Disposition, Heard, Notice, Verdict, judge, with_card

# What names a call's route and its parties, and nothing that a verdict asks for (RFC 3261 s20).
_ROUTING: Final = frozenset(
    {"via", "from", "to", "call-id", "cseq", "record-route", "route", "contact", "content-length", "content-type"}
    | {"max-forwards", "allow", "supported", "require", "proxy-authenticate", "www-authenticate", "date"}
    | {"authorization", "proxy-authorization"}
)
_RINGING, _ANSWERED, _FAILURE = 180, 200, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCall:
    """One call with what was read from it. `as_expected` is None without an expectation or without a test."""

    record: CallRecord
    conversation: Conversation
    notice: Notice | None
    verdict: Verdict
    as_expected: bool | None


def judge_call(record: CallRecord) -> JudgedCall:
    """Read the messages of a call, or what is left of them, and say what they mean."""
    conversation = conversation_of(record)
    timing = conversation.timing
    verdict = judge(
        Heard(
            response=conversation.final,
            ending=record.ending,
            detail=record.detail,
            alerting_ms=timing.alerting_ms,
            early_media_ms=timing.early_media_ms,
            final_ms=timing.final_ms,
            talk_ms=timing.talk_ms,
            provisional_seen=bool(conversation.provisional),
            bye_reasons=conversation.bye_reasons,
            bye_from=conversation.bye_from,
            cut=conversation.cut,
        )
    )
    return JudgedCall(
        record=record,
        conversation=conversation,
        notice=with_card(verdict.notice, record.card) if verdict.notice and record.card else verdict.notice,
        verdict=verdict,
        as_expected=_as_expected(record, verdict, timing.final_ms),
    )


def conversation_of(record: CallRecord) -> Conversation:
    """Read the messages of a call, or what is left of them."""
    # Of a call that others placed, the one message that they kept may tell less than what they wrote down.
    digest = record.digest if record.imported or not record.messages else None
    return _restored(digest) if digest else read_conversation(record.messages)


def digest_of(judged: JudgedCall) -> Digest:
    """Keep of a call's messages what it takes to judge it again."""
    said, final = judged.conversation, judged.conversation.final
    headers = final.headers if final else ()
    return Digest(
        status=final.status if final else None,
        phrase=final.phrase if final else "",
        headers=kept_headers(headers),
        flaws=final.flaws if final else (),
        provisional=tuple((one.status, one.at_ms, one.sdp) for one in said.provisional),
        final_ms=said.timing.final_ms,
        talk_ms=said.timing.talk_ms,
        bye_reasons=tuple(map(written, said.bye_reasons)),
        bye_from=said.bye_from,
        cut=said.cut,
        sip_call_id=said.call_id,
    )


def kept_headers(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Leave out what a digest does not keep: the route, the parties, and credentials."""
    return tuple((name, value) for name, value in headers if name.lower() not in _ROUTING)


def _restored(digest: Digest) -> Conversation:
    provisional = tuple(
        Provisional(status=status, phrase="", at_ms=at_ms, sdp=sdp) for status, at_ms, sdp in digest.provisional
    )
    return Conversation(
        call_id=digest.sip_call_id,
        final=_final(digest),
        provisional=provisional,
        timing=_timing(digest, provisional),
        bye_reasons=read_reasons(digest.bye_reasons),
        bye_from=digest.bye_from,
        challenged=False,
        cut=digest.cut,
    )


def _final(digest: Digest) -> Response | None:
    if digest.status is None and not (digest.headers or digest.flaws):
        return None
    return response_of(digest.status, digest.phrase, digest.headers, digest.flaws)


def _timing(digest: Digest, provisional: tuple[Provisional, ...]) -> Timing:
    answered = digest.status is not None and _ANSWERED <= digest.status < _FAILURE
    return Timing(
        alerting_ms=next((one.at_ms for one in provisional if one.status == _RINGING), None),
        early_media_ms=next((one.at_ms for one in provisional if one.status >= _RINGING and one.sdp), None),
        final_ms=digest.final_ms,
        answered_ms=digest.final_ms if answered else None,
        talk_ms=digest.talk_ms,
    )


def _as_expected(record: CallRecord, verdict: Verdict, final_ms: float | None) -> bool | None:
    expectation = record.request.expect
    if expectation is None or verdict.disposition is Disposition.INCONCLUSIVE:
        return None
    return is_met(expectation, verdict.disposition, final_ms)
