"""Cases of redress in, the book as a table, and one case with what to do next, out."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from shlex import quote
from typing import Final

from probe.health import Case, Standing
from probe.health.redress import Stage, may_close
from probe.report.dossier import case_contacts
from probe.report.lines import BLANK, Line, Span, Tone, column_widths, line, padded, paragraph
from probe.report.opinion import fact
from probe.report.standing_words import blocked_of, count, minute, moment
from probe.report.text import plain

_TONES: Final = {
    Stage.OPEN: Tone.BAD,
    Stage.ASKED: Tone.DOUBT,
    Stage.ANSWERED: Tone.DOUBT,
    Stage.CLEARED: Tone.GOOD,
    Stage.BACK: Tone.BAD,
}
_HEADINGS: Final = ("caller", "redress", "blocked", "first (UTC)", "last (UTC)", "blocker", "networks")
_GAP: Final = Span("  ")
# A status is due within 24 hours of the request (47 CFR 64.1200(k)(8)).
_DUE: Final = timedelta(hours=24)

_STEPS: Final = {
    Stage.OPEN: (
        "Write what its desk asks for, fill in the letter and send it: {command} -o DIR",
        "Note that you have asked: {command} --asked",
    ),
    Stage.ASKED: (
        "A status was or is due by {due}, 24 hours after you asked. Without one, ask again and say so.",
        "Note the answer: {command} --answered",
    ),
    Stage.ANSWERED: ("When a test call gets through again, note it: {command} --cleared",),
    Stage.CLEARED: ("Nothing to do. A new block opens the case again by itself.",),
    Stage.BACK: (
        "It was cleared on {cleared} and blocks again since {back}: ask again, and say so: {command} -o DIR",
        "Note that you have asked again: {command} --asked",
    ),
}

_CLOSE: Final = (
    "Calls get through again wherever it blocked them. If you hold it for lifted, close the case: {command} --cleared"
)


def book_table(cases: Sequence[Case]) -> tuple[Line, ...]:
    """Draw the book, one row a case."""
    if not cases:
        return (line("No blocker has named itself: the book is empty."),)
    rows = [tuple(Span(heading, Tone.QUIET) for heading in _HEADINGS), *map(_row, cases)]
    widths = column_widths(rows)
    return tuple(
        tuple(piece for cell, size in zip(row, widths, strict=True) for piece in (padded(cell, size), _GAP))
        for row in rows
    )


def _row(case: Case) -> Line:
    return (
        Span(plain(case.caller), Tone.STRONG),
        Span(case.stage, _TONES[case.stage]),
        Span(count(case.count, "call")),
        Span(minute(case.first_seen), Tone.QUIET),
        Span(minute(case.last_seen)),
        Span(plain(case.blocker)),
        Span(plain(", ".join(case.networks) or "-"), Tone.QUIET),
    )


def case_page(case: Case, standings: Iterable[Standing], steps: Sequence[str], *, width: int | None) -> list[Line]:
    """Draw one case: what the blocker did, how to reach it, how far redress has come, and what to do next."""
    title = line(Span(plain(f"{case.caller} blocked by {case.blocker}: "), Tone.STRONG), _stage(case))
    facts = {
        "blocked": f"{count(case.count, 'call')}, first {moment(case.first_seen)}, last {moment(case.last_seen)}",
        **{one.network or "as a whole": f"{one.standing}, {blocked_of(one)} judged calls blocked" for one in standings},
        **{name: f"{value}  [{flaw}]" if flaw else value for name, value, flaw in case_contacts(case)},
        "asked": case.asked_at and moment(case.asked_at),
        "answered": case.answered_at and moment(case.answered_at),
        "cleared": case.cleared_at and moment(case.cleared_at),
        "back again": case.back_at and moment(case.back_at),
    }
    rows = [row for name, value in facts.items() if value for row in fact(plain(name), value, width=width)]
    numbered = [
        row
        for number, step in enumerate(steps, start=1)
        for row in paragraph(plain(step), width=width, first=f"  {number}. ")
    ]
    return [title, *rows, line(Span("Next steps", Tone.STRONG)), *numbered, BLANK]


def _stage(case: Case) -> Span:
    return Span(case.stage, _TONES[case.stage])


def case_steps(case: Case, standings: Iterable[Standing]) -> tuple[str, ...]:
    """Say what to do next about a case, a sentence each, with the command that does it; `standings` of the caller."""
    known = {
        "command": f"probe redress {quote(case.caller)} --blocker {quote(case.blocker)}",
        "due": _moment(case.asked_at and case.asked_at + _DUE),
        "cleared": _moment(case.cleared_at),
        "back": _moment(case.back_at),
    }
    steps = (_CLOSE,) if may_close(case, standings) else _STEPS[case.stage]
    return tuple(step.format(**known) for step in steps)


def _moment(at: datetime | None) -> str:
    return moment(at) if at else ""
