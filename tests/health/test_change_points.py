from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import DAY_ONE, called, caller_id, day_of, signals_of

from probe.health.change_points import last_change
from probe.health.exact import fisher

KINDS = {"blocks_rose", "blocks_fell", "declines_rose", "declines_fell"}


def days(*shares):
    """Days from 1 on; each `(hits, total)`."""
    return [(number, *share) for number, share in enumerate(shares, 1)]


def changes(calls, caller=None):
    return {one.kind: one for one in signals_of(calls) if one.kind in KINDS and one.caller == caller}


@pytest.mark.parametrize(
    ("shares", "since"),
    [
        ([(0, 10)] * 10 + [(8, 10)] * 3, 11),
        ([(8, 10)] * 10 + [(0, 10)] * 3, 11),
        ([(0, 10)] * 10 + [(10, 10)], 11),
        ([(0, 10)] * 10 + [(9, 10)] * 5 + [(0, 10)] * 10, 16),  # it rose, and fell again: what is now counts
        ([(0, 10)] * 10 + [(3, 10)] * 20 + [(10, 10)] * 10, 31),
        ([(1, 10)] * 30, None),
        ([(1, 10), (0, 10)] * 15, None),
        ([(0, 1)] * 5 + [(1, 1)], None),  # one call proves nothing
        ([(400, 1_000)] * 5 + [(500, 1_000)] * 5, None),  # sure, but hardly worth saying
        ([], None),
    ],
)
def test_a_change_is_told_since_the_first_day_of_the_new_level(shares, since):
    change = last_change(days(*shares))
    assert since == (change.day if change else None)


def test_a_change_holds_the_days_since_against_those_just_before():
    change = last_change(days(*[(0, 10)] * 10, *[(9, 10)] * 5, *[(1, 10)] * 10))
    assert (11, 16) == (change.from_day, change.day)
    assert (10, 100, 45, 50) == (change.hits, change.total, change.before_hits, change.before_total)
    assert not change.rose


def test_a_weekly_share_has_to_change_for_longer_than_a_weekend():
    shares = days(*[(1, 20)] * 20, *[(15, 20)] * 2)
    assert 21 == last_change(shares).day
    assert last_change(shares, weekly=True) is None
    assert 21 == last_change([*shares, (23, 15, 20)], weekly=True).day


def test_what_comes_back_each_week_is_no_change():
    week = [(1, 20)] * 5 + [(9, 20)] * 2
    for length in range(7, 28):
        assert last_change(days(*(week * 4)[:length]), weekly=True) is None


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(6, 12)), min_size=2, max_size=25))
def test_no_split_is_surer_than_the_one_that_is_found(shares):
    change = last_change(days(*shares))
    tries = [
        min(fisher(*after, *before), fisher(*before, *after)) * 2 * (len(shares) - 1)
        for place in range(1, len(shares))
        for before, after in [(summed(shares[:place]), summed(shares[place:]))]
    ]
    if change is not None:
        assert min(tries) == pytest.approx(change.p)
    elif min(tries) <= 0.0001:
        # So sure a change is left untold only where it is hardly worth saying, each weekday held against its own.
        low, high = sorted(summed(part) for part in halves(shares, tries.index(min(tries)) + 1))
        assert low[0] / low[1] * 2.5 >= high[0] / high[1]


def halves(shares, place):
    return shares[:place], shares[place:]


def summed(shares):
    return sum(hits for hits, _ in shares), sum(total for _, total in shares)


def test_a_change_is_seldom_seen_where_there_is_none():
    chance = Random(603)
    seen = sum(
        last_change([(day, sum(chance.random() < 0.1 for _ in range(20)), 20) for day in range(60)]) is not None
        for _ in range(500)
    )
    assert 500 * 0.01 >= seen


def test_blocks_of_one_number_rose():
    calls = called(callers=10, networks=5, days=30, blocked=lambda c: 0.5 if from_day(c, 20, number=3) else 0.01)
    found = changes(calls, caller_id(3))["blocks_rose"]
    assert DAY_ONE + timedelta(days=20) == found.since
    assert ("day", "2026-09-21") == (found.dimension, found.value)
    assert found.hits / found.total > 10 * found.other_hits / found.other_total
    assert [caller_id(3)] == [one.caller for one in signals_of(calls) if one.kind in KINDS]


def from_day(call, day, *, number):
    return call.caller == caller_id(number) and day_of(call) >= day


def test_blocks_that_are_over_fell():
    calls = called(callers=10, networks=5, days=30, blocked=lambda c: 0.5 if not from_day(c, 20, number=3) else 0.0)
    assert DAY_ONE + timedelta(days=20) == changes(calls, caller_id(3))["blocks_fell"].since


def test_declines_rose_and_blocks_are_no_declines():
    calls = called(
        callers=5,
        networks=10,
        days=30,
        blocked=lambda c: 0.5 if from_day(c, 15, number=1) else 0.01,
        declined=lambda c: 0.4 if from_day(c, 20, number=2) else 0.1,
    )
    found = changes(calls, caller_id(2))
    assert {"declines_rose"} == set(found)
    assert abs((found["declines_rose"].since - DAY_ONE).days - 20) <= 2
    # Fewer calls get through to decline, but of those as many do as before.
    assert {"blocks_rose"} == set(changes(calls, caller_id(1)))


def test_a_change_of_the_fleet_is_one_that_its_numbers_share():
    shared = called(callers=12, networks=8, days=30, declined=lambda c: 0.4 if day_of(c) >= 20 else 0.1)
    assert DAY_ONE + timedelta(days=20) == changes(shared)["declines_rose"].since


def test_one_number_with_many_calls_is_no_change_of_the_fleet():
    one = called(callers=8, networks=8, days=30, rounds=2, blocked=lambda c: 0.9 if from_day(c, 20, number=0) else 0.01)
    assert "blocks_rose" in changes(one, caller_id(0))
    assert {} == changes(one)


def test_a_weekend_is_no_change():
    def at_weekends(call):
        return 0.4 if call.started_at.weekday() >= 5 else 0.1

    calls = called(
        callers=30, networks=8, days=(datetime(2026, 9, 30, tzinfo=UTC) - DAY_ONE).days, declined=at_weekends
    )
    for last in range(27, 31):  # a Sunday and the three days after it
        so_far = [call for call in calls if call.started_at.day <= last]
        assert [] == [one for one in signals_of(so_far) if one.kind in KINDS]


def test_what_changed_long_ago_is_no_news():
    calls = called(callers=2, networks=4, days=100, blocked=lambda c: 0.5 if day_of(c) < 20 else 0.01)
    assert {} == changes(calls, caller_id(0))
