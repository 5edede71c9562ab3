"""Which calls a scenario plans, in which order, and which may run at once."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise, product

import pytest
from attempted import attempt

from probe.call import CallRequest
from probe.expectation import Expectation
from probe.scenario.history import NOTHING, history_of
from probe.scenario.plan import due, matrix, may_start, plan_key, planned_minute
from probe.scenario.round import OpenRound
from probe.scenario.scenario import Caller, Destination, Hours, Limits, Rate, Scenario, Schedule
from probe.trunk import Trunk

ANSWERED = Expectation(any_of=frozenset({"answered"}))
BLOCKED = Expectation(any_of=frozenset({"analytics_blocked"}))
BLOCKED_BY_PROVIDER = Expectation(any_of=frozenset({"provider_blocked"}))


def scenario(callers, destinations):
    return Scenario(
        name="x",
        path="scenarios/x.yaml",
        trunk=Trunk(name="carrier-a", host="192.0.2.1"),
        callers=tuple(Caller(number=f"+120255501{n:02}") for n in range(callers)),
        destinations=tuple(Destination(number=f"+120255502{n:02}", consent="ours") for n in range(destinations)),
    )


def planned(asked):
    numbers = count(1)
    return matrix(asked, "round-7", lambda: str(next(numbers)))


SIZES = list(product((1, 2, 3, 4, 6, 7, 12), repeat=2))


@pytest.mark.parametrize(("callers", "destinations"), SIZES)
def test_every_caller_rings_every_destination_once(callers, destinations):
    asked = scenario(callers, destinations)
    pairs = [(call.caller, call.callee) for call in planned(asked)]
    every = {(caller.number, callee.number) for caller in asked.callers for callee in asked.destinations}
    assert every == set(pairs)
    assert len(every) == len(pairs)


@pytest.mark.parametrize(("callers", "destinations"), [size for size in SIZES if min(size) > 2])
def test_no_number_stands_in_two_calls_in_a_row(callers, destinations):
    for earlier, later in pairwise(planned(scenario(callers, destinations))):
        assert earlier.caller != later.caller
        assert earlier.callee != later.callee


def test_a_planned_call_carries_all_that_the_scenario_says():
    asked = replace(
        scenario(1, 1),
        callers=(
            Caller(
                number="+12025550101", label="Support", campaign="support", lead_source="web form", tags=("east", "day")
            ),
        ),
        destinations=(
            Destination(number="+12025550191", consent="our SIM", network="verizon", timezone="UTC", expect=ANSWERED),
        ),
        ring_limit_ms=30_000,
        hold_ms=1_000,
    )
    expected = CallRequest(
        id="1",
        plan_key="x|+12025550101|+12025550191|round-7|0",
        trunk="carrier-a",
        caller="+12025550101",
        callee="+12025550191",
        consent="our SIM",
        scenario="x",
        round="round-7",
        network="verizon",
        label="Support",
        campaign="support",
        lead_source="web form",
        tags=("east", "day"),
        timezone="UTC",
        ring_limit_ms=30_000,
        hold_ms=1_000,
        expect=ANSWERED,
    )
    assert (expected,) == planned(asked)


def test_what_is_expected_of_one_caller_wins():
    destination = Destination(
        number="+12025550191", consent="ours", expect=ANSWERED, expect_from={"+12025550101": BLOCKED}
    )
    asked = replace(scenario(3, 1), destinations=(destination,))
    expected = [ANSWERED, BLOCKED, ANSWERED]
    assert expected == [call.expect for call in planned(asked)]


def test_ids_and_plan_keys_are_each_unique():
    calls = planned(scenario(6, 4))
    assert len({call.id for call in calls}) == len(calls)
    assert len({call.plan_key for call in calls}) == len(calls)


def test_the_plan_key_names_scenario_caller_callee_time_and_retest():
    expected = "x|+12025550101|+12025550191|2026-11-22T10:00Z|2"
    assert expected == plan_key("x", "+12025550101", "+12025550191", "2026-11-22T10:00Z", 2)


def test_a_destination_is_rung_by_one_call_at_a_time():
    first, second = planned(scenario(2, 1))
    assert not may_start(second, [first])
    assert may_start(second, [])


def test_two_destinations_may_ring_at_once():
    first, second = planned(scenario(1, 2))
    assert may_start(second, [first])


# Which calls of an open round are due.

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
ROUND = OpenRound(id="round-7", scenario="x", starts_at=START, ends_at=START + timedelta(hours=2))
LOOPBACK = Trunk(name="carrier-a", host="127.0.0.1")


def free(callers, destinations, **changes):
    """A scenario whose limits are lifted, so that only the plan decides."""
    return replace(scenario(callers, destinations), trunk=LOOPBACK, limits=None, **changes)


def bounded(callers, destinations, **limits):
    rates = {"per_caller": (), "per_destination": (), "hours": Hours(opens=0, closes=1440)}
    return replace(scenario(callers, destinations), limits=Limits(**rates | limits))


class Past:
    """A store in little: it admits what is due, ends each call, and keeps what was refused."""

    def __init__(self, asked, **end):
        self.asked, self.end = asked, end
        self.attempts, self.refused, self.finished = [], {}, []
        self._ids = count(1)

    def tick(self, now, round_=ROUND, **more):
        past = history_of(self.attempts, now=now, refused=self.refused)
        found = due(self.asked, past, [round_], now, new_id=lambda: f"call-{next(self._ids)}", **more)
        self.refused |= {refusal.request.plan_key: refusal for refusal in found.not_placed}
        self.attempts += [self._placed(call, now) for call in found.requests]
        self.finished += found.finished
        return found

    def _placed(self, call, now):
        facts = {"trunk": call.trunk, "plan_key": call.plan_key, "scenario": call.scenario, "round": call.round}
        facts |= {"call_id": call.id, "control_of": call.control_of, "ended_at": now + timedelta(seconds=1)}
        ends = self.end.get(call.caller.removeprefix("+120255501"), {})
        return attempt(now, call.caller, call.callee, **facts | ends)

    def run(self, step_s, round_=ROUND, **more):
        now = round_.starts_at
        while not self.finished:
            assert now <= round_.ends_at + timedelta(minutes=5)
            self.tick(now, round_, **more)
            now += timedelta(seconds=step_s)
        return now

    @property
    def pairs(self):
        return [(one.caller, one.callee) for one in self.attempts]


@pytest.mark.parametrize(("callers", "destinations"), [(1, 1), (1, 5), (4, 1), (3, 4), (6, 5)])
def test_a_round_places_every_pair_once_and_is_over_before_the_next_one(callers, destinations):
    past = Past(free(callers, destinations))
    assert past.run(step_s=7) <= ROUND.ends_at
    assert callers * destinations == len(past.pairs) == len(set(past.pairs))
    assert {} == past.refused
    assert ["round-7"] == past.finished


def test_the_calls_of_a_round_are_spread_over_it():
    past = Past(free(3, 4))
    past.run(step_s=1)
    gaps = [later.at - earlier.at for earlier, later in pairwise(past.attempts)]
    assert timedelta(minutes=7) < min(gaps)
    assert timedelta(minutes=9) > max(gaps)


def test_no_number_stands_in_two_calls_in_a_row_of_a_round():
    past = Past(free(4, 5))
    past.run(step_s=5)
    for earlier, later in pairwise(past.attempts):
        assert earlier.caller != later.caller
        assert earlier.callee != later.callee


def test_jitter_moves_each_call_and_another_round_moves_it_otherwise():
    def times(name, jitter_s):
        round_ = replace(ROUND, id=name)
        past = Past(free(3, 4, schedule=Schedule(every_s=7200, jitter_s=jitter_s)))
        past.run(1, round_)
        return [(one.at - START).total_seconds() for one in past.attempts]

    exact, one, other = times("a", 0), times("a", 240), times("b", 240)
    assert one != exact
    assert one != other
    assert all(0 <= late - early <= 241 for early, late in zip(exact, one, strict=True))


def test_a_restart_plans_the_same_calls_at_the_same_times():
    whole, broken = Past(free(4, 3)), Past(free(4, 3))
    whole.run(step_s=5)
    now = START
    while not broken.finished:
        again = Past(free(4, 3))  # nothing but the store goes on
        again.attempts, again.refused = broken.attempts, broken.refused
        again.tick(now)
        broken.finished = again.finished
        now += timedelta(seconds=5)
    assert whole.pairs == broken.pairs
    assert [one.at for one in whole.attempts] == [one.at for one in broken.attempts]


def test_two_daemons_plan_the_same_keys():
    first, second = Past(free(2, 2)), Past(free(2, 2))
    assert [call.plan_key for call in first.tick(START).requests] == [
        call.plan_key for call in second.tick(START).requests
    ]
    key = first.attempts[0].plan_key
    assert "|2026-11-20T15:00Z|0" in key


def test_after_an_outage_in_a_round_the_rest_comes_in_no_burst():
    past = Past(free(6, 5))
    past.tick(START)
    late = START + timedelta(hours=1)
    assert 1 == len(past.tick(late).requests)
    assert () == past.tick(late + timedelta(seconds=1)).requests
    past.attempts, missed = past.attempts[:], len(past.attempts)
    for second in range(600):
        past.tick(late + timedelta(seconds=second))
    assert len(past.attempts) - missed <= 600 / (2 * 60 * 60 * 0.8 / 30 / 2) + 1


@pytest.mark.parametrize("hours", [-1, 24])
def test_a_clock_that_jumps_makes_no_burst_and_no_second_call(hours):
    past = Past(free(4, 4))
    for minute in range(30):
        past.tick(START + timedelta(minutes=minute))
    before = len(past.attempts)
    for second in range(60):
        past.tick(START + timedelta(minutes=30, hours=hours, seconds=second))
    assert before == len(past.attempts)
    assert len(past.pairs) == len(set(past.pairs))


def test_at_its_end_a_round_says_of_each_call_that_is_left_that_it_was_not_placed():
    past = Past(free(2, 3))
    past.tick(START)
    found = past.tick(ROUND.ends_at)
    assert () == found.requests
    assert {"round_over"} == {refusal.rule for refusal in found.not_placed}
    assert 6 - len(past.attempts) == len(found.not_placed)
    assert ("round-7",) == found.finished


def test_where_the_limits_leave_room_for_a_part_the_rest_is_named_with_the_limit():
    past = Past(bounded(5, 2, per_destination=(Rate(count=2, window_s=86400),)))
    first = past.tick(START)
    assert {"per_destination"} == {refusal.rule for refusal in first.not_placed}
    assert 6 == len(first.not_placed)
    past.run(step_s=30)
    assert {2} == set(Counter(callee for _, callee in past.pairs).values())


@pytest.mark.parametrize(
    ("limits", "placed", "rule"),
    [
        ({"per_caller": (Rate(count=1, window_s=86400),)}, 5, "per_caller"),
        ({"calls_per_day": 3}, 3, "calls_per_day"),
        ({"hours": Hours(opens=0, closes=60)}, 0, "hours"),
    ],
)
def test_each_limit_is_known_ahead(limits, placed, rule):
    past = Past(bounded(5, 2, **limits))
    assert {rule} == {refusal.rule for refusal in past.tick(START).not_placed}
    past.run(step_s=30)
    assert placed == len(past.attempts)


def test_the_least_certain_come_first_where_room_is_scarce():
    asked = bounded(4, 1, per_destination=(Rate(count=2, window_s=86400),))
    numbers = [caller.number for caller in asked.callers]
    certainty = dict(zip([(number, None) for number in numbers], (0.9, 0.1, 0.8, 0.2), strict=True))
    past = Past(asked)
    past.run(step_s=30, certainty=certainty)
    assert {numbers[1], numbers[3]} == {caller for caller, _ in past.pairs}


def test_a_bucket_that_is_full_for_a_while_delays_a_call_and_loses_none():
    past = Past(bounded(3, 1, per_destination=(Rate(count=1, window_s=1800),)))
    past.run(step_s=10)
    assert 3 == len(past.attempts)
    gaps = [later.at - earlier.at for earlier, later in pairwise(past.attempts)]
    assert timedelta(minutes=30) <= min(gaps)


def test_a_pause_and_the_stop_file_are_waited_for_and_named_at_the_end():
    past = Past(free(1, 1))
    assert () == past.tick(START, stopped=True).requests
    assert () == past.tick(START + timedelta(minutes=1), stopped=True).not_placed
    assert 1 == len(past.tick(START + timedelta(minutes=2)).requests)
    other = Past(free(1, 1))
    assert ["stop_file"] == [refusal.rule for refusal in other.tick(ROUND.ends_at, stopped=True).not_placed]


def test_a_destination_of_the_file_that_is_barred_is_refused_once():
    asked = replace(free(1, 0), destinations=(Destination(number="911", consent="no"),))
    past = Past(asked)
    past.run(step_s=10)
    assert ["emergency"] == [refusal.rule for refusal in past.refused.values()]
    assert [] == past.attempts


UNENDED = {f"{n:02}": {"ended_at": None, "ending": None} for n in range(3)}


def test_a_destination_that_is_being_rung_is_left_alone():
    past = Past(free(3, 1), **UNENDED)
    past.tick(START)
    busy = past.tick(START + timedelta(seconds=90))
    assert () == busy.requests
    assert 1 == len(past.attempts)
    for minutes in range(2, 120):
        past.tick(START + timedelta(minutes=minutes))
    assert 3 == len(past.attempts)


def test_a_round_is_not_over_before_what_its_dead_process_left_is_recorded_as_lost():
    past = Past(free(1, 1), **UNENDED)
    past.tick(START)
    late = ROUND.ends_at + timedelta(minutes=5)
    assert late > past.attempts[0].over_by
    waits = past.tick(late)
    assert ((), late + timedelta(seconds=1)) == (waits.finished, waits.next_at)
    past.attempts = [replace(past.attempts[0], ended_at=late, ending="lost")]
    assert (ROUND.id,) == past.tick(late).finished


BLOCKS = {"ending": "refused", "status": 603, "disposition": "provider_blocked"}
BUSY = {"ending": "refused", "status": 486, "disposition": "user_busy"}
DEFINITIVE = BLOCKS | {"disposition": "analytics_blocked", "definitive": True}
LOST = {"ending": "lost", "status": None, "disposition": "inconclusive"}
RETEST = Schedule(every_s=7200, retest_s=120)


@pytest.mark.parametrize(
    ("end", "schedule", "expected"),
    [
        (BLOCKS, RETEST, [1]),
        (BUSY, RETEST, [1]),
        (BLOCKS, Schedule(every_s=7200), []),
        (DEFINITIVE, RETEST, []),
        (LOST, RETEST, []),
        ({}, RETEST, []),
    ],
)
def test_a_number_is_tested_again_once_after_its_first_failure(end, schedule, expected):
    past = Past(free(2, 3, schedule=schedule), **{"01": end})
    past.run(step_s=5)
    again = [one for one in past.attempts if one.plan_key.endswith("|1")]
    assert expected == [1 for _ in again]
    for one in again:
        first = next(other for other in past.attempts if other.caller == one.caller)
        assert (first.caller, first.callee) == (one.caller, one.callee)
        assert timedelta(seconds=121) <= one.at - first.at <= timedelta(seconds=130)


def test_an_end_that_was_expected_is_no_failure():
    asked = free(1, 2, schedule=RETEST)
    expecting = tuple(replace(one, expect=BLOCKED_BY_PROVIDER) for one in asked.destinations)
    past = Past(replace(asked, destinations=expecting), **{"00": BLOCKS})
    past.run(step_s=5)
    assert 2 == len(past.attempts)


def test_a_retest_that_the_limits_leave_no_room_for_is_refused_with_the_limit():
    rates = (Rate(count=2, window_s=86400),)
    past = Past(replace(bounded(1, 2, per_caller=rates), schedule=RETEST), **{"00": BLOCKS})
    past.run(step_s=5)
    refused = [(key[-1], refusal.rule) for key, refusal in past.refused.items()]
    assert 2 == len(past.attempts)
    assert [1] == [1 for retest, rule in refused if rule == "per_caller"]
    assert refused[0][0] in {"0", "1"}


def test_the_control_rings_where_another_caller_was_refused_and_both_are_linked():
    control = "+12025550177"
    past = Past(free(2, 2, control=control), **{"01": BLOCKS})
    past.run(step_s=5)
    controls = [one for one in past.attempts if one.caller == control]
    assert {callee.number for callee in past.asked.destinations} == {one.callee for one in controls}
    assert all(one.plan_key.endswith("|2") for one in controls)
    for one in controls:
        refused = next(other for other in past.attempts if other.call_id == one.control_of)
        assert ("refused", one.callee) == (refused.ending, refused.callee)
        assert refused.at < one.at


def test_a_control_that_is_refused_itself_calls_for_no_other():
    control = "+12025550177"
    past = Past(free(1, 1, control=control), **{"00": BLOCKS, "77": BLOCKS})
    past.run(step_s=5)
    assert ["+12025550100", control] == [caller for caller, _ in past.pairs]


def test_a_control_waits_for_the_limits_of_the_destination():
    asked = replace(bounded(1, 1, per_destination=(Rate(count=1, window_s=600),)), control="+12025550177")
    past = Past(asked, **{"00": BLOCKS})
    past.run(step_s=5)
    assert timedelta(minutes=10) <= past.attempts[1].at - past.attempts[0].at


def test_the_plan_says_when_to_ask_again():
    past = Past(free(2, 2))
    found = past.tick(START)
    later = past.tick(START + timedelta(seconds=2))
    assert () == later.requests
    assert START + timedelta(minutes=1) < later.next_at <= ROUND.ends_at
    assert found.next_at is not None
    assert due(past.asked, NOTHING, [], START, new_id=str).next_at is None


def test_many_calls_without_room_are_named_a_thousand_a_tick():
    past = Past(bounded(60, 30, calls_per_day=10))
    assert 1000 == len(past.tick(START).not_placed)
    assert 790 == len(past.tick(START + timedelta(seconds=1)).not_placed)
    assert () == past.tick(START + timedelta(seconds=2)).not_placed


def test_the_planned_minute_names_seconds_only_where_there_are_some():
    assert "2026-11-20T15:00Z" == planned_minute(START)
    assert "2026-11-20T15:00:20Z" == planned_minute(START + timedelta(seconds=20))
