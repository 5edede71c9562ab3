"""What the store knows of caller IDs in, their profiles out: standings with signals, latest calls, steps, cases."""

import gc
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import TypeVar

from probe.health import Case, Dimension, Signal, Standing, Tally
from probe.health.advice import steps_for
from probe.health.signals import attach, find_signals
from probe.report.profile import Profile
from probe.report.standing_words import CallerStanding
from probe.store import Store

_SHOWN = frozenset({Dimension.DAY, Dimension.DESTINATION, Dimension.LABEL, Dimension.CAMPAIGN})

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reputation:
    """All that is known of the caller IDs, but for their single calls. Standings carry their signals.

    By caller ID: `labels` is what the user calls it, `days` its calls of each day (`2026-11-17`), `called` the numbers
    that it called.
    """

    standings: tuple[Standing, ...]
    signals: tuple[Signal, ...]
    cases: Mapping[str, tuple[Case, ...]]
    labels: Mapping[str, str]
    days: Mapping[str, Mapping[str, int]]
    called: Mapping[str, frozenset[str]]

    @property
    def began(self) -> datetime | None:
        """The day of the first call."""
        return min((_day(day) for days in self.days.values() for day in days), default=None)


def read_reputation(store: Store) -> Reputation:
    """Read how every caller ID stands, with what ties its blocks together and how far redress has come."""
    gc.disable()  # a command reads this once and ends; to look for circles in half a million counts costs a second
    tallies, standings = store.tallies(), store.standings()
    signals, counts = find_signals(tallies, standings), _counts(tallies)
    return Reputation(
        standings=attach(standings, signals),
        signals=signals,
        cases=_grouped((case.caller, case) for case in store.cases()),
        labels=_labels(counts),
        days={caller: days for (caller, of), days in counts.items() if of is Dimension.DAY},
        called={caller: frozenset(numbers) for (caller, of), numbers in counts.items() if of is Dimension.DESTINATION},
    )


def profile(store: Store, known: Reputation, one: CallerStanding, *, calls: int = 0) -> Profile:
    """Say what to do about a caller ID, and add its latest calls, about so many."""
    cases = known.cases.get(one.caller, ())
    since = _since(known.days.get(one.caller, {}), calls) if calls else None
    return Profile(
        standing=one,
        label=known.labels.get(one.caller),
        observations=store.observations(one.caller, since) if since else (),
        signals=one.whole.signals,
        steps=steps_for(one.whole, known.signals, cases),
        cases=cases,
    )


def _since(days: Mapping[str, int], calls: int) -> datetime | None:
    """Give the first of the last days that have at most so many calls together, but at least one day with any."""
    newest = sorted(days, reverse=True)
    fitting = sum(total <= calls for total in accumulate(days[day] for day in newest))
    return _day(newest[max(fitting, 1) - 1]) if newest else None


def _day(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def _labels(values: Mapping[tuple[str, Dimension], Mapping[str, int]]) -> dict[str, str]:
    """Name each caller ID by label and campaign, those that most of its calls had."""
    named = defaultdict(list)
    for dimension in (Dimension.LABEL, Dimension.CAMPAIGN):
        for (caller, of), counts in values.items():
            if of is dimension:
                named[caller].append(max(counts, key=lambda value: counts[value]))
    return {caller: ", ".join(dict.fromkeys(names)) for caller, names in named.items()}


def _counts(tallies: Iterable[Tally]) -> dict[tuple[str, Dimension], dict[str, int]]:
    """Count the calls of each caller ID by the values of the dimensions that are shown."""
    counts: defaultdict[tuple[str, Dimension], dict[str, int]] = defaultdict(dict)
    for tally in tallies:
        if tally.dimension in _SHOWN:
            counts[tally.caller, tally.dimension][tally.value] = tally.calls
    return dict(counts)


def _grouped(pairs: Iterable[tuple[str, _Value]]) -> dict[str, tuple[_Value, ...]]:
    groups: defaultdict[str, list[_Value]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return {key: tuple(values) for key, values in groups.items()}
