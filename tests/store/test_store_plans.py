"""The ledger: what is planned is taken once, within the lines and the pace of a trunk, and ends with its call."""

from dataclasses import replace
from datetime import timedelta

import pytest

from probe.call import Ending
from probe.judged import judge_call
from probe.scenario.guard import Refusal
from probe.store import Plans, Served

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


class Ledger:
    """A ledger whose time the test sets; it takes note of who is woken, and asks a guard that the test may replace."""

    def __init__(self, store, now):
        self.store, self.now = store, now
        self.plans = Plans(store._database, lambda _: self.now)
        self.woken = []
        self.refuses = {}

    def plan(self, *requests, until=HOUR):
        return self.plans.plan(requests, self.now + until, self._wake)

    def take(self, **changes):
        asked = {"worker": "one", "site": "east", "trunk": "carrier-a", "scenarios": ("watched",)}
        limits = {"lines": 10, "calls_per_second": 100.0, "reach": None}
        return self.plans.take(Served(**asked | limits | changes), self._gate_of, self._wake)

    def ids(self, **changes):
        return [request.id for request, _ in self.take(**changes).calls]

    def states(self):
        return {name: count for queue in self.plans.queues() for name, count in queue.states.items()}

    def _wake(self, _connection, queues):
        self.woken += queues

    def _gate_of(self, request, _now):
        return lambda _: self.refuses.get(request.id)


@pytest.fixture
def ledger(store, now):
    return Ledger(store, now)


@pytest.fixture
def planned(make_request):
    """A planned call of the site east, by number."""

    def make(number, **changes):
        values = {"site": "east", "scenario": "watched", "callee": f"+121255501{number:02}"}
        return make_request(f"call-{number:02}", **values | changes)

    return make


def test_what_is_planned_is_taken_once_with_its_attempt_on_the_disk(ledger, planned):
    request = planned(1, tags=("a", "b"), timezone="UTC")
    assert 1 == ledger.plan(request)
    assert ((request, 0.0),) == ledger.take().calls
    assert {"placing": 1} == ledger.states()
    assert () == ledger.take(worker="another").calls
    assert not ledger.store.begin(request, ledger.now)


def test_planning_twice_is_harmless_and_wakes_nobody_again(ledger, planned):
    assert [2, 1, 0] == [
        ledger.plan(planned(1), planned(2)),
        ledger.plan(planned(2), planned(3)),
        ledger.plan(planned(1)),
    ]
    assert [("east", "carrier-a")] * 2 == ledger.woken
    assert {"planned": 3} == ledger.states()


def test_the_workers_of_each_site_trunk_and_scenario_take_their_own(ledger, planned):
    ledger.plan(planned(1), planned(2, site="west"), planned(3, trunk="carrier-b"), planned(4, scenario="other"))
    assert ["call-02"] == ledger.ids(site="west")
    assert ["call-03"] == ledger.ids(trunk="carrier-b")
    assert ["call-04"] == ledger.ids(scenarios=("other", "third"))
    assert ["call-01"] == ledger.ids()


def test_lines_hold_across_workers_and_the_last_goes_to_whoever_is_first(ledger, planned):
    ledger.plan(*map(planned, range(9)))
    assert [2, 1, 1, 0] == [len(ledger.ids(worker=str(number), lines=4)) for number in range(4)]


def test_another_worker_is_woken_for_what_is_left(ledger, planned):
    ledger.plan(*map(planned, range(9)))
    ledger.woken.clear()
    assert ledger.take(lines=4).more
    assert [("east", "carrier-a")] == ledger.woken


def test_a_line_is_free_again_when_its_call_has_ended(ledger, planned, make_record):
    ledger.plan(planned(1), planned(2))
    assert ["call-01"] == ledger.ids(lines=1)
    assert [] == ledger.ids(lines=1)
    ledger.store.finish(judge_call(make_record(planned(1))))
    assert ["call-02"] == ledger.ids(lines=1)
    assert {"done": 1, "placing": 1} == ledger.states()


def test_a_line_whose_worker_died_is_free_when_the_call_must_be_over(ledger, planned):
    ledger.plan(planned(1, ring_limit_ms=20_000, hold_ms=5_000), planned(2))
    ledger.ids(lines=1)
    ledger.now += timedelta(seconds=84)
    assert [] == ledger.ids(lines=1)
    ledger.now += timedelta(seconds=2)
    assert ["call-02"] == ledger.ids(lines=1)


def test_a_call_found_placing_is_lost_and_stays_so(ledger, planned):
    ledger.plan(planned(1))
    ledger.take()
    ledger.now += 5 * MINUTE
    assert ["call-01"] == [record.request.id for record in ledger.store.mark_lost(ledger.now)]
    assert {"lost": 1} == ledger.states()
    assert (0, []) == (ledger.plan(planned(1)), ledger.ids())


def test_a_lost_call_that_is_told_of_late_is_done(ledger, planned, make_record):
    ledger.plan(planned(1))
    ledger.take()
    ledger.store.mark_lost(ledger.now + 5 * MINUTE)
    ledger.store.finish(judge_call(make_record(planned(1))))
    assert {"done": 1} == ledger.states()


def test_calls_per_second_hold_across_workers(ledger, planned):
    ledger.plan(*map(planned, range(9)))
    first = ledger.take(calls_per_second=2.0)
    second = ledger.take(worker="another", calls_per_second=2.0)
    assert [0.0, 0.5, 1.0] == [wait_s for _, wait_s in first.calls]
    assert ((), 0.5) == (second.calls, second.again_s)
    ledger.now += timedelta(seconds=0.5)
    assert [1.0] == [wait_s for _, wait_s in ledger.take(calls_per_second=2.0).calls]


