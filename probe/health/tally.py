"""Observations in; how many calls of each caller ID were blocked, by whatever they have in common, out.

Counts add up in any order, so they are kept up to date call by call, and signals are found in them alone.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
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
_ONE_BLOCKED: Final = (0, 1, 0, 0, 0)


class Tallies:
    """Counts by caller ID, dimension and value: `[calls, blocked, through, declined, quiet]`."""

    def __init__(self) -> None:
        self.counts: dict[_Row, list[int]] = {}

    def add(self, call: Observation) -> None:
        """Count one call, for its caller ID and for everybody."""
        self.add_to_caller(call)
        self.add_to_everybody(call)

    def add_to_caller(self, call: Observation) -> None:
        """Count one call for its caller ID."""
        counts = _counts_of(call)
        self._add_all(_rows_of(call), counts)
        if counts[4] and call.final_ms is not None:
            value = f"{call.callee} {octave_of(call.final_ms)}"
            self._add((call.caller, Dimension.QUIET, value), (1, 0, counts[2], 0, 1))

    def add_to_everybody(self, call: Observation) -> None:
        """Count one call for everybody."""
        if call.alerting_ms is not None:
            value = f"{call.callee} {step_of(call.alerting_ms)}"
            self._add((EVERYBODY, Dimension.ALERTING, value), (1, 0, 0, 0, 0))
        calls, blocked, through, declined, quiet = _counts_of(call)
        route = (EVERYBODY, Dimension.ROUTE, written(route_of(call)))
        self._add(route, (calls, blocked, int(through and not quiet), declined, quiet))

    def settle(self, refused: Observation, control: Observation) -> None:
        """Count a refused call as blocked, where its control call says so, for its caller ID and for everybody."""
        self.settle_for_caller(refused, control)
        self.settle_for_everybody(refused, control)

    def settle_for_caller(self, refused: Observation, control: Observation) -> None:
        if _is_settled_as_blocked(refused, control):
            self._add_all(_rows_of(refused), _ONE_BLOCKED)

    def settle_for_everybody(self, refused: Observation, control: Observation) -> None:
        if _is_settled_as_blocked(refused, control):
            self._add((EVERYBODY, Dimension.ROUTE, written(route_of(refused))), _ONE_BLOCKED)

    def _add_all(self, rows: Iterable[_Row], counts: _Counts) -> None:
        for row in rows:
            self._add(row, counts)

    def _add(self, row: _Row, counts: _Counts) -> None:
        found = self.counts.get(row)
        if found is None:
            self.counts[row] = list(counts)
            return
        calls, blocked, through, declined, quiet = counts
        found[0] += calls
        found[1] += blocked
        found[2] += through
        found[3] += declined
        found[4] += quiet

    def rows(self) -> Iterator[Tally]:
        """Give the counts, one value each."""
        for (caller, dimension, value), (calls, blocked, through, declined, quiet) in self.counts.items():
            yield Tally(
                caller=caller,
                dimension=dimension,
                value=value,
                calls=calls,
                blocked=blocked,
                through=through,
                declined=declined,
                quiet=quiet,
            )


class Route(NamedTuple):
    """On which day (UTC) which destination was called over which trunk, and on which network it is."""

    day: str
    destination: str
    trunk: str
    network: str


def route_of(call: Observation) -> Route:
    return Route(call.started_at.date().isoformat(), call.callee, call.trunk, call.network or "")


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


def _is_settled_as_blocked(refused: Observation, control: Observation) -> bool:
    before, after = evidence_of(refused.disposition), settled(refused.disposition, control.disposition)
    return after is not before and after is Evidence.BLOCKED


def _rows_of(call: Observation) -> Iterator[_Row]:
    """Say under what a call is counted for its caller ID."""
    yield from _rows_of_kind(
        call.caller,
        call.trunk,
        call.network,
        call.callee,
        call.campaign,
        call.label,
        call.lead_source,
        call.tags,
        call.site,
    )
    local = _local_at(*_where_and_when(call))
    if local is not None:
        yield call.caller, Dimension.HOUR, local.hour
        yield call.caller, Dimension.WEEKDAY, local.weekday
    yield call.caller, Dimension.DAY, call.started_at.date().isoformat()


@lru_cache(maxsize=_KINDS)
def _rows_of_kind(  # noqa: PLR0913, PLR0917 (what calls may have in common, but for the time)
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


class _Local(NamedTuple):
    """When a call began at the called party, as the values of two dimensions."""

    hour: str
    weekday: str


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
