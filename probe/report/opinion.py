"""A notice, a verdict and its next steps in, their sections for a terminal or a pipe out."""

from collections.abc import Iterable

from probe.report.lines import BLANK, LABEL_WIDTH, Line, Span, Tone, line, paragraph
from probe.report.notices import contact_lines, location_words
from probe.report.text import plain
from probe.report.words import DISPOSITION_TONE, DISPOSITION_WORDS, NOTICE_WORDS
from probe.sip import Reason
from probe.verdict import Notice, Verdict, next_steps


def heading(title: str) -> list[Line]:
    """Begin a section."""
    return [BLANK, line(Span(title, Tone.STRONG))]


def fact(name: str, value: str, *, width: int | None, tone: Tone = Tone.NORMAL) -> list[Line]:
    """Write a named value; the value is made plain here."""
    return paragraph(plain(value), width=width, first=f"  {name:<{LABEL_WIDTH}}", tone=tone)


def verdict_title(verdict: Verdict) -> Span:
    """Write the verdict in words, with its code and its confidence."""
    words = DISPOSITION_WORDS[verdict.disposition]
    tone = DISPOSITION_TONE.get(verdict.disposition, Tone.STRONG)
    return Span(f"{words[0].upper()}{words[1:]} ({verdict.disposition}, {verdict.confidence})", tone)


def because_section(verdict: Verdict, *, width: int | None) -> list[Line]:
    """Write the lines of evidence and the flags."""
    reasons = [row for text in verdict.because for row in paragraph(plain(text), width=width, first="  - ")]
    flags = fact("flags", ", ".join(verdict.flags), width=width, tone=Tone.QUIET) if verdict.flags else []
    return [*heading("Because"), *reasons, *flags]


def notice_section(notice: Notice | None, *, width: int | None) -> list[Line]:
    """Write what the blocker says of itself; nothing without a notice."""
    if notice is None:
        return []
    kind = f"{notice.kind}, {NOTICE_WORDS[notice.kind]}" if notice.kind in NOTICE_WORDS else notice.kind
    rows = [
        *heading("Notice of the blocker (its own words; check a contact before you use it)"),
        *fact("kind", kind, width=width),
        *fact("conformance", notice.conformance, width=width),
    ]
    if notice.flaws:
        rows += fact("flaws", ", ".join(notice.flaws), width=width, tone=Tone.DOUBT)
    if notice.location:
        rows += fact("refused", location_words(notice.location), width=width)
    return [*rows, *contact_lines(notice, width=width, indent="  ")]


def steps_section(verdict: Verdict, notice: Notice | None, *, width: int | None) -> list[Line]:
    """Write the next steps, numbered."""
    steps = next_steps(verdict, notice)
    rows = [
        row
        for number, step in enumerate(steps, start=1)
        for row in paragraph(plain(step), width=width, first=f"  {number}. ")
    ]
    return [*heading("Next steps"), *rows] if steps else []


def reason_facts(reasons: Iterable[Reason], *, width: int | None) -> list[Line]:
    """Write each value of the Reason header in words."""
    return [row for reason in reasons for row in fact("reason", _reason(reason), width=width)]


def _reason(reason: Reason) -> str:
    parts = [reason.protocol]
    if reason.cause is not None:
        parts.append(f"cause {reason.cause}")
    if reason.location:
        parts.append(f"location {reason.location}")
    if reason.text is not None:
        parts.append(f'text "{reason.text}"')
    return ", ".join([*parts, *(f"{name}={value}" for name, value in dict(reason.params).items())])
