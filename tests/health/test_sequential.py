"""The test under way: what it says after which calls, since when, and whether it keeps what is promised.

Calls are written as `B` (blocked), `-` (through), `s` (suspected) and `d` (the last suspicion taken back); the moment
of a call is its place, counted from 1. tests/bench/standing_curve.py has the whole curve.
"""

import json
from statistics import fmean, median_low

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from probe.health.sequential import SequentialTest, State
from tests.bench.standing_curve import (
    blocked_entries,
    chance_of_blocked,
    changes,
    median_until_blocked,
    percentile,
    until_clean,
)

CLEAN, SUSPECT, BLOCKED, RECOVERING, UNKNOWN = (
    State.CLEAN,
    State.SUSPECT,
    State.BLOCKED,
    State.RECOVERING,
    State.UNKNOWN,
)
PAST = "-" * 30
calls_of_all_kinds = st.text("B-sd", max_size=60) | st.text("BB------s", max_size=150)


def add(test, calls, first=1):
    suspected = []
    for at, call in enumerate(calls, first):
        if call == "s":
            suspected.append(at)
            test.doubt(at)
        elif call == "d":
            test.dismiss(suspected.pop() if suspected else at)
        else:
            test.add(at, blocked=call == "B")
    return test


def after(calls):
    return add(SequentialTest(), calls)


def stored(test):
    return SequentialTest.load(json.loads(json.dumps(test.dump())))


@pytest.mark.parametrize(
    ("calls", "state", "since"),
    [
        ("", UNKNOWN, None),
        ("-", UNKNOWN, None),
        ("-------", UNKNOWN, None),
        ("--------", CLEAN, 1),
        ("B", SUSPECT, 1),
        ("--B", UNKNOWN, None),
        ("BB", BLOCKED, 1),
        ("B-B", BLOCKED, 1),
        ("-BB", BLOCKED, 2),
        ("B---B", SUSPECT, 1),
        ("B---BB", BLOCKED, 1),
        ("B-------", SUSPECT, 1),
        ("BBB------", BLOCKED, 1),
        ("BBBBBB--------", RECOVERING, 7),
        ("BBBBBB-----------", CLEAN, 7),
        ("BBBBBB--------B", RECOVERING, 7),
        ("BBBBBB--------BB", SUSPECT, 15),
        ("BBBBBB--------BBB", BLOCKED, 15),
    ],
)
def test_the_calls_of_a_new_number_make_a_state_since_the_evidence_turned(calls, state, since):
    test = after(calls)
    assert (state, since) == (test.state, test.since)


@pytest.mark.parametrize(
    ("calls", "state", "since"),
    [
        ("", CLEAN, 1),
        ("B", CLEAN, 1),
        ("B---------------B", CLEAN, 1),
        ("BB", SUSPECT, 31),
        ("-BB", SUSPECT, 32),
        ("B--------------------BB", SUSPECT, 52),
        ("BB-----------", CLEAN, 33),
        ("BBB", BLOCKED, 31),
        ("B--BB", BLOCKED, 31),
        ("--BBB-----", BLOCKED, 33),
        ("BBB--------", RECOVERING, 34),
        ("BBB-----------", CLEAN, 34),
        ("BBB-----------B", CLEAN, 34),
        ("BBB-----------BBB", BLOCKED, 45),
    ],
)
def test_the_calls_of_a_clean_number_make_a_state_since_the_evidence_turned(calls, state, since):
    test = after(PAST + calls)
    assert (state, since) == (test.state, test.since)


@pytest.mark.parametrize(
    ("calls", "state", "since"),
    [
        ("s", SUSPECT, 1),
        ("ssssssssssss", SUSPECT, 1),
        ("-s", SUSPECT, 2),
        ("-s-s-s-s", SUSPECT, 2),
        ("s-----------", SUSPECT, 1),
        ("s------------", CLEAN, 2),
        ("sd", UNKNOWN, None),
        ("ssd", SUSPECT, 1),
        ("ssdd", UNKNOWN, None),
        (PAST + "s", SUSPECT, 31),
        (PAST + "sd", CLEAN, 1),
        (PAST + "s-----------", SUSPECT, 31),
        (PAST + "s------------", CLEAN, 32),
        (PAST + "s------B------------", CLEAN, 39),
        (PAST + "sBB", SUSPECT, 31),
        (PAST + "BBs", SUSPECT, 31),
        (PAST + "sBBB", BLOCKED, 32),
        (PAST + "sBBB--------", RECOVERING, 35),
        (PAST + "BBBs", BLOCKED, 31),
        (PAST + "BBBssss--------", RECOVERING, 38),
        (PAST + "BBB--------s", SUSPECT, 42),
        (PAST + "BBB--------s------------", CLEAN, 43),
        (PAST + "BBB--------sd", RECOVERING, 34),
    ],
)
def test_suspected_calls_make_suspect_and_are_forgotten(calls, state, since):
    test = after(calls)
    assert (state, since) == (test.state, test.since)


