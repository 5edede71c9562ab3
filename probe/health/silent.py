"""Counts of quiet refusals in, silent blocks and problems of trunks and destinations out.

A refusal is quiet where nothing rang and nobody says why: ambiguous, or busy. It is fast where it comes sooner than
nine of ten calls to that destination, of everybody's, take to alert: no phone can have rung by then.

Fast refusals of some caller IDs, while another one gets through at the same destination, are a silent block: nobody
says so, but it depends on who calls. Quiet refusals of every caller ID at one destination are about that destination,
and of every caller ID at every destination of a trunk about the trunk: nothing can be said against the caller IDs then.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from probe.health.change_points import DayShare, last_change, shares_sum
from probe.health.counted import CallerCounts, Counted, Values, day_number
from probe.health.exact import FALSE_DISCOVERIES, Family, binomial, fisher, least_fisher
from probe.health.standing import Signal
from probe.health.tally import STEPS, Dimension, Route, Tally

_RINGS: Final = 5  # so many calls that rang make a habit known
_EARLY: Final = 0.1  # the share of calls to a destination that alert sooner than is its habit
_RATIO: Final = 2  # of the share of fast refusals to that of the control
_MANY: Final = 10  # so many fast refusals can reach any small chance: the smallest one need not be known
_FEWEST: Final = 3  # fast refusals of a caller ID, besides those of one day
_REFUSES: Final = 0.9  # of calls, where everybody is refused
_ALMOST_ALL: Final = 0.9
_FEWEST_REFUSED: Final = 5
_SEVERAL: Final = 2
_DAYS: Final = 60
_LATE: Final = 30

_Routes = Mapping[Route, Tally]


@dataclass(slots=True)
class _Cell:
    """The calls of one caller ID to one destination: those that got through, and those refused quietly, and fast."""

    reached: int = 0
    quiet: int = 0
    fast: int = 0

    @property
    def total(self) -> int:
        return self.reached + self.quiet


_Cells = Mapping[str, Mapping[str, _Cell]]


class _Late(NamedTuple):
    """What is refused of late: `hits` of `total` since a day, `before_hits` of `before_total` until then."""

    since: int
    hits: int
    total: int
    before_hits: int
    before_total: int
    tries: int


def find_silent(counted: Counted, family: Family[Signal]) -> None:
    """Find trunks and destinations that refuse everybody; where none does, the caller IDs that are refused."""
    cells = _cells(counted)
    if not cells:
        return
    routes = {route: tally for route, tally in counted.routes.items() if day_number(route.day) > counted.today - _DAYS}
    trunks = _trunk_problems(counted, routes, family)
    others = {route: tally for route, tally in routes.items() if route.trunk not in trunks}
    destinations = _destination_problems(counted, cells, others, family)
    destinations |= {route.destination for route in routes if route.trunk in trunks}
    by_day = _by(counted.routes, _destination)
    for destination in sorted(cells.keys() - destinations):
        quiet = {day: hits for day, hits, _ in by_day.get(destination, ())}
        network = counted.networks.get(destination) or None
        _ask_callers(counted, _Line(destination, network, cells[destination], quiet), family)


def _trunk_problems(counted: Counted, routes: _Routes, family: Family[Signal]) -> set[str]:
    """Find the trunks over which hardly any caller ID gets through to any destination."""
    refused, found = _refused(routes, _trunk, family), set()
    for trunk, late in refused.items():
        theirs = {route: tally for route, tally in routes.items() if route.trunk == trunk}
        heard = [shares_sum(days, since=late.since) for days in _by(theirs, _destination).values()]
        everywhere = _nearly_all(2 * hits > total for hits, total in heard if total)
        asked = [one.values(Dimension.TRUNK).get(trunk) for one in _calling(counted, late.since)]
        everybody = _nearly_all(tally.quiet > 0 for tally in asked if tally)
        if everywhere and everybody:
            other = _sum(
                shares_sum(days, since=late.since) for name, days in _by(routes, _trunk).items() if name not in refused
            )
            if not other[1]:
                other = late.before_hits, late.before_total
            family.found(*_problem(Dimension.TRUNK, trunk, None, late, other))
            found.add(trunk)
    return found


def _destination_problems(counted: Counted, cells: _Cells, routes: _Routes, family: Family[Signal]) -> set[str]:
    """Find the destinations to which hardly any caller ID gets through, though to others they do."""
    refused, found = _refused(routes, _destination, family), set()
    for destination, late in refused.items():
        asked = [cells.get(destination, {}).get(caller) for caller in counted.callers]
        other = _sum(
            shares_sum(days, since=late.since)
            for name, days in _by(routes, _destination).items()
            if name not in refused
        )
        if other[1] and _nearly_all(cell.quiet > 0 for cell in asked if cell):
            network = counted.networks.get(destination) or None
            family.found(*_problem(Dimension.DESTINATION, destination, network, late, other))
            found.add(destination)
    return found


def _problem(
    dimension: Dimension, value: str, network: str | None, late: _Late, other: tuple[int, int]
) -> tuple[float, Signal]:
    p = fisher(late.hits, late.total, *other) if other[1] else binomial(late.hits, late.total, 0.5)
    p = min(1.0, p * late.tries)
    since = date.fromordinal(late.since)
    signal = Signal(
        kind=f"{dimension}_problem",
        dimension=dimension.value,
        value=value,
        p=p,
        network=network,
        hits=late.hits,
        total=late.total,
        other_hits=other[0],
        other_total=other[1],
        since=datetime(since.year, since.month, since.day, tzinfo=UTC),
    )
    return p, signal


def _refused(routes: _Routes, name_of: Callable[[Route], str], family: Family[Signal]) -> dict[str, _Late]:
    """Give what refuses nearly all calls of late: of all days, or since the share of refusals last changed."""
    found = {}
    for name, days in _by(routes, name_of).items():
        change = last_change(days)
        since = change.day if change else days[0][0]
        hits, total = shares_sum(days, since=since)
        if total >= _FEWEST_REFUSED and hits >= _REFUSES * total:
            everything = shares_sum(days)
            found[name] = _Late(since, hits, total, everything[0] - hits, everything[1] - total, tries=2 * len(days))
        else:
            family.made()
    return found


def _by(routes: _Routes, name_of: Callable[[Route], str]) -> dict[str, list[DayShare]]:
    """Add up the calls day by day: those that were refused quietly, and those besides that got through."""
    sums: dict[str, dict[int, tuple[int, int]]] = {}
    for route, tally in routes.items():
        days, number = sums.setdefault(name_of(route), {}), day_number(route.day)
        hits, total = days.get(number, (0, 0))
        days[number] = hits + tally.quiet, total + tally.quiet + tally.through
    return {
        name: [(day, *days[day]) for day in sorted(days) if days[day][1]]
        for name, days in sorted(sums.items())
        if any(total for _, total in days.values())
    }


def _trunk(route: Route) -> str:
    return route.trunk


def _destination(route: Route) -> str:
    return route.destination


def _sum(shares: Iterable[tuple[int, int]]) -> tuple[int, int]:
    hits = total = 0
    for one in shares:
        hits, total = hits + one[0], total + one[1]
    return hits, total


def _calling(counted: Counted, since: int) -> list[CallerCounts]:
    return [one for one in counted.callers.values() if one.days and one.days[-1].number >= since]


def _nearly_all(answers: Iterable[bool]) -> bool:
    """Say whether nearly all of several say yes: of one alone nobody knows what it is about."""
    given = list(answers)
    return len(given) >= _SEVERAL and sum(given) >= _ALMOST_ALL * len(given)


class _Line(NamedTuple):
    """A destination with the calls of each caller ID to it, and how many quiet refusals all had there day by day."""

    destination: str
    network: str | None
    callers: Mapping[str, _Cell]
    quiet: Mapping[int, int]


def _ask_callers(counted: Counted, line: _Line, family: Family[Signal]) -> None:
    """Hold the fast refusals of each caller ID at a destination against those of all others."""
    fast = sum([cell.fast for cell in line.callers.values()])
    everything = sum([cell.total for cell in line.callers.values()])
    by_reached = sorted(line.callers.items(), key=lambda one: (-one[1].reached, one[0]))
    for caller, cell in line.callers.items():
        if not fast or not 0 < cell.total < everything:
            continue
        least = 0.0 if fast > _MANY else least_fisher(cell.total, fast, everything)
        other, p = (fast - cell.fast, everything - cell.total), 1.0
        if cell.fast >= _FEWEST and fisher(cell.fast, cell.total, *other, up_to=FALSE_DISCOVERIES) <= FALSE_DISCOVERIES:
            p = _lasting(cell, other, _possible(counted, caller, line), counted.today)
        control = _control(cell, by_reached) if p <= FALSE_DISCOVERIES else None
        if control is None:
            family.made(least)
            continue
        signal = Signal(
            kind="silent_block",
            dimension=Dimension.DESTINATION.value,
            value=line.destination,
            p=p,
            caller=caller,
            network=line.network,
            hits=cell.fast,
            total=cell.total,
            other_hits=other[0],
            other_total=other[1],
            control=control,
        )
        family.found(p, signal, least)


def _possible(counted: Counted, caller: str, line: _Line) -> dict[int, int]:
    """Say how many quiet refusals of a caller ID here a day may have brought, at the most: it is not known better."""
    return {day.number: min(day.quiet, line.quiet.get(day.number, 0)) for day in counted.callers[caller].days}


def _lasting(cell: _Cell, other: tuple[int, int], possible: Mapping[int, int], today: int) -> float:
    """Say how likely chance alone refuses a caller ID so often, and on several days.

    A line that was busy, or off, for a day is no block: what one day may have brought is left out. And what cannot have
    gone on of late is over.
    """
    left = max(cell.fast - max(possible.values(), default=0), 0)
    late = sum(count for day, count in possible.items() if day > today - _LATE)
    if left < _FEWEST or late < _FEWEST:
        return 1.0
    return fisher(left, cell.total - cell.fast + left, *other)


def _control(suspect: _Cell, reached: Iterable[tuple[str, _Cell]]) -> str | None:
    """Name the first caller ID that gets through and is refused fast half as often, or less."""
    return next(
        (
            caller
            for caller, cell in reached
            if cell.reached > 0 and _RATIO * cell.fast * suspect.total <= suspect.fast * cell.total
        ),
        None,
    )


def _cells(counted: Counted) -> dict[str, dict[str, _Cell]]:
    """Give the cells of the destinations that refused anybody quietly, by destination and caller ID."""
    fast, cells = _Fast(_habits(counted.alerting)), dict[str, dict[str, _Cell]]()
    for caller, counts in counted.callers.items():
        for value, tally in counts.values(Dimension.QUIET).items():
            destination, is_fast = fast[value]
            cell = cells.setdefault(destination, {}).setdefault(caller, _Cell())
            cell.quiet += tally.quiet
            cell.reached -= tally.through  # busy: it counts as through, but was refused
            cell.fast += tally.quiet if is_fast else 0
    for caller, counts in counted.callers.items():
        for destination, tally in counts.values(Dimension.DESTINATION).items():
            if destination in cells:
                cells[destination].setdefault(caller, _Cell()).reached += tally.through
    return cells


class _Fast(dict[str, tuple[str, bool]]):
    """Values of quiet refusals, each read once: the destination, and whether it was sooner than its habit."""

    def __init__(self, habits: Mapping[str, int]) -> None:
        super().__init__()
        self._habits = habits

    def __missing__(self, value: str) -> tuple[str, bool]:
        destination, step = value.rsplit(" ", 1)
        # The step is the middle of an octave, all of which has to be sooner.
        found = self[value] = destination, int(step) + STEPS // 2 < self._habits.get(destination, 0)
        return found


def _habits(alerting: Values) -> dict[str, int]:
    """Give the step of time before which hardly any call to a destination alerts, of those known well enough."""
    steps: dict[str, dict[int, int]] = {}
    for value, tally in alerting.items():
        destination, step = value.rsplit(" ", 1)
        steps.setdefault(destination, {})[int(step)] = tally.calls
    return {destination: _early(calls) for destination, calls in steps.items() if sum(calls.values()) >= _RINGS}


def _early(calls: Mapping[int, int]) -> int:
    bound, seen = sum(calls.values()) * _EARLY, 0
    for step in sorted(calls):
        seen += calls[step]
        if seen > bound:
            return step
    return max(calls)
