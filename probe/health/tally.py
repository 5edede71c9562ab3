"""Observations in; how many calls of each caller ID were blocked, by whatever they have in common, out.

Counts add up in any order, so they are kept up to date call by call, and signals are found in them alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from math import log2
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from probe.call import LOCAL
from probe.health.evidence import Evidence, evidence_of, settled
from probe.health.observation import Observation
from probe.scenario.hours import zones_of
from probe.verdict import Disposition


class Dimension(StrEnum):
    """What calls may have in common, and how its value is written. Hour and weekday are those at the called party."""

    NETWORK = "network"
    TRUNK = "trunk"
    DESTINATION = "destination"
    CAMPAIGN = "campaign"
    LABEL = "label"
    LEAD_SOURCE = "lead_source"
    TAG = "tag"
    # `09 2`: the hour, and in which third of all days (THIRDS): what happened in one afternoon is seen in one third.
    HOUR = "hour"
    WEEKDAY = "weekday"  # `mon`
    DAY = "day"  # `2026-11-17`, UTC
    # How soon a destination refuses a caller ID quietly: `+12025550191 80`, to the octave, so that it takes few rows.
    QUIET = "quiet"
    # How long a destination takes to alert: `+12025550191 83`. Of everybody's calls.
    ALERTING = "alerting"
    # Day (UTC), destination, trunk and network, with tabs between them. Of everybody's calls; those that were refused
    # quietly do not count as through.
    ROUTE = "route"
    # From where, on which network: `east verizon`. Of the calls that workers of several sites place.
    SITE = "site"


EVERYBODY: Final = ""
# Days are dealt into three parts by turns (3 and 7 have no common divisor, so each part has all weekdays).
THIRDS: Final = 3
WEEKDAY_NAMES: Final = {
    "mon": "Mondays",
    "tue": "Tuesdays",
    "wed": "Wednesdays",
    "thu": "Thursdays",
    "fri": "Fridays",
    "sat": "Saturdays",
    "sun": "Sundays",
}
WEEKDAYS: Final = tuple(WEEKDAY_NAMES)
STEPS: Final = 8  # to an octave of milliseconds


class Tally(NamedTuple):
    """The calls of a caller ID that have one thing in common. `declined` are among `through`.

    `quiet` are refusals that may be a machine's: ambiguous or busy, and nothing ever rang. A tuple, for there may be
    half a million, and one is made in a third of the time.
    """

    caller: str
    dimension: Dimension
    value: str
    calls: int
    blocked: int
    through: int
    declined: int
    quiet: int


_KINDS: Final = 16_384  # so many kinds of calls are remembered: where millions are added up, most are like others
# All clocks have been whole quarters of an hour apart since 1972.
_QUARTER_S: Final = 900

_Row = tuple[str, Dimension, str]
_Counts = tuple[int, int, int, int, int]
_ONE: Final = (1, 0, 0, 0, 0)
_ONE_BLOCKED: Final = (0, 1, 0, 0, 0)

# Caller, trunk, network, callee, campaign, label, lead source, tags, site.
_Common = tuple[str, str, str | None, str, str | None, str | None, str | None, tuple[str, ...], str]
# Caller, day (its ordinal, UTC), callee, trunk, network.
_Routed = tuple[str, int, str, str, str | None, _Counts]

Counts = dict[_Row, list[int]]
"""By caller ID, dimension and value: `[calls, blocked, through, declined, quiet]`."""


class _Local(NamedTuple):
    """When a call began at the called party, as the values of two dimensions."""

    hour: str
    weekday: str


class Tallies:
    """Counts of calls by caller ID, dimension and value.

    Most calls are like others: they are counted by their kind, and what a kind adds to is looked up once, in the end.
    """

    def __init__(self) -> None:
        self._common = defaultdict[tuple[_Common, _Counts], int](int)
        self._times = defaultdict[tuple[str, _Local, _Counts], int](int)
        self._routes = defaultdict[_Routed, int](int)
        # Caller, callee, octave, whether it counts as through.
        self._quiet = defaultdict[tuple[str, str, int, int], int](int)
        self._rings = defaultdict[tuple[int, str, int], int](int)  # day, callee, step

    def add(self, call: Observation) -> None:
        """Count one call, for its caller ID and for everybody."""
        counts = _counts_of(call)
        self._add(call, counts)
        if counts[4] and call.final_ms is not None:
            self._quiet[(call.caller, call.callee, octave_of(call.final_ms), counts[2])] += 1
        if call.alerting_ms is not None:
            self._rings[(call.started_at.toordinal(), call.callee, step_of(call.alerting_ms))] += 1

    def settle(self, refused: Observation, control: Observation) -> None:
        """Count a refused call as blocked, where its control call says so, for its caller ID and for everybody."""
        before, after = evidence_of(refused.disposition), settled(refused.disposition, control.disposition)
        if after is not before and after is Evidence.BLOCKED:
            self._add(refused, _ONE_BLOCKED)

    def _add(self, call: Observation, counts: _Counts) -> None:
        names = (
            call.caller, call.trunk, call.network, call.callee, call.campaign, call.label, call.lead_source, call.tags,
            call.site,
        )  # fmt: skip
        self._common[(names, counts)] += 1
        local = _local_at(*_where_and_when(call))
        if local is not None:
            self._times[(call.caller, local, counts)] += 1
        self._routes[(call.caller, call.started_at.toordinal(), call.callee, call.trunk, call.network, counts)] += 1

    def of_callers(self) -> Counts:
        """Give the counts of the caller IDs."""
        total: Counts = {}
        for (names, counts), times in self._common.items():
            for row in _rows_in_common(*names):
                _sum(total, row, counts, times)
        for (caller, local, counts), times in self._times.items():
            _sum(total, (caller, Dimension.HOUR, local.hour), counts, times)
            _sum(total, (caller, Dimension.WEEKDAY, local.weekday), counts, times)
        for (caller, day, *_, counts), times in self._routes.items():
            _sum(total, (caller, Dimension.DAY, _written_day(day)), counts, times)
        for (caller, callee, octave, through), times in self._quiet.items():
            _sum(total, (caller, Dimension.QUIET, f"{callee} {octave}"), (1, 0, through, 0, 1), times)
        return total

    def of_everybody(self) -> dict[str, Counts]:
        """Give everybody's counts, by the day (UTC) of the calls."""
        total = defaultdict[str, Counts](dict)
        for (_, ordinal, callee, trunk, network, counts), times in self._routes.items():
            day, (calls, blocked, through, declined, quiet) = _written_day(ordinal), counts
            row = (EVERYBODY, Dimension.ROUTE, written(Route(day, callee, trunk, network or "")))
            _sum(total[day], row, (calls, blocked, int(through and not quiet), declined, quiet), times)
        for (ordinal, callee, step), times in self._rings.items():
            _sum(total[_written_day(ordinal)], (EVERYBODY, Dimension.ALERTING, f"{callee} {step}"), _ONE, times)
        return total

    @property
    def counts(self) -> Counts:
        """Give the counts of the caller IDs and everybody's."""
        return summed([self.of_callers(), *self.of_everybody().values()])

    def rows(self) -> Iterator[Tally]:
        """Give the counts, one value each."""
        for (caller, dimension, value), counts in self.counts.items():
            yield Tally(caller, dimension, value, *counts)


