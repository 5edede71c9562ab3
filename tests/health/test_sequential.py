import random
from datetime import UTC, datetime, timedelta

import pytest

from probe.health.sequential import State, Step, state_of

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
CALLS = {"B": True, "-": False, "s": None}


def minute(number):
    return START + timedelta(minutes=number)


def said_of(calls):
    return state_of(Step(at=minute(number), blocked=CALLS[call]) for number, call in enumerate(calls))


@pytest.mark.parametrize(
    ("calls", "state", "since"),
    [
        ("", State.UNKNOWN, None),
        ("-", State.UNKNOWN, None),
        ("------", State.UNKNOWN, None),
        ("-------", State.CLEAN, 0),
        ("B", State.SUSPECT, 0),
        ("BB", State.SUSPECT, 0),
        ("BBB", State.BLOCKED, 0),
        ("--BBBB", State.BLOCKED, 2),
        ("-------BBB", State.BLOCKED, 7),
        ("-------B", State.SUSPECT, 7),
        ("-------B------", State.CLEAN, 0),
        ("BBB------", State.BLOCKED, 0),
        ("BBB-------", State.CLEAN, 3),
        ("BBBBBB", State.BLOCKED, 0),
        ("B--B-B", State.BLOCKED, 0),
        ("B--B--B", State.SUSPECT, 0),
        ("s", State.SUSPECT, 0),
        ("-s", State.SUSPECT, 1),
        ("ssssss", State.SUSPECT, 0),
        ("s-------", State.CLEAN, 1),
        ("-------s", State.SUSPECT, 7),
        ("BBBs", State.BLOCKED, 0),
        ("s-B", State.SUSPECT, 0),
    ],
)
def test_calls_make_a_state_since_the_evidence_turned(calls, state, since):
    assert (state, None if since is None else minute(since)) == said_of(calls)


def blocked_in(share, calls, draws):
    return said_of("B" if draws.random() < share else "-" for _ in range(calls))[0] is State.BLOCKED


def test_stray_blocks_make_no_blocked_number():
    draws = random.Random(1945)
    assert 0 == sum(blocked_in(0.01, 30, draws) for _ in range(3_000))


def calls_until_blocked(share, draws):
    calls = ""
    while said_of(calls)[0] is not State.BLOCKED:
        calls += "B" if draws.random() < share else "-"
    return len(calls)


@pytest.mark.parametrize(("share", "most"), [(0.5, 6), (0.9, 3)])
def test_a_blocked_number_is_found_in_few_calls(share, most):
    draws = random.Random(1945)
    runs = sorted(calls_until_blocked(share, draws) for _ in range(301))
    assert most >= runs[150]
