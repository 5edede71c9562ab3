"""Tallies in, in any order; the counts of each caller ID by dimension and value, and day by day, out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from probe.health.tally import EVERYBODY, Dimension, Route, Tally, read_route

DAYS: Final = 91
"""So many days, thirteen weeks, are looked at day by day; what is older counts in the sums alone."""

Values = Mapping[str, Tally]


class Day(NamedTuple):
    """What became of a caller ID's calls of one day (UTC, as its number in the calendar)."""

    number: int
    blocked: int
    through: int
    declined: int
    quiet: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerCounts:
    """The calls of one caller ID: by dimension and value, day by day of late, and all together."""

    by: Mapping[Dimension, Values]
    days: tuple[Day, ...]
    calls: int
    blocked: int
    judged: int

    def values(self, dimension: Dimension) -> Values:
        return self.by.get(dimension, {})


class Counted:
    """All tallies: `callers` by number, and of everybody's calls how long a destination takes to alert, and routes.

    `today` is the last day on which anybody called; days and routes reach `DAYS` back from it. A destination is on
    that of the `networks` that most of those calls to it were on.
    """

    def __init__(self, tallies: Iterable[Tally]) -> None:
        found = _sorted_out(tallies)
        everybody = found.pop(EVERYBODY, {})
        last = max((max(by[Dimension.DAY]) for by in found.values() if by.get(Dimension.DAY)), default="0001-01-01")
        self.today = day_number(last)
        first = date.fromordinal(max(1, self.today - DAYS + 1)).isoformat()
        self.callers = {caller: _caller(found[caller], first) for caller in sorted(found)}
        self.alerting: Values = everybody.get(Dimension.ALERTING, {})
        routes = everybody.get(Dimension.ROUTE, {})
        self.routes = {read_route(value): routes[value] for value in sorted(routes) if value >= first}
        self.networks = _networks(self.routes)


def _sorted_out(tallies: Iterable[Tally]) -> dict[str, dict[Dimension, dict[str, Tally]]]:
    found: dict[str, dict[Dimension, dict[str, Tally]]] = {}
    for tally in tallies:
        try:
            found[tally.caller][tally.dimension][tally.value] = tally
        except KeyError:
            found.setdefault(tally.caller, {}).setdefault(tally.dimension, {})[tally.value] = tally
    return found


def _caller(by: Mapping[Dimension, Values], first: str) -> CallerCounts:
    # Every call has one trunk.
    whole = by.get(Dimension.TRUNK, {}).values()
    blocked = sum([tally.blocked for tally in whole])
    days = sorted([(value, tally) for value, tally in by.get(Dimension.DAY, {}).items() if value >= first])
    return CallerCounts(
        by=by,
        days=tuple([Day(day_number(day), one.blocked, one.through, one.declined, one.quiet) for day, one in days]),
        calls=sum([tally.calls for tally in whole]),
        blocked=blocked,
        judged=blocked + sum([tally.through for tally in whole]),
    )


@lru_cache(maxsize=4096)
def day_number(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _networks(routes: Mapping[Route, Tally]) -> dict[str, str]:
    calls: dict[str, dict[str, int]] = {}
    for route, tally in routes.items():
        known = calls.setdefault(route.destination, {})
        known[route.network] = known.get(route.network, 0) + tally.calls
    return {destination: max(known, key=lambda name: (known[name], name)) for destination, known in calls.items()}
