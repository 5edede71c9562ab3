"""Standings in, a table with one row for each caller ID out: how it stands, and on which networks."""

from collections.abc import Iterable, Sequence
from typing import Final

from probe.health import Standing
from probe.report.lines import Line, Span, Tone, column_widths, line, padded
from probe.report.text import plain

_TONES: Final = {
    "clean": Tone.GOOD,
    "recovering": Tone.DOUBT,
    "suspect": Tone.DOUBT,
    "blocked": Tone.BAD,
}
_HEADINGS: Final = ("caller", "standing", "blocked", "blocked on", "through on", "unclear on")
_GAP: Final = Span("  ")


def standings_table(standings: Sequence[Standing], *, width: int | None) -> Iterable[Line]:
    """Draw a row for each caller ID. A network is `unclear` where no call could tell."""
    del width  # short columns; a long list of networks stands last, and a terminal wraps it
    whole = [standing for standing in standings if standing.network is None]
    if not whole:
        return ()
    rows = [line(*(Span(heading, Tone.QUIET) for heading in _HEADINGS)), *(_row(one, standings) for one in whole)]
    widths = column_widths(rows)
    return tuple(
        tuple(piece for cell, size in zip(row, widths, strict=True) for piece in (padded(cell, size), _GAP))
        for row in rows
    )


def _row(whole: Standing, standings: Sequence[Standing]) -> Line:
    networks = [one for one in standings if one.caller == whole.caller and one.network]
    return (
        Span(plain(whole.caller), Tone.STRONG),
        Span(whole.standing, _TONES.get(whole.standing, Tone.NORMAL)),
        Span(f"{whole.blocked} of {whole.judged}"),
        Span(_names(one for one in networks if one.blocked), Tone.BAD),
        Span(_names(one for one in networks if one.judged > one.blocked), Tone.GOOD),
        Span(_names(one for one in networks if not one.judged), Tone.DOUBT),
    )


def _names(standings: Iterable[Standing]) -> str:
    return ", ".join(plain(one.network or "") for one in standings) or "-"
