"""Judged calls in, a table of them and their sum in a line out.

For a pipe (`width` None) each call is one line of aligned columns; nothing is cut, and the free text stands last.
On a terminal that is too narrow for that, what happened and the call's id stand on a line of their own below each call.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from probe.call import Ending
from probe.judged import JudgedCall
from probe.report.lines import Line, Span, Tone, column_widths, line, padded, paragraph
from probe.report.text import cell_width, clip, plain
from probe.report.words import DISPOSITION_TONE, ENDING_WORDS
from probe.sip import Timing
from probe.verdict import Disposition

_GAP: Final = Span("  ")
_HEADINGS: Final = (
    "expected",
    "time (UTC)",
    "caller",
    "callee",
    "network",
    "disposition",
    "confidence",
    "id",
    "what happened",
)
_SCREEN_HEADINGS: Final = ("", "UTC", *_HEADINGS[2:6], "sure", *_HEADINGS[7:])
_NETWORK: Final = 4  # the column that gives way
_BELOW: Final = 2  # the last columns go below where the terminal is narrow
_ELLIPSIS: Final = 1
_ROOM: Final = 28  # what happened is read with ease in so many columns
_ID_SHOWN: Final = 18  # the time and the first random bits of a UUIDv7: enough for `probe show`
_STORY_SHOWN: Final = 240  # a phrase off the wire can be as long as a packet
_SECOND_MS: Final = 1000
_MARKS: Final = {
    "yes": Span("✓", Tone.GOOD),
    "NO": Span("✗", Tone.BAD),
    "untested": Span("?", Tone.DOUBT),
    "-": Span(" "),
}
_COUNTED: Final = {
    "yes": "as expected",
    "NO": "NOT as expected",
    "untested": "not tested",
    "-": "with nothing expected",
}


def calls_table(calls: Sequence[JudgedCall], *, width: int | None) -> tuple[Line, ...]:
    """Draw one row a call: as expected, when, who, what was decided, and what happened."""
    if not calls:
        return (line("No calls."),)
    one_day = len({call.record.started_at.date() for call in calls}) == 1
    rows = [_cells(call) if width is None else _screen_cells(call, one_day=one_day) for call in calls]
    headings = _HEADINGS if width is None else _SCREEN_HEADINGS
    rows.insert(0, tuple(Span(heading, Tone.QUIET) for heading in headings))
    return tuple(_laid_out(rows, width))


def _laid_out(rows: Sequence[Line], width: int | None) -> Iterable[Line]:
    widths = column_widths(rows)
    gap = cell_width(_GAP.text)
    if width is None:
        yield from ((*_spaced(row[:-1], widths), row[-1]) for row in rows)
    elif sum(widths[:-1]) + gap * len(widths) + _ROOM <= width:
        for row in rows:
            yield from _hung(_spaced(row[:-1], widths), row[-1], width)
    else:
        yield from _two_lines_each(rows, widths, width)


def _two_lines_each(rows: Sequence[Line], widths: list[int], width: int) -> Iterable[Line]:
    gap = cell_width(_GAP.text)
    edge = sum(widths[:-_BELOW]) + gap * (len(widths) - _BELOW - 1)
    spare = widths[_NETWORK] - max(0, edge - width)
    if _ELLIPSIS < spare < widths[_NETWORK]:
        rows = [(*row[:_NETWORK], Span(clip(row[_NETWORK].text, spare)), *row[_NETWORK + 1 :]) for row in rows]
        widths[_NETWORK], edge = spare, width
    yield _spaced(rows[0][:-_BELOW], widths)
    for row in rows[1:]:
        yield _spaced(row[:-_BELOW], widths)
        yield from _below(row, sum(widths[:2]) + 2 * gap, edge, width)


def _spaced(cells: Line, widths: Sequence[int]) -> Line:
    columns = [padded(cell, size) for cell, size in zip(cells, widths, strict=False)]
    return tuple(piece for column in columns for piece in (column, _GAP))


def _hung(head: Line, cell: Span, width: int) -> list[Line]:
    """Put a text beside a row, its further lines under its first."""
    taken = sum(cell_width(span.text) for span in head)
    first, *others = paragraph(cell.text, width=width, first=" " * taken, tone=cell.tone, break_words=True)
    return [(*head, *first[1:]), *others]


def _below(row: Line, indent: int, edge: int, width: int) -> list[Line]:
    """Put what happened on lines of its own, and the call's id at the right edge of the table."""
    call_id = row[-_BELOW]
    taken = cell_width(call_id.text) + cell_width(_GAP.text)
    *others, last = paragraph(row[-1].text, width=width - taken, first=" " * indent, break_words=True)
    used = sum(cell_width(span.text) for span in last)
    space = Span(" " * max(cell_width(_GAP.text), edge - used - cell_width(call_id.text)))
    return [*others, (*last, space, call_id)]