def summed(several: Iterable[Counts]) -> Counts:
    """Add counts up, row by row."""
    total: Counts = {}
    for counts in several:
        for row, more in counts.items():
            _sum(total, row, more)
    return total


@lru_cache(maxsize=_KINDS)
def _written_day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def _sum(total: Counts, row: _Row, more: Sequence[int], times: int = 1) -> None:
    known = total.get(row)
    if known is None:
        total[row] = [count * times for count in more]
        return
    for place, count in enumerate(more):
        if count:
            known[place] += count * times


class Route(NamedTuple):
    """On which day (UTC) which destination was called over which trunk, and on which network it is."""

    day: str
    destination: str
    trunk: str
    network: str


def written(route: Route) -> str:
    """Write a route as a value; its network may hold tabs of its own."""
    return "\t".join((route.day, route.destination, route.trunk.replace("\t", " "), route.network))


def read_route(value: str) -> Route:
    return Route(*value.split("\t", 3))


def read_site(value: str) -> tuple[str, str]:
    """Read a site, whose name has no blank in it, and a network, which is empty where it is not known."""
    site, _, network = value.partition(" ")
    return site, network


@lru_cache(maxsize=_KINDS)
def _counts(disposition: Disposition, *, quiet: bool) -> _Counts:
    evidence = evidence_of(disposition)
    declined = disposition is Disposition.USER_DECLINED
    return 1, int(evidence is Evidence.BLOCKED), int(evidence is Evidence.THROUGH), int(declined), int(quiet)


