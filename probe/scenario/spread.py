"""The numbers of a scenario and a round in; its pairs in an order without bunches, and when each is due, out.

Everything follows from the round's id, so that a restart plans the same again.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from math import gcd, lcm

from probe.scenario.round import OpenRound

# The rest of a round is left to what could not leave in time, to retests and to control calls.
_SHARE = 0.8
# Multiples of the golden ratio, without their whole part, spread as evenly as chance would not.
_GOLDEN = 0.618033988749895


@lru_cache(maxsize=8)
def interleaved(callers: int, destinations: int, turned: str = "") -> tuple[tuple[int, int], ...]:
    """Return every pair of places in the two lists once, going round both; each list begins where `turned` says.

    After each full turn comes one step aside, so that no pair comes twice and no number stands in two pairs in a row.
    """
    first, second = _seeds(turned) if turned else (0, 0)
    turn, asides = lcm(callers, destinations), gcd(callers, destinations)
    return tuple(
        ((step + first) % callers, (step + aside + second) % destinations)
        for aside in range(asides)
        for step in range(turn)
    )


def step_of(round_: OpenRound, closes_at: datetime, calls: int) -> timedelta:
    """Say how far apart the calls of a round start."""
    return (closes_at - round_.starts_at) * _SHARE / max(calls, 1)


def slots(round_: OpenRound, closes_at: datetime, calls: int, jitter_s: int) -> Iterator[datetime]:
    """Yield when each of so many calls is due: evenly over the round, each up to the jitter later."""
    step = step_of(round_, closes_at, calls)
    late = min(timedelta(seconds=jitter_s), step)
    seed = _seeds(round_.id)[0] / 2**32
    for n in range(calls):
        yield round_.starts_at + step * n + late * ((seed + n * _GOLDEN) % 1)


def _seeds(text: str) -> tuple[int, int]:
    digest = sha256(text.encode()).digest()
    return int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:8], "big")
