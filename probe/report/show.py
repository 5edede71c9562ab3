"""One judged call in, everything known of it out: verdict, facts, notice, next steps, ladder and raw messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from probe.call import CallRecord, Direction, Message
from probe.expectation import describe
from probe.judged import JudgedCall
from probe.report.lines import Line, Span, Tone, line
from probe.report.opinion import (
    because_section,
    fact,
    heading,
    notice_section,
    reason_facts,
    steps_section,
    verdict_title,
)
from probe.report.tables import expected_mark, seconds, what_happened
from probe.report.text import cell_width, clip, plain, plain_lines
from probe.sip import Arrow, Timing, ladder
from probe.trunk import Srtp

_WIDEST: Final = 88
_MARGIN: Final = 10
_EXPECTED_WORDS: Final = {
    "yes": "as expected",
    "NO": "NOT as expected",
    "untested": "not tested",
    "-": "nothing was expected",
}


def show(call: JudgedCall, *, width: int | None, control: str | None = None) -> tuple[Line, ...]:
    """Draw one call in full. `width` None is a pipe: sentences are not broken. `control` is its control call's id."""
    shown = messages_section(call.record.messages) or _no_messages(call.record)
    return (*outcome(call, width=width, control=control), *shown)


def outcome(call: JudgedCall, *, width: int | None, control: str | None = None) -> tuple[Line, ...]:
    """Draw what came of one call, without its raw messages: what `probe call` prints."""
    return (
        line(verdict_title(call.verdict)),
        *_facts(call, width, control),
        *because_section(call.verdict, width=width),
        *notice_section(call.notice, width=width),
        *steps_section(call.verdict, call.notice, width=width),
        *ladder_section(call.record.messages, width=width),
    )


def _facts(call: JudgedCall, width: int | None, control: str | None) -> list[Line]:
    record, request, said = call.record, call.record.request, call.conversation
    expected = _EXPECTED_WORDS[expected_mark(call)]
    if request.expect:
        expected = f"{describe(request.expect)}: {expected}"
    facts = {
        "call": f"{request.caller} to {request.callee}" + (f" on {request.network}" if request.network else ""),
        "label": ", ".join(name for name in (request.label, request.campaign) if name),
        "lead source": request.lead_source,
        "tags": ", ".join(request.tags),
        "imported": record.imported,
        "happened": what_happened(call),
        "timing": _timing(said.timing),
        "expected": expected,
        "started": _utc(record.started_at),
        "ended": _utc(record.ended_at),
        "ending": record.ending,
        "trunk": request.trunk,
        "scenario": request.scenario,
        "consent": request.consent,
        "media": _media(call),
        "security": _security(call.record),
        "control of": request.control_of,
        "control": control,
        "id": request.id,
        "Call-ID": said.call_id,
    }
    rows = [row for name, value in facts.items() if value for row in fact(name, value, width=width)]
    return rows + (reason_facts(said.final.reasons, width=width) if said.final else [])


def _timing(timing: Timing) -> str:
    named = {
        "early media": timing.early_media_ms,
        "ringing": timing.alerting_ms,
        "final": timing.final_ms,
    }
    parts = [f"{name} after {seconds(ms)}" for name, ms in named.items() if ms is not None]
    return ", ".join(parts if timing.talk_ms is None else [*parts, f"held for {seconds(timing.talk_ms)}"])


def _media(call: JudgedCall) -> str | None:
    media = call.record.media
    if media is None:
        return None
    words = f"{media.codec or 'no codec'}, RTP packets: {media.rtp_sent} sent, {media.rtp_received} received"
    return f"{words}, encrypted (SRTP)" if media.encrypted else words


def _security(record: CallRecord) -> str | None:
    """Say only what the user should know: that nobody looked at the certificate, that the media was in the clear."""
    security, media = record.security, record.media
    if security is None:
        return None
    open_media = security.srtp is not Srtp.OFF and media is not None and not media.encrypted
    words = (
        "the trunk's certificate was NOT verified" if security.tls_verify is False else "",
        f"media NOT encrypted, though srtp is {security.srtp}" if open_media else "",
    )
    return "; ".join(filter(None, words))


def ladder_section(messages: Sequence[Message], *, width: int | None) -> list[Line]:
    """Draw the messages of a call between its two ends; nothing without messages."""
    if not messages:
        return []
    reach = min(width or _WIDEST, _WIDEST) - _MARGIN
    first = messages[0]
    far = plain(f"{first.transport} {first.remote}")
    ends = plain(f"probe {first.local}").ljust(reach - cell_width(far)) + far
    rungs = [_rung(arrow, reach) for arrow in ladder(messages)]
    return [*heading("Ladder (milliseconds)"), line(" " * _MARGIN, Span(ends, Tone.QUIET)), *rungs]


def _rung(arrow: Arrow, reach: int) -> Line:
    label = f" {clip(plain(arrow.label), reach - 10)} "
    shaft = "─" * (reach - 5 - cell_width(label))
    if arrow.direction is Direction.SENT:
        pieces = [Span("│──", Tone.QUIET), Span(label), Span(f"{shaft}>│", Tone.QUIET)]
    else:
        pieces = [Span(f"│<{shaft}", Tone.QUIET), Span(label, Tone.STRONG), Span("──│", Tone.QUIET)]
    return line(Span(f"{arrow.at_ms:>{_MARGIN - 2}.0f}  ", Tone.QUIET), *pieces)


def messages_section(messages: Sequence[Message]) -> list[Line]:
    """Write the messages of a call as they went over the wire, each line plain; nothing without messages."""
    rows = heading("Messages") if messages else []
    for number, message in enumerate(messages, start=1):
        cut = ", only its head could be kept" if message.cut else ""
        title = (
            f"{number}. {message.direction} at {message.at_ms:.0f} ms over {message.transport}, "
            f"{message.local} {'->' if message.direction is Direction.SENT else '<-'} {message.remote}{cut}"
        )
        rows += [line(Span(f"── {plain(title)}", Tone.QUIET)), *(line(text) for text in plain_lines(message.raw))]
    return rows


def _no_messages(record: CallRecord) -> list[Line]:
    """Say of a call that once had messages, and whose digest is all that is left, where they went."""
    if record.digest is None or record.imported:
        return []
    return [*heading("Messages"), line("They were dropped when their time was over; all above was read from them.")]


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"
