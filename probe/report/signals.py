"""A signal in, one plain sentence with its counts out: for the page, the terminal and the redress desk."""

from datetime import UTC
from typing import Final

from probe.health import Dimension, Signal
from probe.health.tally import WEEKDAY_NAMES
from probe.report.text import clip, plain

_LONGEST: Final = 80

# By dimension: what blocks come with, and what the other calls, or numbers, are.
_TIES: Final[dict[str, tuple[str, str]]] = {
    Dimension.NETWORK: ("on {value}", "elsewhere"),
    Dimension.TRUNK: ("over trunk {value}", "over others"),
    Dimension.DESTINATION: ("at {value}", "at others of its network"),
    Dimension.CAMPAIGN: ("with campaign {value}", "without it"),
    Dimension.LABEL: ("with label {value}", "without it"),
    Dimension.LEAD_SOURCE: ("with leads from {value}", "without them"),
    Dimension.TAG: ("with tag {value}", "without it"),
    Dimension.HOUR: ("between {value}:00 and {value}:59 at the called party", "at other hours"),
    Dimension.WEEKDAY: ("on {value} at the called party", "on other days"),
}
_OF_NUMBERS: Final = frozenset({Dimension.CAMPAIGN, Dimension.LABEL, Dimension.LEAD_SOURCE, Dimension.TAG})

# By kind: the whole sentence.
_SENTENCES: Final = {
    "cluster": "Blocks of {caller} come {tie}: {hits} of {total} there, {other_hits} of {other_total} {others}.",
    "cluster of numbers": "Blocks come {tie}: {hits} of {total} are blocked, {other_hits} of {other_total} {others}.",
    "cluster of the fleet": (
        "Blocks come {tie} across the fleet: those of {hits} of {total} in trouble are tied to it, those of "
        "{other_hits} {others}."
    ),
    "blocks_rose": "Blocks{of} have {more} since {since}: {hits} of {total}, before {other_hits} of {other_total}.",
    "blocks_fell": "Blocks{of} have {less} since {since}: {hits} of {total}, before {other_hits} of {other_total}.",
    "declines_rose": (
        "Declines{of} have {more} since {since}: {hits} of {total} that got through, before {other_hits} of "
        "{other_total}."
    ),
    "declines_fell": (
        "Declines{of} have {less} since {since}: {hits} of {total} that got through, before {other_hits} of "
        "{other_total}."
    ),
    "path": (
        "Blocks of {caller}{on} come from site {value} alone: {hits} of {total} there, none of {other_total} from "
        "elsewhere. That is about the path, not about the number."
    ),
    "silent_block": (
        "Calls of {caller} to {value} are refused before a phone can ring, and nobody says why: {hits} of {total}, but "
        "{other_hits} of {other_total} of other caller IDs; {control} gets through."
    ),
    "trunk_problem": (
        "Trunk {value} refuses every caller ID at every destination since {since}: {hits} of {total}, otherwise "
        "{other_hits} of {other_total}. That is about the trunk, not about the caller IDs."
    ),
    "destination_problem": (
        "{value} refuses every caller ID since {since}: {hits} of {total}, {other_hits} of {other_total} to other "
        "destinations. That is about the destination, not about the caller IDs."
    ),
}

# How many times as large a share is as it was: below the bound, these words for more.
_MORE: Final = ((1.75, "risen"), (2.5, "doubled"), (3.5, "tripled"), (4.5, "quadrupled"))


def sentence(signal: Signal) -> str:
    """Say what a signal says; what the user or the network wrote is made plain, for a terminal as well."""
    value = _shown(WEEKDAY_NAMES.get(signal.value, signal.value))
    tie, others = _TIES.get(signal.dimension, ("", ""))
    caller = _shown(signal.caller or "")
    return _SENTENCES[_kind(signal)].format(
        value=value,
        tie=tie.format(value=value),
        others=others,
        caller=caller,
        of=f" of {caller}" if caller else "",
        control=_shown(signal.control or ""),
        on=f" on {_shown(signal.network)}" if signal.network else "",
        since=f"{signal.since.astimezone(UTC):%A %Y-%m-%d}" if signal.since else "",
        more=_more(signal),
        less="stopped" if not signal.hits else "fallen",
        hits=f"{signal.hits:,}",
        total=_counted(signal),
        other_hits=f"{signal.other_hits:,}",
        other_total=f"{signal.other_total:,}",
    )


def _counted(signal: Signal) -> str:
    what = "number" if signal.of == "numbers" else "call"
    return f"{signal.total:,} {what}{'' if signal.total == 1 else 's'}"


def _kind(signal: Signal) -> str:
    if signal.kind != "cluster" or signal.caller is not None:
        return signal.kind
    return "cluster of numbers" if signal.dimension in _OF_NUMBERS else "cluster of the fleet"


def _more(signal: Signal) -> str:
    if not signal.other_hits:
        return "begun"
    times = signal.hits * signal.other_total / (signal.other_hits * (signal.total or 1))
    return next((word for bound, word in _MORE if times < bound), "risen sharply")


def _shown(text: str) -> str:
    return clip(plain(text), _LONGEST)
