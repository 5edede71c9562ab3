from dataclasses import replace

import pytest
from observed import called, caller_id, counted, day_of, standings

from probe.health import State
from probe.health.counted import Counted
from probe.health.trouble import in_trouble


def troubled(calls, stands=()):
    return in_trouble(Counted(counted(calls)), stands)


def test_strays_are_no_trouble():
    calls = called(callers=40, networks=10, days=20)
    assert 40 * 0.05 + 2 >= len(troubled(calls))


def test_more_blocks_than_strays_are_trouble_whatever_is_thought_of_the_number():
    calls = called(callers=3, networks=10, days=20, blocked=lambda c: 0.1 if c.caller == caller_id(1) else 0.0)
    assert {caller_id(1)} == troubled(calls)


def test_blocks_that_are_long_past_are_no_trouble():
    calls = called(callers=1, networks=10, days=80, blocked=lambda c: 0.5 if day_of(c) < 40 else 0.0)
    assert set() == troubled(calls)


@pytest.mark.parametrize(
    ("state", "is_in_trouble"),
    [
        (State.BLOCKED, True),
        (State.SUSPECT, True),
        (State.RECOVERING, True),
        (State.CLEAN, False),
        (State.UNKNOWN, False),
    ],
)
def test_a_standing_that_is_not_clean_is_trouble(state, is_in_trouble):
    calls = called(callers=1, networks=2, days=10, blocked=lambda _: 0.0)
    stands = [replace(one, standing=state) for one in standings(calls)]
    assert is_in_trouble is (caller_id(0) in troubled(calls, stands))