def test_a_destination_takes_one_call_at_a_time_from_all_sites(ledger, planned, make_record):
    callee = "+12125550199"
    ledger.plan(planned(1, callee=callee), planned(2, callee=callee), planned(3, callee=callee, site="west"))
    assert ["call-01"] == ledger.ids()
    assert ([], []) == (ledger.ids(), ledger.ids(site="west"))
    ledger.store.finish(judge_call(make_record(planned(1, callee=callee))))
    assert ["call-03"] == ledger.ids(site="west")


def test_what_the_guard_refuses_for_good_is_refused_and_told(ledger, planned):
    request = planned(1)
    ledger.refuses["call-01"] = Refusal(request=request, rule="caller_unlisted", why="It is not ours.")
    ledger.plan(request)
    (told,) = ledger.take().refused
    assert (Ending.GUARDED, "caller_unlisted: It is not ours.") == (told.record.ending, told.record.detail)
    assert {"refused": 1} == ledger.states()
    assert ["caller_unlisted"] == [one.rule for one in ledger.store.refusals(ledger.now)]


def test_what_a_limit_refuses_waits_for_its_room(ledger, planned):
    request = planned(1)
    until = ledger.now + 10 * MINUTE
    ledger.refuses["call-01"] = Refusal(request=request, rule="per_caller", why="Full.", until=until)
    ledger.plan(request)
    taken = ledger.take()
    assert ((), (), 600.0) == (taken.calls, taken.refused, taken.again_s)
    ledger.refuses.clear()
    assert [] == ledger.ids()
    ledger.now = until
    assert ["call-01"] == ledger.ids()


def test_what_a_limit_refuses_until_the_end_of_its_round_is_refused(ledger, planned):
    request = planned(1)
    ledger.refuses["call-01"] = Refusal(request=request, rule="per_caller", why="Full.", until=ledger.now + HOUR)
    ledger.plan(request)
    assert 1 == len(ledger.take().refused)


@pytest.mark.parametrize("rule", ["stop_file", "paused_trunk", "paused_number"])
def test_what_somebody_may_lift_at_any_moment_is_asked_again(ledger, planned, rule):
    request = planned(1)
    ledger.refuses["call-01"] = Refusal(request=request, rule=rule, why="By hand.")
    ledger.plan(request)
    assert 2.0 == ledger.take().again_s
    ledger.refuses.clear()
    ledger.now += timedelta(seconds=2)
    assert ["call-01"] == ledger.ids()


def test_a_call_whose_time_is_over_is_given_up_and_not_taken(ledger, planned):
    ledger.plan(planned(1), until=MINUTE)
    ledger.plan(planned(2))
    ledger.now += MINUTE
    assert ["call-02"] == ledger.ids()
    assert [("call-01", "round_over")] == [(one.request.id, one.rule) for one in ledger.plans.give_up()]
    assert {"refused": 1, "placing": 1} == ledger.states()
    assert () == ledger.plans.give_up()


def test_a_call_that_was_refused_meanwhile_is_not_taken(ledger, planned):
    request = planned(1)
    ledger.plan(request)
    ledger.store.refuse_all([Refusal(request=request, rule="round_over", why="Over.")], ledger.now)
    assert ({"refused": 1}, []) == (ledger.states(), ledger.ids())


def test_a_call_that_was_begun_elsewhere_is_never_taken(ledger, planned, make_record):
    """An attempt without a ledger, of a store that was put back from a backup: the attempt counts."""
    request = planned(1)
    ledger.store.begin(request, ledger.now)
    ledger.plan(replace(request, id="again"))
    assert [] == ledger.ids()
    ledger.store.finish(judge_call(make_record(request)))
    ledger.now += MINUTE
    assert ([], {"done": 1}) == (ledger.ids(), ledger.states())


def test_the_rounds_are_known_that_have_calls_in_hand(ledger, planned, make_record):
    for name in ("a", "b"):
        ledger.store.begin_round(name, name, ledger.now, 1)
    ledger.plan(planned(1, round="a"), planned(2, round="b"))
    assert {"a", "b"} == ledger.plans.under_way(["a", "b"])
    ledger.take()
    ledger.store.finish(judge_call(make_record(planned(1, round="a"))))
    assert {"b"} == ledger.plans.under_way(["a", "b"])


def test_workers_are_known_while_they_are_heard_of_or_have_calls(ledger, planned):
    ledger.plans.greet("one", "east", ["carrier-a"])
    ledger.plans.greet("two", "west", ["carrier-a"])
    ledger.plan(planned(1))
    ledger.take()
    assert [("one", 1), ("two", 0)] == [(one.name, one.calls) for one in ledger.plans.workers()]
    ledger.now += MINUTE
    assert ["one"] == [one.name for one in ledger.plans.workers()]
    ledger.plans.part("one")
    assert () == ledger.plans.workers()


def test_what_ended_days_ago_is_forgotten_and_yet_never_dialled_again(ledger, planned, make_record):
    ledger.plan(planned(1))
    ledger.take()
    ledger.store.finish(judge_call(make_record(planned(1))))
    ledger.now += timedelta(days=3)
    ledger.plans.tidy()
    assert {} == ledger.states()
    ledger.plan(replace(planned(1), id="again"))
    assert [] == ledger.ids()
