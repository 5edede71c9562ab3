"""A call's facts in, the opinions on it out: pure, so that last month's calls can be judged anew."""

from dataclasses import dataclass

from probe.call import CallRecord
from probe.expectation import is_met
from probe.sip import Conversation, read_conversation
from probe.verdict import Disposition, Heard, Notice, Verdict, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCall:
    """One call with what was read from it. `as_expected` is None without an expectation or without a test."""

    record: CallRecord
    conversation: Conversation
    notice: Notice | None
    verdict: Verdict
    as_expected: bool | None


def judge_call(record: CallRecord) -> JudgedCall:
    """Read the messages of a call and say what they mean."""
    conversation = read_conversation(record.messages)
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
        notice=verdict.notice,
        verdict=verdict,
        as_expected=_as_expected(record, verdict, timing.final_ms),
    )


def _as_expected(record: CallRecord, verdict: Verdict, final_ms: float | None) -> bool | None:
    expectation = record.request.expect
    if expectation is None or verdict.disposition is Disposition.INCONCLUSIVE:
        return None
    return is_met(expectation, verdict.disposition, final_ms)