def _counts_of(call: Observation) -> _Counts:
    return _counts(call.disposition, quiet=is_quiet(call))


def _rows_in_common(  # noqa: PLR0913, PLR0917 (what calls may have in common, but for the time)
    caller: str,
    trunk: str,
    network: str | None,
    callee: str,
    campaign: str | None,
    label: str | None,
    lead_source: str | None,
    tags: tuple[str, ...],
    site: str,
) -> tuple[_Row, ...]:
    """Leave out what is not known, but for the trunk: over the trunks, even without a name, all calls are added up."""
    named = (
        (Dimension.NETWORK, network),
        (Dimension.DESTINATION, callee),
        (Dimension.CAMPAIGN, campaign),
        (Dimension.LABEL, label),
        (Dimension.LEAD_SOURCE, lead_source),
        *((Dimension.TAG, tag) for tag in dict.fromkeys(tags)),
        (Dimension.SITE, None if site == LOCAL else f"{site} {network or ''}"),
    )
    return ((caller, Dimension.TRUNK, trunk), *((caller, dimension, value) for dimension, value in named if value))


def is_quiet(call: Observation) -> bool:
    """Say whether a call was refused without a ring, by whoever it was.

    Of a call that others placed the times may be missing: then nobody can tell.
    """
    if call.alerting_ms is not None or call.final_ms is None:
        return False
    return call.disposition is Disposition.USER_BUSY or evidence_of(call.disposition) is Evidence.AMBIGUOUS


def local_time(call: Observation) -> datetime | None:
    """Give the time at the called party; None where its zone is not known, or several are possible that differ."""
    zone = _zone_at(*_where_and_when(call))
    return call.started_at.astimezone(zone) if zone else None


def _where_and_when(call: Observation) -> tuple[tuple[str, ...], int]:
    zones = (call.timezone,) if call.timezone else zones_of(call.callee)
    return zones, int(call.started_at.timestamp()) // _QUARTER_S


@lru_cache(maxsize=_KINDS)
def _local_at(zones: tuple[str, ...], quarter: int) -> _Local | None:
    zone = _zone_at(zones, quarter)
    if zone is None:
        return None
    at = datetime.fromtimestamp(quarter * _QUARTER_S, zone)
    return _Local(f"{at.hour:02} {at.toordinal() % THIRDS}", WEEKDAYS[at.weekday()])


def _zone_at(zones: tuple[str, ...], quarter: int) -> ZoneInfo | None:
    found = [ZoneInfo(zone) for zone in zones]
    offsets = {datetime.fromtimestamp(quarter * _QUARTER_S, zone).utcoffset() for zone in found}
    return found[0] if len(offsets) == 1 else None


def step_of(ms: float) -> int:
    """Give the step of a histogram that a time falls into: eight to the octave."""
    return round(log2(max(ms, 1.0)) * STEPS)


def octave_of(ms: float) -> int:
    """Give the step in the middle of the octave that a time falls into."""
    return round(step_of(ms) / STEPS) * STEPS


def ms_of(step: int) -> float:
    """Give the time in the middle of a step, in milliseconds."""
    return float(round(2 ** (step / STEPS)))