def test_an_unsteady_number_is_suspect_and_found_all_the_same_when_it_is_blocked():
    unsteady = after("B---------" * 30)
    assert SUSPECT is unsteady.state
    add(unsteady, "BBBBBBBBB", first=301)
    assert (BLOCKED, 301) == (unsteady.state, unsteady.since)


def test_a_rise_begins_with_the_block_that_began_first_though_another_ended_before_it():
    test = after(PAST)
    for at in (42, 41, 43):
        test.add(at, blocked=True)
    assert (BLOCKED, 41) == (test.state, test.since)


def test_a_long_block_is_forgotten_as_soon_as_a_short_one():
    test = after("B" * 20_000)
    assert BLOCKED is test.state
    assert (CLEAN, 20_001) == ((add(test, "-" * 11, first=20_001)).state, test.since)


@given(calls_of_all_kinds, calls_of_all_kinds)
def test_a_test_that_was_stored_goes_on_as_if_it_had_not_been(before, later):
    kept, read = after(before), stored(after(before))
    for at, call in enumerate(later, 1_000):
        add(kept, call, first=at)
        add(read, call, first=at)
        assert kept.dump() == read.dump()
        assert (kept.state, kept.since) == (read.state, read.since)


@given(st.text("B-", max_size=80))
def test_one_stray_block_in_thirty_calls_leaves_a_clean_number_clean_since_it_was(history):
    test = after(history + "-" * 30)
    assume(test.state is CLEAN)
    since = test.since
    for at, call in enumerate("B" + "-" * 30, 1_000):
        add(test, call, first=at)
        assert (CLEAN, since) == (test.state, test.since)


@given(calls_of_all_kinds)
def test_since_moves_only_with_the_state_and_is_a_call_that_was_made(calls):
    test, state, since = SequentialTest(), UNKNOWN, None
    for at, call in enumerate(calls, 1):
        add(test, call, first=at)
        if test.state is state:
            assert since == test.since
        state, since = test.state, test.since
        assert (since is None) == (state is UNKNOWN)
        assert since is None or 1 <= since <= at


@given(st.text("-sd", max_size=80))
def test_suspicion_alone_never_makes_blocked_or_recovering(calls):
    assert after(calls).state in {UNKNOWN, CLEAN, SUSPECT}


@given(st.text("B-", max_size=80))
def test_blocked_takes_two_blocks_of_a_new_number_and_three_of_a_clean_one(calls):
    test, clean, blocks = SequentialTest(), False, 0
    for at, call in enumerate(calls, 1):
        was = test.state
        add(test, call, first=at)
        clean, blocks = clean or test.state is CLEAN, blocks + (call == "B")
        if test.state is BLOCKED and was is not BLOCKED:
            assert blocks >= (3 if clean else 2)
            assert "B" == calls[test.since - 1] == call
            clean, blocks = False, 0
        if test.state is CLEAN and call == "-":
            blocks = 0 if set(calls[max(0, at - 8) : at]) == {"-"} else blocks


@given(st.text("B-", max_size=60), st.sampled_from(["B", "-"]))
def test_any_number_is_found_and_cleared_in_the_end(history, call):
    test = after(history + call * 150)
    assert (BLOCKED if call == "B" else CLEAN) is test.state


def test_stray_blocks_make_fewer_than_one_blocked_number_in_10_000_calls():
    assert blocked_entries(SequentialTest, 0.01, 200_000) < 1


@pytest.mark.parametrize("length", [10, 20, 30])
def test_stray_blocks_make_fewer_than_one_blocked_number_in_10_000_calls_of_new_numbers(length):
    assert blocked_entries(SequentialTest, 0.01, 100_000, length=length) < 1


@pytest.mark.parametrize(("share", "most"), [(0.5, 5), (0.9, 3)])
@pytest.mark.parametrize("past", [0, 15, 40, 150])
def test_a_blocked_number_is_found_in_few_calls_in_the_median(share, most, past):
    assert most >= median_until_blocked(SequentialTest, share, past, 1)


@pytest.mark.parametrize("calls", [8, 12, 20, 50, 200])
def test_three_blocks_in_five_calls_are_enough_after_any_clean_past(calls):
    clean = after("-" * calls)
    assert CLEAN is clean.state
    assert 0.5 <= chance_of_blocked(lambda: stored(clean), 0.5, 0, 5)


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("calls", [0, 10, 50])
def test_a_number_is_clean_soon_after_the_block_has_ended(share, calls):
    assert 20 >= median_low(until_clean(SequentialTest, share, calls, 150))


@pytest.mark.parametrize("past", [0, 40])
def test_an_unsteady_number_does_not_flap(past):
    changed = changes(SequentialTest, 0.1, 60, past)
    assert 10 >= fmean(changed)
    assert 12 >= percentile(changed, 0.95)


def test_a_clean_number_keeps_its_state():
    assert 1 >= fmean(changes(SequentialTest, 0.01, 60, past=40))
