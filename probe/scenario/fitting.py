"""The calls that a round still has to place, and the past, in; those that the limits leave room for, and the rest, out.

The room is never judged too small: what turns out not to fit after all is found at the end of the round.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter

from probe.scenario.buckets import room
from probe.scenario.history import DAY, Attempt, History
from probe.scenario.hours import next_open
from probe.scenario.scenario import Caller, Destination, Limits, Rate, Scenario

Pair = tuple[Caller, Destination]
# By caller and network, from 0 (nothing is known) to 1.
Certainty = Mapping[tuple[str, str | None], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """The pairs that fit, in the order given, and those that do not, each with the limit that stops it and why."""

    pairs: tuple[Pair, ...]
    left: tuple[tuple[Pair, str, str], ...] = ()


def fit(  # noqa: PLR0913 - the whole of what decides it
    pairs: Sequence[Pair],
    scenario: Scenario,
    history: History,
    zones: Callable[[str], tuple[str, ...]],
    certainty: Certainty,
    *,
    now: datetime,
    ends_at: datetime,
) -> Fitting:
    """Keep what the limits leave room for until the round ends; where it is scarce, the least certain come first."""
    limits = scenario.limits
    if limits is None:
        return Fitting(pairs=tuple(pairs))
    rooms = _Rooms(scenario, limits, history, zones, now=now, ends_at=ends_at, most=len(pairs))
    kept: set[tuple[str, str]] = set()
    left: list[tuple[Pair, str, str]] = []
    for caller, destination in _least_certain_first(pairs, certainty):
        stopped = rooms.take(caller.number, destination.number)
        if stopped is None:
            kept.add((caller.number, destination.number))
        else:
            left.append(((caller, destination), *stopped))
    return Fitting(pairs=tuple(pair for pair in pairs if (pair[0].number, pair[1].number) in kept), left=tuple(left))


def _least_certain_first(pairs: Sequence[Pair], certainty: Certainty) -> Iterable[Pair]:
    if not certainty:
        return pairs
    return sorted(pairs, key=lambda pair: certainty.get((pair[0].number, pair[1].network), 0.0))


class _Rooms:
    """The room that is left until a round ends: for all calls, for each caller, for each destination."""

    def __init__(  # noqa: PLR0913 - as `fit`
        self,
        scenario: Scenario,
        limits: Limits,
        history: History,
        zones: Callable[[str], tuple[str, ...]],
        *,
        now: datetime,
        ends_at: datetime,
        most: int,
    ) -> None:
        self._limits = limits
        self._history = history
        self._zones = zones
        self._now = now
        self._ends_at = ends_at
        self._most = most
        self._all = _room_of_the_day(scenario, limits, history, ends_at)
        self._callers: dict[str, int] = {}
        self._destinations: dict[str, int] = {}
        self._opens: dict[str, datetime | None] = {}

    def take(self, caller: str, destination: str) -> tuple[str, str] | None:
        """Take the room for one call, or say which limit leaves none."""
        opens = self._opening(destination)
        if opens is None or opens >= self._ends_at:
            return "hours", f"{destination} may not be rung any more before the round ends."
        if self._all <= 0:
            return "calls_per_day", f"The calls of a day ({self._limits.calls_per_day}) leave no room in this round."
        if self._left(self._destinations, destination, partial(self._room_at, destination, opens)) <= 0:
            return "per_destination", f"The limits of {destination} (per_destination) leave no room in this round."
        if self._left(self._callers, caller, partial(self._room_of, caller)) <= 0:
            return "per_caller", f"The limits of {caller} (per_caller) leave no room in this round."
        self._all -= 1
        self._destinations[destination] -= 1
        self._callers[caller] -= 1
        return None

    def _left(self, rooms: dict[str, int], number: str, find: Callable[[], int]) -> int:
        if number not in rooms:
            rooms[number] = find()
        return rooms[number]

    def _opening(self, destination: str) -> datetime | None:
        if destination not in self._opens:
            zones = self._zones(destination)
            # Where nobody knows the hours, the guard refuses the call and says so.
            self._opens[destination] = next_open(self._now, zones, self._limits) if zones else self._now
        return self._opens[destination]

    def _room_at(self, destination: str, opens: datetime) -> int:
        attempts = self._history.callees.get(destination, ())
        return self._room(attempts, self._limits.per_destination, opens)

    def _room_of(self, caller: str) -> int:
        return self._room(self._history.callers.get(caller, ()), self._limits.per_caller, self._now)

    def _room(self, attempts: Iterable[Attempt], rates: Sequence[Rate], start: datetime) -> int:
        return room(map(attrgetter("counts_from"), attempts), rates, start, self._ends_at, self._most)


def _room_of_the_day(scenario: Scenario, limits: Limits, history: History, ends_at: datetime) -> int:
    """Count the calls left to trunk and scenario when the round ends; what is older than a day by then is left out."""
    still = [attempt for theirs in history.callers.values() for attempt in theirs if attempt.at > ends_at - DAY]
    of_trunk = sum(attempt.trunk == scenario.trunk.name for attempt in still)
    of_scenario = sum(attempt.scenario == scenario.name for attempt in still)
    return limits.calls_per_day - max(of_trunk, of_scenario)
