"""Observations in; how many calls of each caller ID were blocked, by whatever they have in common, out.

Counts add up in any order, so they are kept up to date call by call, and signals are found in them alone.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
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


_Row = tuple[str, Dimension, str]
_Counts = tuple[int, int, int, int, int]


class Tallies:
    """Counts by caller ID, dimension and value: `[calls, blocked, through, declined, quiet]`."""

    def __init__(self) -> None:
        self.counts: dict[_Row, list[int]] = {}

    def add(self, call: Observation) -> None:
        """Count one call."""
        evidence, quiet = evidence_of(call.disposition), is_quiet(call)
        through = int(evidence is Evidence.THROUGH)
        declined = int(call.disposition is Disposition.USER_DECLINED)
        counts = (1, int(evidence is Evidence.BLOCKED), through, declined, int(quiet))
        for dimension, value in common(call):
            self._add((call.caller, dimension, value), counts)
        if quiet and call.final_ms is not None:
            value = f"{call.callee} {octave_of(call.final_ms)}"
            self._add((call.caller, Dimension.QUIET, value), (1, 0, through, 0, 1))
        self._add_to_everybody(call, through and not quiet, counts)

    def _add_to_everybody(self, call: Observation, reached: int, counts: _Counts) -> None:
        if call.alerting_ms is not None:
            value = f"{call.callee} {step_of(call.alerting_ms)}"
            self._add((EVERYBODY, Dimension.ALERTING, value), (1, 0, 0, 0, 0))
        calls, blocked, _, declined, quiet = counts
        route = (EVERYBODY, Dimension.ROUTE, written(route_of(call)))
        self._add(route, (calls, blocked, int(reached), declined, quiet))

    def settle(self, refused: Observation, control: Observation) -> None:
        """Count a refused call as blocked, where its control call says so."""
        before, after = evidence_of(refused.disposition), settled(refused.disposition, control.disposition)
        if after is before or after is not Evidence.BLOCKED:
            return
        for dimension, value in common(refused):
            self._add((refused.caller, dimension, value), (0, 1, 0, 0, 0))
        self._add((EVERYBODY, Dimension.ROUTE, written(route_of(refused))), (0, 1, 0, 0, 0))

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


def common(call: Observation) -> Iterator[tuple[Dimension, str]]:
    """Say under what a call is counted for its caller ID; what is not known is left out, but for the trunk."""
    yield Dimension.TRUNK, call.trunk  # even without a name: over the trunks all calls are added up
    for dimension, value in (
        (Dimension.NETWORK, call.network),
        (Dimension.DESTINATION, call.callee),
        (Dimension.CAMPAIGN, call.campaign),
        (Dimension.LABEL, call.label),
        (Dimension.LEAD_SOURCE, call.lead_source),
        *((Dimension.TAG, tag) for tag in dict.fromkeys(call.tags)),
    ):
        if value:
            yield dimension, value
    local = local_time(call)
    if local is not None:
        yield Dimension.HOUR, f"{local.hour:02} {_third(local)}"
        yield Dimension.WEEKDAY, WEEKDAYS[local.weekday()]
    yield Dimension.DAY, call.started_at.date().isoformat()
    if call.site != LOCAL:
        yield Dimension.SITE, f"{call.site} {call.network or ''}"


def _third(at: datetime) -> int:
    return at.toordinal() % THIRDS


def is_quiet(call: Observation) -> bool:
    """Say whether a call was refused without a ring, by whoever it was.

    Of a call that others placed the times may be missing: then nobody can tell.
    """
    if call.alerting_ms is not None or call.final_ms is None:
        return False
    return call.disposition is Disposition.USER_BUSY or evidence_of(call.disposition) is Evidence.AMBIGUOUS


def local_time(call: Observation) -> datetime | None:
    """Give the time at the called party; None where its zone is not known, or several are possible that differ."""
    zones = (call.timezone,) if call.timezone else zones_of(call.callee)
    times = [call.started_at.astimezone(ZoneInfo(zone)) for zone in zones]
    return times[0] if times and len({time.utcoffset() for time in times}) == 1 else None


def step_of(ms: float) -> int:
    """Give the step of a histogram that a time falls into: eight to the octave."""
    return round(log2(max(ms, 1.0)) * STEPS)


def octave_of(ms: float) -> int:
    """Give the step in the middle of the octave that a time falls into."""
    return round(step_of(ms) / STEPS) * STEPS


def ms_of(step: int) -> float:
    """Give the time in the middle of a step, in milliseconds."""
    return float(round(2 ** (step / STEPS)))
