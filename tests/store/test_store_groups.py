"""What comes at once is written in one transaction, and adds up to the same as if it had come one by one."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from booked import CALLEES, CALLER, CONTROL, KINDS, OTHER, a_call, books, rebuilt
from databases import EmptiedFile, opened
from hypothesis import given, settings
from hypothesis import strategies as st
from placed import START
from sqlalchemy import event

from probe.errors import StoreError
from probe.event import STANDING_CHANGED, Event
from probe.scenario.guard import Allowed, Refusal, check, reach
from probe.scenario.history import AlreadyPlanned
from probe.scenario.scenario import Hours, Limits, Rate

HOOK = "https://hooks.example.com/number-health"


ALL_DAY = Hours(opens=0, closes=1440)


def limited(**limits):
    return Allowed(callers=frozenset({CALLER}), consent="our own lines", limits=Limits(hours=ALL_DAY, **limits))


UNLIMITED = replace(limited(), limits=None, trunk_on_loopback=True)


def gate(request, now, allowed):
    return lambda history: check(request, allowed=allowed, history=history, now=now)


def begin(store, judged):
    for one in judged:
        assert store.begin(one.record.request, one.record.started_at)


def finish_together(store, judged):
    return store.finish_all([(one, lambda _changes, _calls: (), None) for one in judged])


def admit_all(store, requests, now, allowed):
    return store.admit_all([(one, now, gate(one, now, allowed), reach(allowed.limits)) for one in requests])


def commits(store, work):
    """How many transactions a piece of work takes."""
    seen = []

    def note(_):
        seen.append(1)

    event.listen(store._database.engine, "commit", note)
    work()
    event.remove(store._database.engine, "commit", note)
    return len(seen)


# Ends.


@st.composite
def fleets(draw):
    """Calls of two caller IDs, some with a control call, and where the groups end that they come in."""
    calls = []
    for number in range(draw(st.integers(2, 24))):
        kind, caller = draw(st.sampled_from(sorted(KINDS))), draw(st.sampled_from([CALLER, OTHER]))
        calls.append(a_call(2 * number, kind, caller=caller, callee=draw(st.sampled_from(CALLEES))))
        if kind in {"ambiguous", "suspected"} and draw(st.booleans()):
            how = draw(st.sampled_from(["answered", "ambiguous"]))
            refused = calls[-1].record.request.id
            calls.append(a_call(2 * number + 1, how, caller=CONTROL, callee=CALLEES[0], control_of=refused))
    cuts = sorted(draw(st.sets(st.integers(1, len(calls)), max_size=4)) | {0, len(calls)})
    return calls, [calls[first:last] for first, last in pairwise(cuts)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return [EmptiedFile(tmp_path_factory.mktemp("groups") / name) for name in ("apart", "together")]


@settings(max_examples=25, deadline=None)
@given(fleet=fleets())
def test_calls_add_up_to_the_same_in_groups_as_one_by_one(files, fleet):
    calls, groups = fleet
    for file in files:
        file.empty()
    apart, together = (opened(file.url) for file in files)
    for store in (apart, together):
        begin(store, calls)
    changes = [outcome for one in calls for outcome in finish_together(apart, [one])]
    assert changes == [outcome for group in groups for outcome in finish_together(together, group)]
    assert books(apart) == books(together) == rebuilt(together)
    for store in (apart, together):
        store.close()


def test_a_standing_that_turns_twice_in_a_group_is_told_twice(store):
    judged = [a_call(number, kind) for number, kind in enumerate(["blocked"] * 4 + ["answered"] * 30)]
    begin(store, judged)
    outcomes = finish_together(store, judged)
    told = [one.after.standing for changes in outcomes for one in changes if one.after.network is None]
    assert ["suspect", "blocked", "recovering", "clean"] == [str(one) for one in told]


def test_a_control_call_settles_a_call_that_ended_in_the_same_group(store):
    refused = a_call(0, "ambiguous")
    control = a_call(1, "answered", caller=CONTROL, control_of=refused.record.request.id)
    begin(store, [refused, control])
    finish_together(store, [control, refused])
    known = {one.caller: one for one in store.standings() if one.network is None}
    assert (1, 1) == (known[CALLER].judged, known[CALLER].blocked)
    assert (1, 0) == (known[CONTROL].judged, known[CONTROL].blocked)


def test_a_call_that_was_never_begun_spoils_no_other(store):
    known, unknown, twice = a_call(0), a_call(1), a_call(2)
    begin(store, [known, twice])
    outcomes = finish_together(store, [known, unknown, twice, twice])
    assert [(), True, (), True] == [isinstance(one, StoreError) or one for one in outcomes]
    assert 2 == store.standings()[-1].judged


def test_a_group_is_one_transaction(store):
    judged = [a_call(number, caller=CALLER if number % 2 else OTHER) for number in range(20)]
    begin(store, judged)
    assert 1 == commits(store, lambda: finish_together(store, judged))


def test_each_call_of_a_group_tells_its_own_events(store):
    judged = [a_call(number, "blocked") for number in range(4)]
    begin(store, judged)

    def teller(one):
        def tell(changes, _calls):
            at, call_id = one.record.ended_at, one.record.request.id
            return [
                Event(id=f"{call_id} {number}", type=STANDING_CHANGED, timestamp=at, data={})
                for number, _ in enumerate(changes)
            ]

        return tell

    outcomes = store.finish_all([(one, teller(one), HOOK) for one in judged])
    told = {one.event.id for one in store.outbox.deliveries()}
    assert told
    assert told == {
        f"{one.record.request.id} {number}"
        for one, changes in zip(judged, outcomes, strict=True)
        for number, _ in enumerate(changes)
    }


# Admissions.


def test_those_of_a_group_count_for_each_other(store, make_request, now):
    allowed = limited(per_caller=(Rate(count=2, window_s=60),))
    requests = [make_request(f"call-{number}", callee=f"+1202555019{number}") for number in range(4)]
    answers = admit_all(store, requests, now, allowed)
    assert [None, None] == answers[:2]
    assert {"per_caller"} == {answer.rule for answer in answers[2:]}


@pytest.mark.parametrize(
    ("limit", "rule"), [({"calls_per_day": 2}, "calls_per_day"), ({"minutes_per_day": 1}, "minutes_per_day")]
)
def test_a_budget_is_shared_by_a_group(store, make_request, now, limit, rule):
    allowed = limited(per_caller=(), per_destination=(), **limit)
    requests = [make_request(f"call-{number}", callee=f"+1202555019{number}", hold_ms=25_000) for number in range(4)]
    answers = admit_all(store, requests, now, allowed)
    assert [None, None] == answers[:2]
    assert {rule} == {answer.rule for answer in answers[2:]}


def test_a_destination_is_rung_by_one_call_of_a_group(store, make_request, now):
    first, second = admit_all(store, [make_request("call-1"), make_request("call-2")], now, limited())
    assert first is None
    assert isinstance(second, Refusal)
    assert "destination_busy" == second.rule


def test_one_plan_is_admitted_once_in_a_group(store, make_request, now):
    requests = [make_request(name, plan_key="one plan") for name in ("call-1", "call-2")]
    assert [None, AlreadyPlanned(plan_key="one plan")] == admit_all(store, requests, now, UNLIMITED)


def test_a_blocker_that_named_itself_is_asked_once_in_a_round_whatever_the_limits(store):
    blocked = a_call(0, "blocked", round="r-1", at=START)
    store.begin_round("r-1", "health", START, 2)
    begin(store, [blocked])
    finish_together(store, [blocked])
    again = a_call(1, round="r-1").record.request
    [answer] = admit_all(store, [again], START + timedelta(minutes=1), UNLIMITED)
    assert isinstance(answer, Refusal)
    assert "pair_refused" == answer.rule


def test_a_group_of_admissions_is_one_transaction(store, make_request, now):
    requests = [make_request(f"call-{number}", callee=f"+120255501{number:02}") for number in range(20)]
    assert 1 == commits(store, lambda: admit_all(store, requests, now, limited(per_caller=())))
