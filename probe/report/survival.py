"""Calls to far ends that are known to send a 603+ in; what each trunk left of it, part by part, out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from probe.call import Ending
from probe.judged import JudgedCall
from probe.report.lines import BLANK, Line, Span, Tone, column_widths, line, padded, paragraph
from probe.report.text import plain
from probe.scenario.scenario import Scenario, Sends
from probe.sip.response import response_of
from probe.verdict.survival import PARTS, Fate, Part, is_whole, survival

_GAP: Final = Span("  ")
_TONES: Final = {Fate.INTACT: Tone.GOOD, Fate.CHANGED: Tone.BAD, Fate.LOST: Tone.BAD}
_NOT_SENT: Final = "-"
_CALLER: Final = 1  # the column that says nothing where all calls have one caller ID
_NAMES: Final = {"text": "Reason text"}
_NOTHING: Final = response_of(None, "", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Survived:
    """One call to such a far end, and what became of each part of the 603+ that was sent."""

    call: JudgedCall
    parts: tuple[Part, ...]

    @property
    def is_finding(self) -> bool:
        """Say whether it came back damaged, and nobody said what to expect instead."""
        return not is_whole(self.parts) and self.call.record.request.expect is None


def survived(scenario: Scenario, calls: Iterable[JudgedCall]) -> tuple[Survived, ...]:
    """Compare the calls of a scenario that were answered off the wire to what it says is sent, by trunk and callee."""
    sends = {destination.number: destination.sends for destination in scenario.destinations if destination.sends}
    found = [one for one in (_survived(call, sends) for call in calls) if one is not None]
    return tuple(sorted(found, key=_order))


def _order(one: Survived) -> tuple[str, str, str]:
    request = one.call.record.request
    return request.trunk, request.callee, request.caller


def _survived(call: JudgedCall, sends: Mapping[str, Sends]) -> Survived | None:
    sent, ending = sends.get(call.record.request.callee), call.record.ending
    # What answers our own CANCEL is nothing that was sent; where nothing came off the wire, nothing was tested.
    came = _NOTHING if ending is Ending.RING_LIMIT else call.conversation.final
    if sent is None or came is None or ending is Ending.STOPPED:
        return None
    return Survived(call=call, parts=survival(sent.phrase, sent.reason, came))


def survival_table(found: Sequence[Survived], *, width: int | None) -> tuple[Line, ...]:
    """Draw a row a call, and below it what was sent and what came where the two differ; empty without such calls."""
    if not found:
        return ()
    headings = ("trunk", "caller", "callee", *(_NAMES.get(name, name) for name in PARTS))
    cells = [line(*(Span(heading, Tone.QUIET) for heading in headings)), *map(_row, found)]
    if len({one.call.record.request.caller for one in found}) == 1:
        cells = [(*row[:_CALLER], *row[_CALLER + 1 :]) for row in cells]
    widths = column_widths(cells)
    drawn = [tuple(piece for one in zip(row, widths, strict=True) for piece in (padded(*one), _GAP)) for row in cells]
    below = [[], *(_differences(one, width) for one in found)]
    rows = [row for head, others in zip(drawn, below, strict=True) for row in (head, *others)]
    return (line(Span("603+ survival", Tone.STRONG)), *rows, BLANK, *map(line, survival_sentences(found)))


def survival_sentences(found: Iterable[Survived]) -> tuple[str, ...]:
    """Sum up each trunk in a sentence, such as `carrier-a: 1 of 2 came back whole; damaged: phrase (1)`."""
    trunks: dict[str, list[Survived]] = {}
    for one in found:
        trunks.setdefault(one.call.record.request.trunk, []).append(one)
    return tuple(_sentence(trunk, theirs) for trunk, theirs in trunks.items())


def _sentence(trunk: str, found: Sequence[Survived]) -> str:
    whole = sum(is_whole(one.parts) for one in found)
    hit = Counter(part.name for one in found for part in one.parts if part.fate is not Fate.INTACT)
    named = ", ".join(f"{_NAMES.get(name, name)} ({hit[name]})" for name in PARTS if hit[name])
    damaged = f"; damaged: {named}" if named else ""
    return plain(f"{trunk}: {whole} of {len(found)} came back whole{damaged}.")


def _row(one: Survived) -> Line:
    request, fates = one.call.record.request, {part.name: part.fate for part in one.parts}
    marks = (
        Span(fates[name].value, _TONES[fates[name]]) if name in fates else Span(_NOT_SENT, Tone.QUIET) for name in PARTS
    )
    return (*(Span(plain(text)) for text in (request.trunk, request.caller, request.callee)), *marks)


def _differences(one: Survived, width: int | None) -> list[Line]:
    return [
        row
        for part in one.parts
        if part.fate is not Fate.INTACT
        for row in paragraph(
            difference(part), width=width, first=f"  {_NAMES.get(part.name, part.name):<13}", break_words=True
        )
    ]


def difference(part: Part) -> str:
    """Say in one plain line what was sent and what came of it."""
    flaws = f" ({', '.join(part.flaws)})" if part.flaws else ""
    came = "nothing" if part.came is None else f"{part.came}{flaws}"
    return plain(f"sent {part.sent}, came {came}")
