"""Events of standings: told in the transaction of the call that changed them, and exactly as `probe standing` says."""

import random
from datetime import timedelta
from functools import partial
from itertools import count

import pytest
from databases import on_sqlite
from placed import BLOCKED, START, SUSPECTED, answered, refused

from probe import announce
from probe.documents import call_document, standing_document
from probe.store import rows
from probe.store.judging import add_opinions
from probe.store.schema import call
from probe.store.stale import mark_stale

HOOK, OTHER_HOOK = "https://hooks.example.com/a", "https://hooks.example.com/b"
CALLER, CONTROL = "+12025550101", "+12025550100"
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NETWORKS = ("t-mobile", "verizon", "att")


@pytest.fixture
def told():
    """Tells of changes as the road does, and keeps what it told."""
    ids = count()

    def tell(changes, calls):
        make = announce.standing_changed
        made = [make(change, calls, event_id=f"msg-{next(ids)}", now=START) for change in changes]
        tell.data += [one.data for one in made]
        return made

    tell.data = []
    return tell


def call_of(number, kind=answered, *words, **fields):
    """The n-th call, a minute after the one before, with an id of its own."""
    given = {"id": f"call-{number:03}", "plan_key": f"plan-{number}", "at": START + number * MINUTE} | fields
    return kind(*words, **given)


def finish(store, judged, tell, endpoint=HOOK):
    assert store.begin(judged.record.request, judged.record.started_at)
    store.finish(judged, tell, endpoint)
    return judged


def events(store):
    """The data of every event, the oldest first."""
    return [one.event.data for one in reversed(store.outbox.deliveries())]


def states(data):
    return [(one["after"]["network"], (one["before"] or {}).get("standing"), one["after"]["standing"]) for one in data]


def test_a_block_on_one_network_is_told_there_and_as_a_whole(store, told):
    for number in range(3):
        finish(store, call_of(number, refused, *BLOCKED), told)
    assert [
        ("verizon", None, "suspect"),
        (None, None, "suspect"),
        ("verizon", "suspect", "blocked"),
        (None, "suspect", "blocked"),
    ] == states(events(store))


def test_a_change_is_told_with_the_calls_since_the_evidence_turned(store, told):
    finish(store, call_of(0), told)
    blocked = [finish(store, call_of(number, refused, *BLOCKED), told) for number in (1, 2, 3)]
    last = [one for one in events(store) if one["after"]["standing"] == "blocked"]
    expected = [call_document(call).plain() for call in blocked[: len(last[0]["calls"])]]
    assert [expected, expected] == [one["calls"] for one in last]
    assert blocked[0].record.request.id == expected[0]["id"]


def test_a_block_that_the_whole_has_already_is_told_of_its_network_alone(store, told):
    for number in range(3):
        finish(store, call_of(number, refused, *BLOCKED), told)
    before = len(events(store))
    for number in range(3, 6):
        finish(store, call_of(number, refused, *BLOCKED, network="t-mobile"), told)
    assert {"t-mobile"} == {one["after"]["network"] for one in events(store)[before:]}


def test_while_one_network_blocks_the_whole_stays_blocked_whatever_gets_through_elsewhere(store, told):
    for number in range(3):
        finish(store, call_of(number, refused, *BLOCKED), told)
    for number in range(3, 60):
        finish(store, call_of(number, network=NETWORKS[number % 2 * 2]), told)
    whole = [one for one in states(events(store)) if one[0] is None]
    assert (None, "suspect", "blocked") == whole[-1]
    assert "blocked" == store.standings()[-1].standing


def test_a_whole_that_recovers_is_told_with_the_calls_of_the_network_that_did(store, told):
    for number in range(3):
        finish(store, call_of(number, refused, *BLOCKED), told)
    for number in range(3, 43):
        finish(store, call_of(number, network=("verizon", "t-mobile")[number % 2]), told)
    better = [one for one in told.data if one["after"]["network"] is None and state(one["before"]) == "blocked"]
    assert ["recovering"] == [one["after"]["standing"] for one in better]
    assert {"verizon"} == {call["network"] for call in better[0]["calls"]}


