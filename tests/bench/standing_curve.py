"""Simulated numbers with a known share of blocked calls in; what the sequential test makes of them, its curve, out.

A number is new, or clean: 40 calls with 1 % strays lie behind it, and it is called clean. Every cell of the table has
its own seed, made of its name. The figures stand beside those of a plain rule: blocked as long as 3 of the last 10
calls were. The table goes to results/standing_curve.json, too; 400 calls there mean: not in so many.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from statistics import fmean, median_low
from typing import Protocol

from probe.health.sequential import SequentialTest, State
from tests.bench.figure import Figure

RESULTS = Path(__file__).parents[2] / "results" / "standing_curve.json"
STRAYS = 0.01
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
_PAST = 40
_NEVER = 400  # a number that is not called blocked, or clean again, in so many calls
_FEW = 6  # so many calls have few enough outcomes to go through them all
_PASTS = 300  # clean numbers differ by the strays in their past
_RULE = "3 of the last 10 blocked"


class Watch(Protocol):
    """What says how a number stands, call by call."""

    @property
    def state(self) -> State: ...
    def add(self, at: int, *, blocked: bool) -> None: ...


Make = Callable[[], Watch]


class ThreeOfTen:
    """The plain rule that the test is held against."""

    def __init__(self) -> None:
        self._last: tuple[bool, ...] = ()
        self.state = State.UNKNOWN

    def add(self, at: int, *, blocked: bool) -> None:  # noqa: ARG002 (as the sequential test has it)
        self._last = (*self._last, blocked)[-10:]
        self.state = State.BLOCKED if sum(self._last) >= 3 else State.CLEAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One true share. Calls until `blocked` and until `clean` are medians, with the 90th percentile of the first.

    `blocked_in_10_000` says how often `blocked` is entered, rightly or wrongly. `changes` are those of the state in
    1,000 calls. `clean_after_short` follows a block that ends as soon as it is found, and `clean_after_long` one of 50
    calls.
    """

    share: float
    new: int
    new_p90: int
    clean: int
    clean_p90: int
    blocked_in_10_000: float
    changes: float
    changes_p99: int
    clean_after_short: int
    clean_after_long: int


def measure() -> Iterator[Figure]:
    """Yield the promised points; print the curve."""
    yield from figures()
    rows = []
    print(f"\n{_HEAD}")
    for share in SHARES:
        rows.append(row(share))
        print(_in_a_line(rows[-1]), flush=True)
    print()
    RESULTS.write_text(json.dumps([asdict(one) for one in rows], indent=2) + "\n")


def figures(scale: int = 1_000) -> Iterator[Figure]:
    """Yield what is promised, beside the plain rule. `scale` numbers are simulated for a median."""
    found = zip(_promised(SequentialTest, scale), _promised(ThreeOfTen, scale), strict=True)
    for (what, value, unit, wanted), (_, other, _, _) in found:
        yield Figure(what=what, value=value, unit=unit, beside=_RULE, other=other, wanted=wanted)


