"""Counts day by day in, since when blocks or declines are more, or fewer, than before out.

All days on which the share may have changed are tried, each by Fisher's exact test of the calls before it against those
from it on; the smallest probability is multiplied by the number of tries (Bonferroni). After the first change the days
from it on are searched again, so that what is told is the last change: since when it is as it is now.

Of the fleet a change is told only where its numbers change together. Calls by the ten thousand make every drift of a
few percent significant, and one blocked number with many calls is no change of the fleet. So each number is asked by
the same test, and how many of them agree is held against the share that would by chance.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import chain
from operator import attrgetter
from typing import Final

from probe.health.counted import Counted, Day
from probe.health.exact import FALSE_DISCOVERIES, Family, binomial, fisher
from probe.health.standing import Signal
from probe.health.tally import Dimension

_DAYS: Final = 60
_FEWEST: Final = 3  # calls
_RATIO: Final = 1.5
_LASTS: Final = 3  # days, more than a weekend
# A later change in the same days has to be as sure as this on its own.
_AGAIN: Final = 1e-4
# A number agrees with the fleet where chance alone would do as much once in five times.
_AGREES: Final = 0.2

DayShare = tuple[int, int, int]
"""A day, and how many of its calls count, of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """From `day` on `hits` of `total` count; before, back to `from_day`, `before_hits` of `before_total`."""

    p: float
    tries: int
    from_day: int
    day: int
    hits: int
    total: int
    before_hits: int
    before_total: int

    @property
    def rose(self) -> bool:
        return self.hits * self.before_total > self.before_hits * self.total


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What is looked at, and whether it depends on the weekday."""

    of: str
    read: Callable[[Sequence[Day]], list[DayShare]]
    weekly: bool


def _blocks(days: Sequence[Day]) -> list[DayShare]:
    return [(day, blocked, blocked + through) for day, blocked, through, _, _ in days if blocked + through]


def _declines(days: Sequence[Day]) -> list[DayShare]:
    return [(day, declined, through) for day, _, through, declined, _ in days if through]


_SHARES: Final = (_Share(of="blocks", read=_blocks, weekly=False), _Share(of="declines", read=_declines, weekly=True))


def find_changes(counted: Counted, family: Family[Signal]) -> None:
    """Look for a change of every caller ID, and of the fleet, within the last 60 days."""
    recent = {caller: _since(counted.today - _DAYS, one.days) for caller, one in counted.callers.items()}
    for share in _SHARES:
        fleet = {caller: share.read(days) for caller, days in recent.items()}
        for caller, days in fleet.items():
            if sum([hits for _, hits, _ in days]) >= _FEWEST:
                _tell(share.of, last_change(days, weekly=share.weekly), family, caller)
        if len(fleet) > 1:
            _tell(share.of, _together(tuple(fleet.values()), weekly=share.weekly), family, None)


def _since(day: int, days: Sequence[Day]) -> Sequence[Day]:
    return days[bisect_right(days, day, key=attrgetter("number")) :]


def last_change(days: Sequence[DayShare], *, weekly: bool = False) -> ChangePoint | None:
    """Find since when the share is what it is now; None where it did not change. `days` are in order and have calls.

    Its `p` is that of the first change in these days: that there is any. A `weekly` share is another one on weekends:
    it takes more days to say that it changed, and each is held against the same weekday.
    """
    found, sure = None, FALSE_DISCOVERIES
    while (change := _change(days, weekly=weekly)) is not None and change.p <= sure:
        found = replace(change, p=found.p) if found else change
        days, sure = [one for one in days if one[0] >= change.day], _AGAIN
    return found


def _change(days: Sequence[DayShare], *, weekly: bool) -> ChangePoint | None:
    """Find the day before which and from which on the shares differ most, if it is sure and worth saying."""
    all_hits, everything = shares_sum(days)
    # A share has to be two standard deviations off before it is tested: of two days or 60, no less can be a change.
    spread = 4.0 * all_hits * (everything - all_hits) / max(everything - 1, 1)
    best, hits, total = (1.0, 0), 0, 0
    for place in range(1, len(days)):
        _, day_hits, day_total = days[place - 1]
        hits, total = hits + day_hits, total + day_total
        if (hits * everything - all_hits * total) ** 2 > spread * total * (everything - total):
            best = min(best, (_either(hits, total, all_hits - hits, everything - total, up_to=best[0]), place))
    p, place = best
    p = p * 2 * (len(days) - 1)  # each day was tried for a rise and for a fall
    lasts = _LASTS if weekly else 1
    if p > FALSE_DISCOVERIES or not lasts <= place <= len(days) - lasts:
        return None
    change = _split(days, place, p)
    return change if _is_worth_saying(change, *_as_before(days, place, weekly=weekly)) else None


def _either(hits: int, total: int, other_hits: int, other_total: int, *, up_to: float) -> float:
    """Test the side that has the higher share."""
    if hits * other_total >= other_hits * total:
        return fisher(hits, total, other_hits, other_total, up_to=up_to)
    return fisher(other_hits, other_total, hits, total, up_to=up_to)


def _split(days: Sequence[DayShare], place: int, p: float) -> ChangePoint:
    before, after = shares_sum(days[:place]), shares_sum(days[place:])
    return ChangePoint(
        p=p,
        tries=2 * (len(days) - 1),
        from_day=days[0][0],
        day=days[place][0],
        hits=after[0],
        total=after[1],
        before_hits=before[0],
        before_total=before[1],
    )


def _as_before(days: Sequence[DayShare], place: int, *, weekly: bool) -> tuple[int, float]:
    """Say how many count from a place on, and how many would if each weekday went on as before.

    A weekday that was not there before is taken for any day; of a `weekly` share it is left out.
    """
    before, usual = days[:place], shares_sum(days[:place])
    of_weekday = [shares_sum(day for day in before if day[0] % 7 == weekday) for weekday in range(7)]
    hits, expected = 0, 0.0
    for day, day_hits, total in days[place:]:
        known = of_weekday[day % 7]
        if known[1] or not weekly:
            share = known if known[1] else usual
            hits, expected = hits + day_hits, expected + total * share[0] / share[1]
    return hits, expected


def _is_worth_saying(change: ChangePoint, hits: int, expected: float) -> bool:
    if change.rose:
        return hits >= max(_FEWEST, _RATIO * expected)
    return change.before_hits >= _FEWEST and expected >= max(_RATIO * hits, 1.0)


def shares_sum(days: Iterable[DayShare], *, since: int = 0) -> tuple[int, int]:
    """Add up the days from one on: how many count, of how many."""
    hits = total = 0
    for day, day_hits, day_total in days:
        if day >= since:
            hits, total = hits + day_hits, total + day_total
    return hits, total


def _together(fleet: Sequence[Sequence[DayShare]], *, weekly: bool) -> ChangePoint | None:
    """Find the last change of all numbers taken as one, and ask each number whether it changed so, too."""
    sums: dict[int, tuple[int, int]] = {}
    for day, hits, total in chain.from_iterable(fleet):
        before = sums.get(day, (0, 0))
        sums[day] = before[0] + hits, before[1] + total
    change = last_change([(day, *sums[day]) for day in sorted(sums)], weekly=weekly)
    if change is None:
        return None
    told = [answer for days in fleet if (answer := _answer(change, days)) is not None]
    agreed = binomial(sum(p <= _AGREES for p in told), len(told), _AGREES)
    # The day was chosen among many: that the numbers agree on it is worth as many times less.
    return replace(change, p=max(change.p, min(1.0, agreed * change.tries)))


def _answer(change: ChangePoint, days: Sequence[DayShare]) -> float | None:
    """Say how likely a number has changed with the others by chance; None where it cannot tell."""
    days = [one for one in days if one[0] >= change.from_day]
    all_hits, everything = shares_sum(days)
    hits, total = shares_sum(days, since=change.day)
    before = all_hits - hits, everything - total
    if not (all_hits and total and before[1]):
        return None
    return fisher(hits, total, *before) if change.rose else fisher(*before, hits, total)


def _tell(of: str, change: ChangePoint | None, family: Family[Signal], caller: str | None) -> None:
    if change is None:
        family.made()
        return
    since = date.fromordinal(change.day)
    signal = Signal(
        kind=f"{of}_{'rose' if change.rose else 'fell'}",
        dimension=Dimension.DAY.value,
        value=since.isoformat(),
        p=change.p,
        caller=caller,
        hits=change.hits,
        total=change.total,
        other_hits=change.before_hits,
        other_total=change.before_total,
        since=datetime(since.year, since.month, since.day, tzinfo=UTC),
    )
    family.found(change.p, signal)