def _cells(call: JudgedCall) -> Line:
    record, verdict = call.record, call.verdict
    request = record.request
    return (
        Span(expected_mark(call)),
        Span(f"{record.started_at:%Y-%m-%dT%H:%M:%SZ}"),
        Span(plain(request.caller)),
        Span(plain(request.callee)),
        Span(plain(request.network or "-")),
        Span(verdict.disposition, DISPOSITION_TONE.get(verdict.disposition, Tone.NORMAL)),
        Span(verdict.confidence, Tone.QUIET),
        Span(plain(request.id), Tone.QUIET),
        Span(what_happened(call)),
    )


def _screen_cells(call: JudgedCall, *, one_day: bool) -> Line:
    mark, _, *others, call_id, happened = _cells(call)
    when = f"{call.record.started_at:%H:%M:%S}" if one_day else f"{call.record.started_at:%m-%d %H:%M}"
    shown = (Span(call_id.text[:_ID_SHOWN], Tone.QUIET), Span(clip(happened.text, _STORY_SHOWN)))
    return (_MARKS[mark.text], Span(when, Tone.QUIET), *others, *shown)


def summary(calls: Sequence[JudgedCall], *, planned: int, width: int | None) -> Line:
    """Sum up: `6 of 7 planned calls: 4 as expected, 1 NOT as expected, 1 not tested`."""
    counts = Counter(expected_mark(call) for call in calls)
    found = [piece for word in _MARKS if counts[word] for piece in _counted(word, counts[word], width)]
    total = str(len(calls)) if len(calls) == planned else f"{len(calls)} of {planned} planned"
    noun = "call" if (len(calls), planned) == (1, 1) else "calls"
    return line(Span(f"{total} {noun}", Tone.STRONG), *(found and (Span(": "), *found[1:])))


def _counted(word: str, count: int, width: int | None) -> tuple[Span, ...]:
    mark = _MARKS[word]
    sign = () if width is None or mark.text == " " else (mark, Span(" "))
    return (Span(", "), *sign, Span(f"{count} {_COUNTED[word]}", mark.tone))


def expected_mark(call: JudgedCall) -> str:
    """Say in a word whether a call was as expected: `yes`, `NO`, `untested`, or `-` where nothing was expected.

    Where nothing was expected, a final response off the wire is needed all the same.
    """
    silent = call.as_expected is None and call.conversation.final is None
    if silent or call.verdict.disposition is Disposition.INCONCLUSIVE:
        return "untested"
    return {True: "yes", False: "NO", None: "-"}[call.as_expected]


def what_happened(call: JudgedCall) -> str:
    """Say in one plain line what came off the wire and when, or why nothing did."""
    said, ending = call.conversation, call.record.ending
    parts = []
    if said.final and said.final.status is not None:
        parts.append(plain(f"{said.final.status} {said.final.phrase}".rstrip()) + _after(said.timing))
    if not parts or ending in {Ending.RING_LIMIT, Ending.STOPPED}:
        parts.append(ENDING_WORDS[ending])
    detail = f": {plain(call.record.detail)}" if call.record.detail else ""
    return ", ".join(parts) + detail


def _after(timing: Timing) -> str:
    final = "" if timing.final_ms is None else f" after {seconds(timing.final_ms)}"
    return final if timing.talk_ms is None else f"{final}, held {seconds(timing.talk_ms)}"


def seconds(ms: float) -> str:
    """Write a duration in ms as a person reads it: `412 ms`, `3.1 s`."""
    return f"{ms:.0f} ms" if ms < _SECOND_MS else f"{ms / _SECOND_MS:.1f} s"