def _promised(make: Make, scale: int) -> Iterator[tuple[str, float, str, str]]:
    often = 1_000 * scale
    yield "false blocked, 1 % strays", blocked_entries(make, STRAYS, often), "/10,000", "fewer than 1"
    for length in (10, 30):
        rate = blocked_entries(make, STRAYS, often, length=length)
        yield f"false blocked, 1 % strays, numbers of {length} calls", rate, "/10,000", "fewer than 1"
    for share, most in ((0.5, 5), (0.9, 3)):
        for past, kind in ((0, "new"), (_PAST, "clean")):
            calls = median_until_blocked(make, share, past, scale)
            yield f"calls to blocked, {100 * share:.0f} % blocked, {kind} number", calls, "calls", f"at most {most}"
    for past, kind in ((0, "new"), (_PAST, "clean")):
        within = chance_of_blocked(make, 0.5, past, 5)
        yield f"blocked within 5 calls, 50 %, {kind} number (exact)", 100 * within, "%", "at least 50 %"
    for share in (0.5, 0.9):
        for calls, kind in ((0, "once found"), (50, "after 50 calls")):
            after = median_low(until_clean(make, share, calls, scale))
            yield f"calls to clean, {100 * share:.0f} % block over {kind}", after, "calls", "at most 20"
    changed = changes(make, 0.1, scale // 4)
    yield "changes in 1,000 calls, steady 10 % (mean)", fmean(changed), "changes", "at most 10"
    yield "changes in 1,000 calls, steady 10 % (99th pct.)", percentile(changed, 0.99), "changes", ""


def row(share: float, scale: int = 600) -> Row:
    """Simulate one row of the curve."""
    new, clean = (until_blocked(SequentialTest, share, past, scale) for past in (0, _PAST))
    changed = changes(SequentialTest, share, scale // 3)
    return Row(
        share=share,
        new=median_until_blocked(SequentialTest, share, 0, scale),
        new_p90=percentile(new, 0.9),
        clean=median_until_blocked(SequentialTest, share, _PAST, scale),
        clean_p90=percentile(clean, 0.9),
        blocked_in_10_000=blocked_entries(SequentialTest, share, 500 * scale),
        changes=fmean(changed),
        changes_p99=percentile(changed, 0.99),
        clean_after_short=median_low(until_clean(SequentialTest, share, 0, scale)),
        clean_after_long=median_low(until_clean(SequentialTest, share, 50, scale)),
    )


def draws_for(*name: object) -> random.Random:
    return random.Random("standing " + " ".join(map(str, name)))


def numbers(make: Make, past: int, count: int) -> Iterator[Watch]:
    """Make numbers with so many calls behind them; those with a past are clean."""
    draws = draws_for("past", past)
    while count:
        number = make()
        for _ in range(past):
            number.add(1, blocked=draws.random() < STRAYS)
        if not past or number.state is State.CLEAN:
            count -= 1
            yield number


def until_blocked(make: Make, share: float, past: int, runs: int) -> list[int]:
    """Count the calls until `blocked`, from the first call of the block on."""
    draws = draws_for("blocked", share, past)
    return [_until(number, State.BLOCKED, share, draws) for number in numbers(make, past, runs)]


def until_clean(make: Make, share: float, calls: int, runs: int) -> list[int]:
    """Count the calls until `clean`, after a block that took at least so many calls and was found, if it was to be."""
    draws = draws_for("clean", share, calls)
    counts = []
    for number in numbers(make, _PAST, runs):
        for _ in range(calls):
            number.add(1, blocked=draws.random() < share)
        _until(number, State.BLOCKED, share, draws)
        counts.append(_until(number, State.CLEAN, STRAYS, draws))
    return counts


def _until(number: Watch, state: State, share: float, draws: random.Random) -> int:
    calls = 0
    while number.state is not state and calls < _NEVER:
        number.add(1, blocked=draws.random() < share)
        calls += 1
    return calls


def blocked_entries(make: Make, share: float, calls: int, length: int | None = None) -> float:
    """Count how often `blocked` is entered in 10,000 calls of one number, or of many with `length` calls each."""
    draws, entries, number, before = draws_for("entries", share, length), 0, make(), State.UNKNOWN
    for call in range(calls):
        if length and call % length == 0:
            number = make()
            before = State.UNKNOWN
        number.add(1, blocked=draws.random() < share)
        entries += number.state is State.BLOCKED and before is not State.BLOCKED
        before = number.state
    return entries / calls * 10_000


def changes(make: Make, share: float, runs: int, past: int = 0, calls: int = 1_000) -> list[int]:
    """Count the changes of state of each number, whose share of blocks stays as it is."""
    draws, counts = draws_for("changes", share, past), []
    for number in numbers(make, past, runs):
        changed, before = 0, number.state
        for _ in range(calls):
            number.add(1, blocked=draws.random() < share)
            changed += number.state is not before
            before = number.state
        counts.append(changed)
    return counts


def median_until_blocked(make: Make, share: float, past: int, runs: int) -> int:
    """Count the calls until `blocked` in the median; where they are few, exactly.

    A sample would do no better: a clean number that loses half of its calls is found within 5 with probability 0.504,
    so that the median of a thousand is 5 or 6, as the dice fall.
    """
    for calls in range(1, _FEW + 1):
        if chance_of_blocked(make, share, past, calls) >= 0.5:
            return calls
    return median_low(until_blocked(make, share, past, runs))


def chance_of_blocked(make: Make, share: float, past: int, calls: int) -> float:
    """Give the probability that so many calls make a number blocked, exactly: every outcome is gone through."""
    return fmean(_chance(number, share, calls) for number in numbers(make, past, _PASTS if past else 1))


def _chance(number: Watch, share: float, calls: int) -> float:
    if number.state is State.BLOCKED or not calls:
        return float(number.state is State.BLOCKED)
    blocked, through = copy(number), copy(number)  # nothing inside them changes in place
    blocked.add(1, blocked=True)
    through.add(1, blocked=False)
    return share * _chance(blocked, share, calls - 1) + (1 - share) * _chance(through, share, calls - 1)


def percentile(counts: Sequence[int], share: float) -> int:
    """Give the smallest count that so large a share of the counts does not go over."""
    return sorted(counts)[max(0, ceil(share * len(counts)) - 1)]


_HEAD = (
    'seeds: "standing", what is counted, share, calls before or in each number, such as "standing blocked 0.5 40"\n'
    "true    calls to blocked: median (90 %)   blocked in   changes in 1,000   calls to clean\n"
    "share   new number     clean number       10,000       mean (99 %)        short block   50 calls"
)


def _in_a_line(one: Row) -> str:
    return (
        f"{one.share:>5.0%} {_calls(one.new):>6} ({_calls(one.new_p90):>3}) {_calls(one.clean):>8} "
        f"({_calls(one.clean_p90):>3}) {one.blocked_in_10_000:>18.2f} {one.changes:>10.1f} ({one.changes_p99:>2}) "
        f"{_calls(one.clean_after_short):>16} {_calls(one.clean_after_long):>11}"
    )


def _calls(count: int) -> str:
    return "-" if count == _NEVER else str(count)
