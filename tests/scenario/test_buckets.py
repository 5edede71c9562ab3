"""Several buckets at once: which is full, until when, and how many calls still fit."""

from datetime import timedelta

import pytest
from attempted import NOON, ago
from hypothesis import given
from hypothesis import strategies as st

from probe.scenario.buckets import first_full, room
from probe.scenario.scenario import Rate

MINUTE, QUARTER = Rate(count=1, window_s=60), Rate(count=3, window_s=900)
HOUR, DAY = Rate(count=5, window_s=3600), Rate(count=10, window_s=86400)
DEFAULT = (MINUTE, QUARTER, HOUR, DAY)


def after(**span):
    return NOON + timedelta(**span)


FULL = [
    ([], None),
    ([ago(seconds=60)], None),
    ([ago(seconds=59)], (MINUTE, after(seconds=1))),
    ([ago(minutes=14), ago(minutes=9), ago(minutes=2)], (QUARTER, after(minutes=1))),
    ([ago(minutes=15), ago(minutes=9), ago(minutes=2)], None),
    ([ago(minutes=14), ago(minutes=9), ago(seconds=2)], (QUARTER, after(minutes=1))),
    ([ago(minutes=m) for m in (59, 50, 40, 30, 20)], (HOUR, after(minutes=1))),
    ([ago(hours=h) for h in range(23, 13, -1)], (DAY, after(hours=1))),
    ([ago(hours=h) for h in range(24, 14, -1)], None),
]


@pytest.mark.parametrize(("times", "expected"), FULL)
def test_the_bucket_that_stays_full_longest_is_named(times, expected):
    assert expected == first_full(times, DEFAULT, NOON)


def test_a_call_in_the_future_after_a_clock_was_set_back_counts_in_full():
    assert (MINUTE, after(hours=1, minutes=1)) == first_full([after(hours=1)], DEFAULT, NOON)


ROOM = [
    ([], DEFAULT, timedelta(seconds=1), 1),
    ([], DEFAULT, timedelta(minutes=1), 1),
    ([], DEFAULT, timedelta(minutes=1, seconds=1), 2),
    ([], DEFAULT, timedelta(minutes=15), 3),
    ([], DEFAULT, timedelta(hours=1), 5),
    ([], DEFAULT, timedelta(hours=2), 10),
    ([], DEFAULT, timedelta(days=1), 10),
    ([], DEFAULT, timedelta(days=2), 20),
    ([ago(hours=h) for h in range(14, 4, -1)], DEFAULT, timedelta(hours=2), 0),
    ([ago(hours=h) for h in range(23, 13, -1)], DEFAULT, timedelta(hours=2), 1),
    ([], (), timedelta(seconds=1), 1000),
]


@pytest.mark.parametrize(("times", "rates", "length", "expected"), ROOM)
def test_the_room_of_a_round_is_what_the_buckets_leave(times, rates, length, expected):
    assert expected == room(times, rates, NOON, NOON + length, 1000)


@given(st.lists(st.integers(-7200, 7200), max_size=30), st.integers(1, 5), st.integers(1, 3600))
def test_a_call_after_the_bucket_says_it_has_room_passes_no_rate(seconds, most, window):
    """Counted in another way: in no window that ends with the new call are there more than the rate says."""
    rate = Rate(count=most, window_s=window)
    times = sorted(after(seconds=second) for second in seconds)
    full = first_full(times, [rate], NOON)
    at = full[1] if full else NOON
    inside = [time for time in times if time > at - timedelta(seconds=window)]
    assert len(inside) < most
    assert at >= NOON


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 600)), min_size=1, max_size=4), st.integers(1, 1800))
def test_the_room_is_never_more_than_each_rate_allows_alone(rates, length):
    asked = [Rate(count=count, window_s=window) for count, window in rates]
    found = room([], asked, NOON, after(seconds=length), 50)
    alone = [room([], [rate], NOON, after(seconds=length), 50) for rate in asked]
    assert found <= min(alone)
