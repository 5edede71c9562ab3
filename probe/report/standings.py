"""Standings in, tables for a terminal or a pipe out: in short after a check, or in full with shares and times."""

from collections.abc import Iterable, Sequence
from typing import Final

from probe.health import Standing
from probe.report.lines import Line, Span, Tone, column_widths, line, padded
from probe.report.profile import Profile
from probe.report.standing_words import STANDING_TONE, badness, blocked_of, interval, minute, percent
from probe.report.text import clip, plain

_HEADINGS: Final = ("caller", "standing", "blocked", "blocked on", "through on", "unclear on")
_FULL_HEADINGS: Final = (
    "caller ID", "standing", "since (UTC)", "blocked", "share", "95 %", "declined", "last call (UTC)", "label",
)  # fmt: skip
_GAP: Final = Span("  ")
_NAME_SHOWN: Final = 32


def standings_table(standings: Sequence[Standing], *, width: int | None) -> tuple[Line, ...]:
    """Draw a row for each caller ID. A network is `unclear` where no call could tell."""
    del width  # short columns; a long list of networks stands last, and a terminal wraps it
    whole = [standing for standing in standings if standing.network is None]
    return _aligned(_HEADINGS, [_row(one, standings) for one in whole])


def _row(whole: Standing, standings: Sequence[Standing]) -> Line:
    networks = [one for one in standings if one.caller == whole.caller and one.network]
    return (
        Span(plain(whole.caller), Tone.STRONG),
        _standing(whole),
        Span(f"{whole.blocked} of {whole.judged}"),
        Span(_names(one for one in networks if one.blocked), Tone.BAD),
        Span(_names(one for one in networks if one.judged > one.blocked), Tone.GOOD),
        Span(_names(one for one in networks if not one.judged), Tone.DOUBT),
    )


def _names(standings: Iterable[Standing]) -> str:
    return ", ".join(plain(one.network or "") for one in standings) or "-"


def standing_table(profiles: Iterable[Profile], *, width: int | None) -> tuple[Line, ...]:
    """Draw a row for each caller ID as a whole and, where its networks differ, one for each of them below it.

    On a terminal long names are cut; in a pipe (`width` None) nothing is.
    """
    return _aligned(_FULL_HEADINGS, [row for profile in profiles for row in _rows(profile, cut=width is not None)])


def _rows(profile: Profile, *, cut: bool) -> Iterable[Line]:
    one = profile.standing
    yield _full_row(Span(_name(one.caller, cut=cut), Tone.STRONG), one.whole, _name(profile.label or "", cut=cut))
    if any(network.standing is not one.whole.standing for network in one.networks.values()):
        for network in sorted(one.networks.values(), key=badness):
            yield _full_row(Span(f"  {_name(network.network or '', cut=cut)}"), network)


def _name(text: str, *, cut: bool) -> str:
    return clip(plain(text), _NAME_SHOWN) if cut else plain(text)


def _full_row(name: Span, one: Standing, label: str = "") -> Line:
    return (
        name,
        _standing(one),
        Span(minute(one.since)),
        Span(blocked_of(one)),
        Span(percent(one.blocked_share)),
        Span(interval(one)),
        Span(f"{one.declined:,}"),
        Span(minute(one.last_call_at)),
        Span(label, Tone.QUIET),
    )


def _standing(one: Standing) -> Span:
    return Span(one.standing, STANDING_TONE.get(one.standing, Tone.NORMAL))


def _aligned(headings: Sequence[str], rows: Sequence[Line]) -> tuple[Line, ...]:
    if not rows:
        return ()
    every = [line(*(Span(heading, Tone.QUIET) for heading in headings)), *rows]
    widths = column_widths(every)
    return tuple(
        tuple(piece for cell, size in zip(row, widths, strict=True) for piece in (padded(cell, size), _GAP))
        for row in every
    )
