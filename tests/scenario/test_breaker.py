"""The breaker of a trunk: what opens it, one call after a cool-down, what closes it."""

from datetime import timedelta

import pytest
from attempted import NOON, ago, attempt, under_way

from probe.scenario.breaker import open_breaker


def ended(status, minutes, ending="refused", disposition="provider_blocked"):
    return attempt(ago(minutes=minutes), status=status, ending=ending, disposition=disposition)


def refusals(*minutes, status=503):
    return [ended(status, minute, disposition="network_failure") for minute in minutes]


def blocks(*minutes):
    return [ended(603, minute, disposition="analytics_blocked") for minute in minutes]


def rule(newest_first, now=NOON):
    opened = open_breaker(newest_first, now)
    return opened[0].rule if opened else None


CASES = [
    ([], None),
    (refusals(1, 2, 3, 4), None),
    (refusals(1, 2, 3, 4, 5), "breaker_trunk"),
    (refusals(1, 2, 3, 4, 5, status=401), "breaker_trunk"),
    (refusals(1, 2, 3, 4, 5, status=403), "breaker_trunk"),
    (refusals(1, 2, 3, 4, 5, status=404), None),
    ([attempt(ago(minutes=0.5)), *refusals(1, 2, 3, 4, 5)], None),  # one good end closes it
    ([*refusals(1, 2), attempt(ago(minutes=3)), *refusals(4, 5, 6)], None),
    ([*refusals(1, 2), ended(None, 3, "lost", None), *refusals(4, 5, 6)], "breaker_trunk"),  # says nothing
    ([under_way(ago(minutes=1)), *refusals(2, 3, 4, 5, 6)], "breaker_trunk"),
    (blocks(*range(1, 10)), None),
    (blocks(*range(1, 11)), "breaker_blocks"),
    ([attempt(ago(minutes=0.5)), *blocks(*range(1, 11))], None),
    (blocks(*range(1, 10), 80), None),  # an hour without a block between two is no storm
]


@pytest.mark.parametrize(("newest_first", "expected"), CASES)
def test_the_breaker_opens_after_a_run_of_bad_ends(newest_first, expected):
    assert expected == rule(newest_first)


def test_it_half_opens_a_quarter_of_an_hour_after_the_last_end():
    run = refusals(1, 2, 3, 4, 5)
    assert run[0].ended_at + timedelta(minutes=15) == open_breaker(run, NOON)[1]
    assert open_breaker(run, run[0].ended_at + timedelta(minutes=15)) is None


def test_one_call_goes_out_half_open_and_no_second_beside_it():
    run = [under_way(NOON), *refusals(20, 21, 22, 23, 24)]
    assert "breaker_trunk" == rule(run, NOON + timedelta(seconds=1))


def test_a_half_open_call_that_fails_opens_it_again():
    run = refusals(0.2, 20, 21, 22, 23)
    assert "breaker_trunk" == rule(run)
    assert open_breaker(run, NOON + timedelta(minutes=16)) is None


def test_a_crash_in_the_half_open_call_lets_no_second_one_out_before_the_cool_down():
    run = [ended(None, 1, "lost", None), *refusals(20, 21, 22, 23, 24)]
    assert "breaker_trunk" == rule(run)


def test_a_storm_that_goes_on_half_open_stays_a_storm():
    run = blocks(1, 32, 63, *range(94, 101))
    assert "breaker_blocks" == rule(run)