def state(standing):
    return standing["standing"] if standing else "unknown"


def said_by(store):
    """What `probe standing` says now, by caller ID and network."""
    return {(one.caller, one.network): standing_document(one).plain() for one in store.standings()}


@pytest.mark.parametrize("seed", range(4))
@on_sqlite
def test_whoever_keeps_what_he_is_told_knows_what_probe_standing_says(store, told, seed):
    """Any calls, over several networks and callers, with blocks that come and go, suspicions and control calls."""
    chance, known = random.Random(seed), {}
    blocked_from = {network: sorted(chance.sample(range(100), 2)) for network in NETWORKS}
    for number in range(100):
        network = chance.choice((*NETWORKS, None))
        start, end = blocked_from.get(network, (0, 0))
        kind, words, fields = answered, (), {"network": network, "caller": chance.choice((CALLER, "+12025550102"))}
        if chance.random() < (0.8 if start <= number < end else 0.02):
            kind, words = refused, chance.choice((BLOCKED, BLOCKED, SUSPECTED, ("603 Decline",)))
        elif number and chance.random() < 0.1:
            fields |= {"caller": CONTROL, "control_of": f"call-{chance.randrange(number):03}"}
        finish(store, call_of(number, kind, *words, **fields), told)
        now = said_by(store)
        for data in told.data:
            key = data["after"]["caller"], data["after"]["network"]
            assert now[key] == data["after"], number
            assert state(known.get(key)) == state(data["before"]), number
            known[key] = data["after"]
        told.data.clear()
        assert {key: state(one) for key, one in now.items()} == {key: state(known.get(key)) for key in now}, number
    assert len(known) > 3


def test_a_control_call_settles_a_refusal_and_both_are_told(store, told):
    for number in range(0, 6, 2):
        finish(store, call_of(number, refused, "603 Decline"), told)
        fields = {"caller": CONTROL, "control_of": f"call-{number:03}"}
        finish(store, call_of(number + 1, **fields), told)
    last = next(one for one in events(store)[::-1] if one["after"]["caller"] == CALLER and one["after"]["network"])
    assert "blocked" == last["after"]["standing"]
    assert [("call-000", "call-001"), ("call-001", None)] == [(one["id"], one["control"]) for one in last["calls"][:2]]


def test_facts_that_come_late_tell_of_no_network_that_did_not_change(store, told):
    for number in range(60):
        finish(store, call_of(number, network=NETWORKS[number % 2]), told)
    assert {"t-mobile", "verizon", None} == {one["after"]["network"] for one in told.data}
    late = call_of(60, network="att")
    store.begin(late.record.request, late.record.started_at)
    store.mark_lost(START + DAY)
    told.data.clear()
    store.finish(late, told, HOOK)
    assert [] == told.data


def test_nothing_is_told_to_nobody(store, told):
    for number in range(3):
        finish(store, call_of(number, refused, *BLOCKED), told, endpoint=None)
    assert [] == events(store)


# What was imported, or added up by others.


def test_what_an_import_changed_is_told_by_who_watches_that_number(store, told):
    for number in range(10):
        finish(store, call_of(number), told)
    judged = [call_of(number, refused, *BLOCKED) for number in range(10, 20)]
    with store._database.writing() as connection:
        mark_stale(connection, [CALLER])
    import_all(store, judged)
    before = len(events(store))
    assert store.catch_up({CALLER}, START + DAY, told, [HOOK])
    assert {("verizon", "blocked"), (None, "blocked")} == {
        (one["after"]["network"], one["after"]["standing"]) for one in events(store)[before:]
    }
    assert not store.catch_up({CALLER}, START + DAY, told, [HOOK])


def import_all(store, judged):
    """Put calls beside the accounts, whose caller is stale."""
    with store._database.writing() as connection:
        for one in judged:
            connection.execute(call.insert().values(rows.request_row(one.record.request) | rows.ending_row(one)))
            add_opinions(connection, [one])


