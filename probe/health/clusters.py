"""Counts in, what blocks have in common out: a network, a campaign, an hour, of one caller ID or of many.

Within one caller ID calls are the unit: the share of blocks at one value is held against the share elsewhere by
Fisher's exact test. It takes each call for a draw of its own, which calls are not: blocks come in episodes, and a
number that is blocked for one afternoon would seem tied to its hours. So

- an hour is tested in each of three parts of all days, dealt by turns, and only the weakest of the three results counts
  (a partial conjunction: Benjamini and Heller 2008): what happened on one day or two is no pattern of hours;
- a weekday has, besides, to rank high among the days of its own week, week by week: a block that began on a Thursday
  and lasts is no pattern of Thursdays. There days are the unit, and nothing that happens within one can mislead;
- a destination is held against the others on its network only: if all are blocked, that is the network's doing;
- of a network, trunk or destination the share has to be twice what the days explain on which it was called.

Across the fleet caller IDs are the unit, for the calls of one share its fate: a thousand calls of a blocked number say
no more than ten of them. What belongs to a number (campaign, label, lead source, tag) is held against whether it is
blocked. For networks, trunks, destinations, hours and weekdays each number in trouble is asked which value its blocks
are tied to. Among m values chance names any one of them once in m times at most (the sign test, for more than two
sides); how many numbers name it is held against that.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Final, NamedTuple

from probe.health.counted import CallerCounts, Counted, Day, Values
from probe.health.exact import FALSE_DISCOVERIES, Family, doubled_ranks, fisher, least_fisher, rank_sum, uneven_binomial
from probe.health.exposure import Exposure
from probe.health.sequential import State
from probe.health.standing import Signal, Standing
from probe.health.tally import THIRDS, WEEKDAYS, Dimension, Tally

KIND: Final = "cluster"

_FEWEST: Final = 3  # blocked calls, or numbers
_RATIO: Final = 2  # so many times the share elsewhere, or it is not worth saying
_MANY: Final = 10  # so many blocks can reach any small chance: the smallest one need not be known
_SIDES: Final = (Dimension.NETWORK, Dimension.TRUNK, Dimension.WEEKDAY)
_OF_NUMBERS: Final = (Dimension.CAMPAIGN, Dimension.LABEL, Dimension.LEAD_SOURCE, Dimension.TAG)


class _Part(NamedTuple):
    """Blocked and judged calls by value, and the sums that each value is held against."""

    cells: Mapping[str, tuple[int, int]]
    blocked: int
    judged: int


class _Tied(NamedTuple):
    """How far blocks are tied to a value: chance does as much with probability `p`, and `least` at the least."""

    value: str
    p: float
    least: float
    hits: int
    total: int
    other_hits: int
    other_total: int


class _Asked(NamedTuple):
    """A caller ID that is asked what its blocks are tied to; on which network each line is, and where it is clean."""

    caller: str
    counts: CallerCounts
    networks: Mapping[str, str]
    exposure: Exposure
    clean_on: frozenset[str]


def find_clusters(
    counted: Counted, troubled: frozenset[str], standings: Sequence[Standing], family: Family[Signal]
) -> None:
    """Make every test of what blocks have in common; find something only where a caller ID is in trouble now."""
    clean: dict[str, set[str]] = {}
    for one in standings:
        if one.network is not None and one.standing is State.CLEAN:
            clean.setdefault(one.caller, set()).add(one.network)
    voices, exposure = _Voices(), Exposure(counted.routes, counted.networks)
    for caller, counts in counted.callers.items():
        asked = _Asked(caller, counts, counted.networks, exposure, frozenset(clean.get(caller, ())))
        if caller in troubled:
            _ask(asked, voices, family)
        elif counts.blocked:
            _count(asked, family)
    voices.tell(counted.networks, family)
    _compare_numbers(counted, standings, family)


def without_explained(signals: Sequence[Signal]) -> list[Signal]:
    """Leave out the networks whose blocks are those of one destination, or of a few, that are signals themselves."""
    told: dict[tuple[str | None, str | None], list[Signal]] = {}
    for one in signals:
        if one.kind == KIND and one.dimension == Dimension.DESTINATION and one.caller is not None:
            told.setdefault((one.caller, one.network), []).append(one)
    return [one for one in signals if not _is_explained(one, told.get((one.caller, one.value), ()))]


def _is_explained(one: Signal, destinations: Sequence[Signal]) -> bool:
    if one.kind != KIND or one.dimension != Dimension.NETWORK or not destinations:
        return False
    hits = one.hits - sum(destination.hits for destination in destinations)
    total = max(one.total - sum(destination.total for destination in destinations), hits)
    return fisher(hits, total, one.other_hits, one.other_total) > FALSE_DISCOVERIES


def _ask(asked: _Asked, voices: "_Voices", family: Family[Signal]) -> None:
    for dimension, parts in _sides(asked):
        tied = _of_now(asked, dimension, _tied(parts))
        voices.add(dimension, tied)
        _tell_all(asked, dimension, tied, family)
    for dimension, part in _properties(asked):
        _tell_all(asked, dimension, _tied([part]), family)


def _count(asked: _Asked, family: Family[Signal]) -> None:
    """Note the tests of a caller ID that is not in trouble, without making them: what they find is left untold."""
    if asked.counts.blocked > _MANY:
        values = sum(len(asked.counts.values(dimension)) for dimension in (*_SIDES, *_OF_NUMBERS))
        lines = Counter(asked.networks.get(line, "") for line in asked.counts.values(Dimension.DESTINATION))
        family.made(times=values + len(asked.counts.values(Dimension.HOUR)) // THIRDS)
        family.made(times=sum(number for number in lines.values() if number > 1))
        return
    for _, part in (*((of, parts[0]) for of, parts in _sides(asked)), *_properties(asked)):
        for _, total in part.cells.values():
            if 0 < total < part.judged:
                family.made(least_fisher(total, part.blocked, part.judged))


def _properties(asked: _Asked) -> Iterator[tuple[Dimension, _Part]]:
    for dimension in _OF_NUMBERS:
        yield dimension, _Part(_cells(asked.counts.values(dimension)), asked.counts.blocked, asked.counts.judged)


def _sides(asked: _Asked) -> Iterator[tuple[Dimension, Sequence[_Part]]]:
    """Give the dimensions of which each call has one value, in the parts that have to agree."""
    for dimension in _SIDES:
        yield dimension, [_summed(asked.counts.values(dimension))]
    yield Dimension.HOUR, _thirds(asked.counts.values(Dimension.HOUR))
    on: dict[str, dict[str, Tally]] = {}
    for destination, tally in asked.counts.values(Dimension.DESTINATION).items():
        on.setdefault(asked.networks.get(destination, ""), {})[destination] = tally
    for values in on.values():
        if len(values) > 1:
            yield Dimension.DESTINATION, [_summed(values)]


def _summed(values: Values) -> _Part:
    cells = _cells(values)
    return _Part(cells, sum([hits for hits, _ in cells.values()]), sum([total for _, total in cells.values()]))


def _cells(values: Values) -> dict[str, tuple[int, int]]:
    return {value: (tally.blocked, tally.blocked + tally.through) for value, tally in values.items()}


def _thirds(values: Values) -> list[_Part]:
    thirds: list[dict[str, Tally]] = [{} for _ in range(THIRDS)]
    for value, tally in values.items():
        thirds[int(value[3:])][value[:2]] = tally
    return [_summed(third) for third in thirds]


def _tied(parts: Sequence[_Part]) -> list[_Tied]:
    """Test every value that all parts have; it is as sure as in the part that says least."""
    blocked, judged = sum(part.blocked for part in parts), sum(part.judged for part in parts)
    found = []
    for value in parts[0].cells:
        cells = [(*part.cells.get(value, (0, 0)), part) for part in parts]
        if all(0 < total < part.judged for _, total, part in cells):
            p, least = _p(cells), max(_least(*cell[1:]) for cell in cells)
            hits, total = sum(cell[0] for cell in cells), sum(cell[1] for cell in cells)
            found.append(_Tied(value, p, least, hits, total, blocked - hits, judged - total))
    return found


def _p(cells: Sequence[tuple[int, int, _Part]]) -> float:
    """Test a value in each part; where one has no more blocks there than elsewhere, there is nothing to test."""
    if any(hits * part.judged <= part.blocked * total for hits, total, part in cells):
        return 1.0
    return max(fisher(hits, total, part.blocked - hits, part.judged - total) for hits, total, part in cells)


def _least(total: int, part: _Part) -> float:
    return 0.0 if part.blocked > _MANY else least_fisher(total, part.blocked, part.judged)


def _of_now(asked: _Asked, dimension: Dimension, tied: Sequence[_Tied]) -> list[_Tied]:
    """Take a tie for chance where it is over, where time alone makes it, or where it does not come back each week."""
    found = []
    for one in tied:
        p, names = one.p, one.p * len(tied) <= 1
        if _network(asked.networks, dimension, one.value) in asked.clean_on:
            p = 1.0
        elif names and dimension is Dimension.WEEKDAY:
            p = max(p, _recurring(asked.counts.days, WEEKDAYS.index(one.value)))
        elif names and _is_of_its_time(asked, dimension, one):
            p = 1.0
        found.append(one._replace(p=p) if p != one.p else one)
    return found


def _is_of_its_time(asked: _Asked, dimension: Dimension, one: _Tied) -> bool:
    """Say whether a value has hardly more blocks than any would that was called on the same days."""
    share = one.total / (one.total + one.other_total) * asked.exposure.crowding(dimension, one.value, asked.counts.days)
    return share >= 1 or one.hits * (1 - share) < _RATIO * one.other_hits * share


def _network(networks: Mapping[str, str], dimension: Dimension, value: str) -> str | None:
    if dimension is Dimension.DESTINATION:
        return networks.get(value) or None
    return value if dimension is Dimension.NETWORK else None


def _recurring(days: Sequence[Day], weekday: int) -> float:
    """Say how likely chance makes a weekday rank as high in its weeks as it does.

    Days are those of UTC, so a weekday at the called party may lie in the one before or after; the best of the three
    counts, three times for that.
    """
    weeks = _weeks(days)
    near = [(weekday + shift) % 7 for shift in (-1, 0, 1)]
    return min(1.0, 3 * min(_high(day, [week for week in weeks if day in week]) for day in near))


def _high(weekday: int, weeks: Sequence[Mapping[int, int]]) -> float:
    return rank_sum(sum(week[weekday] for week in weeks), [list(week.values()) for week in weeks])


def _weeks(days: Sequence[Day]) -> list[dict[int, int]]:
    """Rank the days of each week (0 is Monday) by their share of blocks; weeks without any block say nothing."""
    weeks: dict[int, dict[int, float]] = {}
    for day in days:
        if judged := day.blocked + day.through:
            week, weekday = divmod(day.number - 1, 7)  # day 1 of the calendar, 0001-01-01, was a Monday
            weeks.setdefault(week, {})[weekday] = day.blocked / judged
    return [
        dict(zip(shares, doubled_ranks(list(shares.values())), strict=True))
        for shares in weeks.values()
        if any(shares.values())
    ]


def _tell_all(asked: _Asked, dimension: Dimension, tied: Sequence[_Tied], family: Family[Signal]) -> None:
    for one in tied:
        network = _network(asked.networks, dimension, one.value)
        _tell(dimension, one, family, caller=asked.caller, network=network)


def _tell(
    dimension: Dimension, one: _Tied, family: Family[Signal], *, caller: str | None = None, network: str | None = None
) -> None:
    if (
        one.p > FALSE_DISCOVERIES
        or one.hits < _FEWEST
        or one.hits * one.other_total < _RATIO * one.other_hits * one.total
    ):
        family.made(one.least)
        return
    signal = Signal(
        kind=KIND,
        dimension=dimension.value,
        value=one.value,
        p=one.p,
        caller=caller,
        network=network,
        hits=one.hits,
        total=one.total,
        other_hits=one.other_hits,
        other_total=one.other_total,
        of="numbers" if caller is None else "calls",
    )
    family.found(one.p, signal, one.least)


class _Voices:
    """Which value the blocks of each number in trouble are tied to, and between how many values it could choose."""

    def __init__(self) -> None:
        self._asked: dict[tuple[Dimension, str], Counter[int]] = {}
        self._named: Counter[tuple[Dimension, str]] = Counter()
        self._elsewhere: Counter[tuple[Dimension, str]] = Counter()

    def add(self, dimension: Dimension, tied: Sequence[_Tied]) -> None:
        if len(tied) < 2:  # noqa: PLR2004 (one value is no choice)
            return
        named = _named(tied)
        for one in tied:
            key = dimension, one.value
            self._asked.setdefault(key, Counter())[len(tied)] += 1
            self._named[key] += one is named
            self._elsewhere[key] += named is not None and one is not named

    def tell(self, networks: Mapping[str, str], family: Family[Signal]) -> None:
        for key, choices in self._asked.items():
            dimension, value = key
            named, asked = self._named[key], choices.total()
            least = prod(float(choice) ** -numbers for choice, numbers in choices.items())
            p = uneven_binomial(named, [(1 / choice, numbers) for choice, numbers in choices.items()])
            tied = _Tied(value, p, least, named, asked, self._elsewhere[key], asked)
            _tell(dimension, tied, family, network=_network(networks, dimension, value))


def _named(tied: Sequence[_Tied]) -> _Tied | None:
    """Name the value that stands out: no other has as small a probability, and chance names one of them at most."""
    first, second = sorted(tied, key=lambda one: one.p)[:2]
    return first if first.p < second.p and first.p * len(tied) <= 1 else None


def _compare_numbers(counted: Counted, standings: Sequence[Standing], family: Family[Signal]) -> None:
    """Hold the numbers that have a property against all others: how many of them are blocked."""
    blocked = {
        one.caller: one.standing is State.BLOCKED
        for one in standings
        if one.network is None and one.standing is not State.UNKNOWN and one.caller in counted.callers
    }
    for dimension in _OF_NUMBERS:
        cells: dict[str, tuple[int, int]] = {}
        for caller, is_blocked in blocked.items():
            for value in _own(counted.callers[caller], dimension):
                hits, total = cells.get(value, (0, 0))
                cells[value] = hits + is_blocked, total + 1
        for one in _tied([_Part(cells, sum(blocked.values()), len(blocked))]):
            _tell(dimension, one, family)


def _own(counts: CallerCounts, dimension: Dimension) -> Iterator[str]:
    """Give what most calls of a number have in common: that belongs to the number."""
    return (value for value, tally in counts.values(dimension).items() if 2 * tally.calls > counts.calls)
