"""Counts in, how likely chance alone does as much out: exact tests, and what many of them together allow to be said."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from math import exp, lgamma, log, log1p
from typing import Final, Generic, TypeVar

FALSE_DISCOVERIES: Final = 0.01
"""The share of false ones among all signals that are raised: at most this, on average."""

LEAST: Final = 1e-300  # no finite number of calls proves anything beyond doubt

_NEGLIGIBLE: Final = 1e-17
_Found = TypeVar("_Found")


class _LogFactorials(dict[int, float]):
    """Logarithms of the factorials that were asked for: each test takes nine of them, mostly the same ones."""

    def __missing__(self, number: int) -> float:
        found = self[number] = lgamma(number + 1.0)
        return found


_LOG: Final = _LogFactorials()


def hypergeometric(hits: int, total: int, all_hits: int, everything: int) -> float:
    """Give the chance that exactly `hits` count of `total` drawn from `everything`, of which `all_hits` count."""
    misses = everything - all_hits
    return exp(
        _LOG[all_hits] - _LOG[hits] - _LOG[all_hits - hits]
        + _LOG[misses] - _LOG[total - hits] - _LOG[misses - total + hits]
        - _LOG[everything] + _LOG[total] + _LOG[everything - total]
    )  # fmt: skip


def fisher(hits: int, total: int, other_hits: int, other_total: int, *, up_to: float = 1.0) -> float:
    """Give the chance of `hits` or more in `total`, were all hits dealt evenly over `total` and `other_total`.

    Fisher's exact test, one-sided (Fisher 1935, "The Design of Experiments", II). What is above `up_to` may be given
    as 1: where one term of the sum is that large, the others are not looked at.
    """
    all_hits, everything = hits + other_hits, total + other_total
    spare = everything - all_hits - total
    if hits <= max(0, -spare):
        return 1.0
    term = hypergeometric(hits, total, all_hits, everything)
    if term > up_to:
        return 1.0
    if hits * everything <= all_hits * total:
        return 1.0 - _fewer(hits - 1, total, all_hits, everything)
    tail = term
    for count in range(hits, min(all_hits, total)):
        term *= (all_hits - count) * (total - count) / ((count + 1) * (spare + count + 1))
        tail += term
        if term < tail * _NEGLIGIBLE:
            break
    return max(tail, LEAST)


def _fewer(hits: int, total: int, all_hits: int, everything: int) -> float:
    """Give the chance of `hits` or fewer, which are fewer than to be expected."""
    spare = everything - all_hits - total
    head = term = hypergeometric(hits, total, all_hits, everything)
    for count in range(hits, max(0, -spare), -1):
        term *= count * (spare + count) / ((all_hits - count + 1) * (total - count + 1))
        head += term
        if term < head * _NEGLIGIBLE:
            break
    return head


def least_fisher(total: int, all_hits: int, everything: int) -> float:
    """Give the smallest chance that `fisher` can find with these sums: that of every hit falling into `total`."""
    return hypergeometric(min(total, all_hits), total, all_hits, everything)


def binomial(hits: int, total: int, share: float) -> float:
    """Give the chance of `hits` or more in `total` where each counts with the chance `share` (between 0 and 1)."""
    if hits <= 0:
        return 1.0
    if hits <= total * share:
        return 1.0 - sum(_binomial(count, total, share) for count in range(hits))
    tail = term = _binomial(hits, total, share)
    for count in range(hits, total):
        term *= (total - count) / (count + 1) * share / (1.0 - share)
        tail += term
        if term < tail * _NEGLIGIBLE:
            break
    return max(tail, LEAST)


def _binomial(hits: int, total: int, share: float) -> float:
    ways = _LOG[total] - _LOG[hits] - _LOG[total - hits]
    return exp(ways + hits * log(share) + (total - hits) * log1p(-share))


def uneven_binomial(hits: int, groups: Sequence[tuple[float, int]]) -> float:
    """Give the chance of `hits` or more where the `(share, total)` of each group count with that share."""
    ordered = tuple(sorted(groups))
    if len(ordered) == 1:
        return binomial(hits, ordered[0][1], ordered[0][0])
    return max(sum(_uneven(ordered)[max(hits, 0) :]), LEAST)


@lru_cache(maxsize=256)
def _uneven(groups: tuple[tuple[float, int], ...]) -> tuple[float, ...]:
    """Give the chance of each number of hits."""
    chances = [1.0]
    for share, total in groups:
        chances = _sums(chances, [_binomial(count, total, share) for count in range(total + 1)])
    return tuple(chances)


def _sums(first: Sequence[float], second: Sequence[float]) -> list[float]:
    chances = [0.0] * (len(first) + len(second) - 1)
    for at, chance in enumerate(first):
        if chance:
            for place, other in enumerate(second, at):
                chances[place] += chance * other
    return chances


def rank_sum(reached: int, strata: Sequence[Sequence[int]]) -> float:
    """Give the chance that the ranks of one value in each stratum add up to `reached` or more.

    By chance a value has any of the ranks of its stratum: the sum is held against all sums. The exact form of the
    stratified Wilcoxon test (van Elteren 1960).
    """
    chances = _rank_sums(tuple(tuple(sorted(ranks)) for ranks in strata))
    return min(max(sum(chances[reached:]), LEAST), 1.0)


@lru_cache(maxsize=64)
def _rank_sums(strata: tuple[tuple[int, ...], ...]) -> tuple[float, ...]:
    chances = [1.0]
    for ranks in strata:
        each = [0.0] * (max(ranks) + 1)
        for rank in ranks:
            each[rank] += 1 / len(ranks)
        chances = _sums(each, chances)
    return tuple(chances)


def doubled_ranks(values: Sequence[float]) -> list[int]:
    """Rank values from the smallest, in halves so that ties can share their ranks: 2, 4, 6, or 3, 3, 6."""
    ordered = sorted(values)
    return [bisect_left(ordered, value) + bisect_right(ordered, value) + 1 for value in values]


class Family(Generic[_Found]):
    """Tests that are made together, and which of them may be believed.

    Benjamini and Hochberg (1995) keep the share of false ones among all that are believed below a bound, whatever their
    number. With few calls a test of counts cannot reach a small chance, whatever it finds; such tests are not counted
    among those made (Tarone 1990; with the false-discovery rate: Gilbert 2005). That they cannot is known from sums
    that do not depend on what is tested.
    """

    def __init__(self) -> None:
        self._least: list[float] = []
        self._found: list[tuple[float, float, _Found]] = []

    def made(self, least: float = 0.0, *, times: int = 1) -> None:
        """Note tests that found nothing; `least` is the smallest chance that each could have found, or less."""
        self._least.extend([least] * times)

    def found(self, p: float, found: _Found, least: float = 0.0) -> None:
        """Note a test that found something which is chance with probability `p`."""
        self._least.append(least)
        self._found.append((p, least, found))

    def believed(self, share: float = FALSE_DISCOVERIES) -> list[tuple[float, _Found]]:
        """Give what was found and may be believed, each with its probability after correction for all tests made."""
        least = sorted(least for least in self._least if least <= share)
        divisor = _tarone(least, share)
        tests = bisect_right(least, share / divisor)
        found = sorted(
            ((p, found) for p, least, found in self._found if least <= share / divisor), key=lambda one: one[0]
        )
        corrected, bound = [], 1.0
        for place in range(len(found), 0, -1):
            p, one = found[place - 1]
            bound = min(bound, p * tests / place)
            corrected.append((bound, one))
        return [(p, one) for p, one in reversed(corrected) if p <= share]


def _tarone(least: Sequence[float], share: float) -> int:
    """Find the smallest number so that no more tests than that can reach `share` divided by it."""
    low, high = 1, max(len(least), 1)
    while low < high:
        middle = (low + high) // 2
        if bisect_right(least, share / middle) <= middle:
            high = middle
        else:
            low = middle + 1
    return low