def test_nobody_hears_of_the_numbers_of_others(store, told):
    with store._database.writing() as connection:
        mark_stale(connection, [CALLER])
    assert not store.catch_up({"+12025550102"}, START, told, [HOOK])
    assert [] == events(store)


# Reminders.


@pytest.fixture
def blocked(store, told):
    """A store whose number was told to be blocked on one network, and as a whole."""
    for number in range(3):
        finish(store, call_of(number, refused, *BLOCKED), told)
    store.told_at = max(one.last_call_at for one in store.standings())
    store.remind_all = partial(store.remind, {CALLER}, tell=told, endpoints=[HOOK])
    return store


def reminders(store):
    return [(one["after"]["network"], one["after"]["standing"]) for one in events(store) if one["reminder"]]


def test_a_number_that_stays_blocked_is_told_again_of_each_network_and_as_a_whole(blocked):
    now = blocked.told_at + DAY + MINUTE
    assert blocked.remind_all(before=now - DAY, now=now)
    assert [("verizon", "blocked"), (None, "blocked")] == reminders(blocked)
    assert all(one["before"] == one["after"] for one in events(blocked) if one["reminder"])
    assert all(one["calls"] for one in events(blocked) if one["reminder"])


def test_a_reminder_comes_once_in_its_interval(blocked):
    now = blocked.told_at + DAY + MINUTE
    for later in range(0, 2 * 24 * 60, 30):
        blocked.remind_all(before=now + later * MINUTE - DAY, now=now + later * MINUTE)
    assert 2 * 2 == len(reminders(blocked))


def test_who_was_told_today_is_not_reminded(blocked):
    now = blocked.told_at + DAY - MINUTE
    assert not blocked.remind_all(before=now - DAY, now=now)
    assert [] == reminders(blocked)


def test_only_the_numbers_of_the_scenario_are_told_of(blocked, told):
    now = blocked.told_at + 2 * DAY
    assert not blocked.remind({"+12025550102"}, now - DAY, now, told, [HOOK])
    assert [] == reminders(blocked)


def test_a_number_that_recovered_is_not_told_of_any_more(blocked, told):
    for number in range(3, 43):
        finish(blocked, call_of(number), told)
    now = START + 10 * DAY
    assert not blocked.remind_all(before=now - DAY, now=now)
    assert [] == reminders(blocked)


def test_a_block_that_nobody_was_told_of_is_due(store, told):
    for number in range(3):
        finish(store, call_of(number, refused, *BLOCKED), told, endpoint=None)
    assert store.remind({CALLER}, START - DAY, START + DAY, told, [HOOK, OTHER_HOOK])
    assert not store.remind({CALLER}, START, START + DAY, told, [HOOK])
    assert {(HOOK, None), (HOOK, "verizon"), (OTHER_HOOK, None), (OTHER_HOOK, "verizon")} == {
        (one.endpoint, one.event.data["after"]["network"]) for one in store.outbox.deliveries()
    }


def test_many_that_are_due_are_told_of_a_few_at_a_time(store, told):
    callers = {f"+120255501{number:02}" for number in range(12)}
    for at, caller in enumerate(sorted(callers)):
        for number in range(3):
            judged = call_of(3 * at + number, refused, *BLOCKED, caller=caller)
            finish(store, judged, told, endpoint=None)
    looks = 0
    while store.remind(callers, START, START + DAY, told, [HOOK]):
        looks += 1
    assert 3 == looks
    assert callers == {one["after"]["caller"] for one in events(store)}
    assert 24 == len(events(store))


def test_events_of_one_number_leave_in_their_order(blocked):
    now = blocked.told_at + DAY + MINUTE
    blocked.remind_all(before=now - DAY, now=now)
    taken = []
    while waiting := blocked.outbox.pending(HOOK, now):
        (one,) = waiting
        blocked.outbox.mark_delivered(one, now)
        taken.append(one.event.id)
    assert [one.event.id for one in reversed(blocked.outbox.deliveries())] == taken
    assert 6 == len(taken)
