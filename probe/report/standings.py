"""Standings in, a table of caller IDs by network out."""

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
_HEADINGS: Final = ("caller", "network", "standing", "blocked", "declined", "suspected", "not tested")
_GAP: Final = Span("  ")


def standings_table(standings: Sequence[Standing], *, width: int | None) -> Iterable[Line]:
    """Draw one row for each caller ID and network; a caller ID on one network alone needs no row for the whole."""
    del width  # seven short columns fit anywhere
    shown = [standing for standing in standings if not _says_nothing_new(standing, standings)]
    if not shown:
        return ()
    rows = [line(*(Span(heading, Tone.QUIET) for heading in _HEADINGS)), *map(_cells, shown)]
    widths = column_widths(rows)
    return tuple(
        tuple(piece for cell, size in zip(row, widths, strict=True) for piece in (padded(cell, size), _GAP))
        for row in rows
    )


def _says_nothing_new(standing: Standing, standings: Sequence[Standing]) -> bool:
    networks = {other.network for other in standings if other.caller == standing.caller and other.network}
    return standing.network is None and len(networks) == 1


def _cells(standing: Standing) -> Line:
    return (
        Span(plain(standing.caller), Tone.STRONG),
        Span(plain(standing.network or "all"), Tone.NORMAL),
        Span(standing.standing, _TONES.get(standing.standing, Tone.NORMAL)),
        Span(f"{standing.blocked} of {standing.judged}"),
        Span(str(standing.declined)),
        Span(str(standing.suspected)),
        Span(str(standing.inconclusive)),
    )
