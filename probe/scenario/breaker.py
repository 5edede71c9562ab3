"""The newest attempts over a trunk in; whether its breaker is open, why, and until when, out.

Nothing is remembered but the attempts: open after a run of bad ends, one call after a cool-down, and closed by the
first good end. That one call is the newest attempt, so the cool-down starts again with it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from probe.scenario.history import Attempt

# Our account is not let in, or the trunk is overloaded (RFC 3261 s21.4.2, s21.4.4, s21.5.4).
_TRUNK_REFUSES = frozenset({401, 403, 503})
_BLOCKS = frozenset({"analytics_blocked", "subscriber_blocked", "provider_blocked"})
# These say nothing about the trunk.
_SILENT = frozenset({None, "lost", "agent_failed", "stopped", "no_response"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """What opens the breaker: `run` bad ends in a row, none more than `apart` after the one before."""

    rule: str
    is_bad: Callable[[Attempt], bool]
    run: int
    apart: timedelta
    cool_down: timedelta
    why: str


TRIPS = (
    Trip(
        rule="breaker_trunk",
        is_bad=lambda attempt: attempt.status in _TRUNK_REFUSES,
        run=5,
        apart=timedelta(days=1),
        cool_down=timedelta(minutes=15),
        why="answered 401, 403 or 503 to the last {run} calls",
    ),
    Trip(
        rule="breaker_blocks",
        is_bad=lambda attempt: attempt.disposition in _BLOCKS,
        run=10,
        apart=timedelta(hours=1),
        cool_down=timedelta(minutes=30),
        why="had its last {run} calls blocked",
    ),
)


def open_breaker(newest_first: Sequence[Attempt], now: datetime) -> tuple[Trip, datetime] | None:
    """Return what opened the breaker and when one call may try it, or None while calls may go out."""
    for trip in TRIPS:
        if _has_tripped(trip, newest_first):
            until = max(attempt.ended_at or attempt.at for attempt in newest_first) + trip.cool_down
            if until > now:
                return trip, until
    return None


def _has_tripped(trip: Trip, newest_first: Iterable[Attempt]) -> bool:
    told = [attempt for attempt in newest_first if attempt.ending not in _SILENT][: trip.run]
    in_a_row = all(later.at - earlier.at <= trip.apart for later, earlier in pairwise(told))
    return len(told) == trip.run and in_a_row and all(map(trip.is_bad, told))
