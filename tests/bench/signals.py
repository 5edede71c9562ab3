"""The counts of a clean fleet in; how long its signals take, how many are false, and how sure a true one is found, out.

The fleet: 1,000 caller IDs, 20 networks with a line each, 250 calls from each to each, at all hours of 90 days; one
call in a hundred is blocked by chance, one in fifty busy, one in twelve declined. Only the counts are made: of blocked,
busy and declined calls each by itself, of all others as many as there have to be.
"""

import random
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from functools import cache

from probe.health import Dimension, Signal, Tally
from probe.health.signals import find_signals
from probe.health.tally import EVERYBODY, THIRDS, WEEKDAYS, Route, step_of, written
from tests.bench.figure import Figure
from tests.observed import called, caller_id, signals_of, strays

CALLERS, NETWORKS, CALLS, DAYS, HOURS = 1_000, 20, 250, 90, 24
STRAY, BUSY, DECLINED = 0.01, 0.02, 1 / 12
FLEETS, RUNS, NUMBERS = 3, 5, 20
LAST = date(2026, 11, 22)

Key = tuple[Dimension, str]


def measure() -> Iterator[Figure]:
    """Make fleets by chance, with seeds."""
    false, tallies = [], ()
    for seed in range(FLEETS):
        tallies = tuple(clean_fleet(random.Random(seed)))
        false.append(len(find_signals(tallies, ())))
    strays_there = sum(row.blocked for row in tallies if row.dimension is Dimension.DAY)
    yield Figure(
        what=f"signals of {CALLERS:,} caller IDs, {len(tallies):,} counts",
        value=_median_ms(lambda: find_signals(tallies, ())),
        unit="ms",
        beside="a loop over the counts",
        other=_median_ms(lambda: sum(row.blocked for row in tallies)),
        wanted="at most 600 ms",
    )
    yield Figure(
        what=f"false signals of a clean fleet, {FLEETS} seeds (mean)",
        value=statistics.mean(false),
        unit="signals",
        beside="stray blocks in it",
        other=strays_there,
        wanted="below 1",
    )
    yield Figure(
        what=f"blocked on 1 of 20 networks, {NUMBERS} seeds: found",
        value=100 * sum(map(is_found, range(NUMBERS))) / NUMBERS,
        unit="%",
        beside="20 calls there, 50 % blocked",
        other=100,
        wanted="at least 95 %",
    )


def _median_ms(work) -> float:
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1_000)
    return statistics.median(times)


def is_found(seed: int) -> bool:
    """Say whether the number that is blocked on one network of twenty is found, among twenty numbers."""

    def blocked(call) -> float:
        return 0.5 if (call.caller, call.network) == (caller_id(0), "network-07") else strays(call)

    def is_it(signal: Signal) -> bool:
        return ("network", "network-07", caller_id(0)) == (signal.dimension, signal.value, signal.caller)

    return any(map(is_it, signals_of(called(callers=20, networks=20, days=20, seed=seed, blocked=blocked))))


def clean_fleet(chance: random.Random) -> Iterator[Tally]:
    """Make the counts of the fleet."""
    for number in range(CALLERS):
        yield from _caller(caller_id(number), f"campaign-{number % 5}", chance)
    for place in range(NETWORKS):
        for day in range(DAYS):
            route = Route(_day(day), _line(place), "carrier-a", f"network-{place:02}")
            yield _tally((EVERYBODY, Dimension.ROUTE, written(route)), CALLERS * CALLS // DAYS, 0, 0, 0)
        for step in range(step_of(1_500), step_of(3_500)):
            yield _tally((EVERYBODY, Dimension.ALERTING, f"{_line(place)} {step}"), CALLERS * CALLS // 20, 0, 0, 0)


def _caller(caller: str, campaign: str, chance: random.Random) -> Iterator[Tally]:
    own = ((Dimension.TRUNK, "carrier-a"), (Dimension.CAMPAIGN, campaign), (Dimension.LABEL, caller))
    whole = NETWORKS * CALLS
    blocked, declined, busy = (_drawn(whole * share, own, chance) for share in (STRAY, DECLINED, BUSY))
    totals = dict.fromkeys(own, whole) | _regular(whole)
    for key, calls in totals.items():
        yield _tally((caller, *key), calls, blocked[key], declined[key], busy[key])
    for destination, calls in [(value, count) for (of, value), count in busy.items() if of is Dimension.DESTINATION]:
        for octave in (72, 80):
            yield _tally((caller, Dimension.QUIET, f"{destination} {octave}"), (calls + 1) // 2, 0, 0, (calls + 1) // 2)


def _regular(whole: int) -> dict[tuple[Dimension, str], int]:
    """Say how many calls have each value, where all have as many."""
    hours = [f"{hour:02} {third}" for hour in range(HOURS) for third in range(THIRDS)]
    values = {
        Dimension.NETWORK: [f"network-{place:02}" for place in range(NETWORKS)],
        Dimension.DESTINATION: [_line(place) for place in range(NETWORKS)],
        Dimension.HOUR: hours,
        Dimension.WEEKDAY: WEEKDAYS,
        Dimension.DAY: [_day(day) for day in range(DAYS)],
    }
    return {(of, value): whole // len(found) for of, found in values.items() for value in found}


def _drawn(expected: float, own: Iterable[Key], chance: random.Random) -> Counter[Key]:
    """Draw calls of a kind, each at a time and to a line of its own, and count what they have in common."""
    found: Counter[Key] = Counter()
    for _ in range(max(0, round(chance.gauss(expected, expected**0.5)))):
        place, day, hour = chance.randrange(NETWORKS), chance.randrange(DAYS), chance.randrange(HOURS)
        found.update(own)
        found[Dimension.NETWORK, f"network-{place:02}"] += 1
        found[Dimension.DESTINATION, _line(place)] += 1
        found[Dimension.HOUR, f"{hour:02} {day % THIRDS}"] += 1
        found[Dimension.WEEKDAY, WEEKDAYS[(LAST - timedelta(days=day)).weekday()]] += 1
        found[Dimension.DAY, _day(day)] += 1
    return found


@cache
def _day(day: int) -> str:
    return (LAST - timedelta(days=day)).isoformat()


@cache
def _line(place: int) -> str:
    return f"+1212555{place:04}"


def _tally(row: tuple[str, Dimension, str], calls: int, blocked: int, declined: int, busy: int) -> Tally:
    caller, dimension, value = row
    return Tally(
        caller=caller,
        dimension=dimension,
        value=value,
        calls=max(calls, blocked + declined),
        blocked=blocked,
        through=max(calls - blocked, declined),
        declined=declined,
        quiet=busy,
    )
