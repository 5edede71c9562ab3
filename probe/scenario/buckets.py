"""The times of past calls and some rates in; which rate is full, until when, and how many calls still fit, out."""

from bisect import insort
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from probe.scenario.scenario import Rate


def first_full(times: Sequence[datetime], rates: Iterable[Rate], now: datetime) -> tuple[Rate, datetime] | None:
    """Return the rate that stays full the longest, and until when; None when every one has room now.

    `times` stand in order. A time that has not come yet, as after a clock was set back, counts like any other.
    """
    full = [(rate, until) for rate in rates if (until := _full_until(times, rate)) and until > now]
    return max(full, key=lambda found: found[1], default=None)


def room(times: Iterable[datetime], rates: Sequence[Rate], start: datetime, end: datetime, most: int) -> int:
    """Count the calls that fit from `start` to before `end` if each is placed as soon as it may be; at most `most`."""
    placed = sorted(time.timestamp() for time in times)  # thousands of steps: seconds are added faster than moments
    windows = [(rate.count, rate.window_s) for rate in rates]
    at, over = start.timestamp(), end.timestamp()
    for fitting in range(most):
        for count, window_s in windows:
            if len(placed) >= count:
                at = max(at, placed[-count] + window_s)
        if at >= over:
            return fitting
        insort(placed, at)
    return most


def _full_until(times: Sequence[datetime], rate: Rate) -> datetime | None:
    """Say when so many of the calls have left the window that there is room for one more."""
    if len(times) < rate.count:
        return None
    return times[-rate.count] + timedelta(seconds=rate.window_s)
