from datetime import timedelta

from jsonschema import Draft202012Validator
from placed import BLOCKED, START, SUSPECTED, answered, refused, standings_of, unplaced

from probe.announce import call_blocked, is_blocked, round_completed, standing_changed
from probe.call import Ending
from probe.documents import call_document, document_schemas, timestamp
from probe.expectation import Expectation
from probe.health import Change

NOW = START + timedelta(minutes=5)
ANSWERED = Expectation(any_of=frozenset({"answered"}))


def body(event):
    return {"type": event.type, "timestamp": timestamp(event.timestamp), "data": event.data}


def is_valid(event):
    Draft202012Validator(document_schemas()[event.type]).validate(body(event))


def a_round():
    """Seven calls of eight: through, blocked twice, unlike expected, without expectation, silent, guarded."""
    later = [START + timedelta(seconds=20 * n) for n in range(7)]
    return [
        answered(at=later[0], expect=ANSWERED),
        refused(*BLOCKED, at=later[1], caller="+12025550102", expect=ANSWERED),
        refused(*BLOCKED, at=later[2], caller="+12025550102", network="t-mobile"),
        refused("486 Busy Here", at=later[3], expect=ANSWERED),
        answered(at=later[4]),
        unplaced(Ending.NO_RESPONSE, "silent", at=later[5], expect=ANSWERED),
        unplaced(Ending.GUARDED, "on no list", at=later[6], caller="+12025550103"),
    ]


def completed(calls):
    return round_completed(
        calls,
        standings_of(calls),
        round_id="r1",
        scenario="daily",
        planned=8,
        started_at=START,
        ended_at=NOW,
        event_id="evt_1",
    )


def test_a_notice_is_a_block():
    assert is_blocked(refused(*BLOCKED))


def test_a_damaged_notice_is_a_block():
    assert is_blocked(refused(*SUSPECTED))


def test_a_refusal_by_the_provider_is_a_block():
    assert is_blocked(refused("603 Decline", "X-Twilio-Error: 32203 Call blocked"))


def test_a_607_is_a_block():
    assert is_blocked(refused("607 Unwanted"))


def test_a_person_who_declines_is_no_block():
    assert not is_blocked(refused("603 Decline", rang_ms=300, ms=4_000))


def test_a_call_that_was_not_placed_is_no_block():
    assert not is_blocked(unplaced(Ending.GUARDED, "on no list"))


def test_the_blocked_event_is_the_call():
    call = refused(*BLOCKED)
    event = call_blocked(call, event_id="evt_1", now=NOW)
    assert ("evt_1", "call.blocked", NOW) == (event.id, event.type, event.timestamp)
    assert call_document(call).plain() == event.data
    is_valid(event)


def test_the_counts_of_a_round_leave_nothing_out():
    counts = completed(a_round()).data["counts"]
    assert {
        "planned": 8,
        "placed": 6,
        "guarded": 1,
        "inconclusive": 1,
        "as_expected": 1,
        "not_as_expected": 2,
        "by_disposition": {"answered": 2, "analytics_blocked": 2, "user_busy": 1, "inconclusive": 1},
    } == counts


def test_a_round_tells_the_standing_of_each_caller_it_called():
    event = completed(a_round())
    standings = [(one["caller"], one["network"], one["standing"]) for one in event.data["standing"]]
    assert [
        ("+12025550101", "verizon", "unknown"),
        ("+12025550101", None, "unknown"),
        ("+12025550102", "t-mobile", "suspect"),
        ("+12025550102", "verizon", "suspect"),
        ("+12025550102", None, "blocked"),  # one call on each network, two as a whole
    ] == standings
    assert {
        "id": "r1",
        "scenario": "daily",
        "started_at": "2026-11-22T10:00:00.123Z",
        "ended_at": "2026-11-22T10:05:00.123Z",
    } == event.data["round"]
    is_valid(event)


def test_an_empty_round_is_valid():
    is_valid(completed([]))


def a_change(*calls, **fields):
    """A caller ID whose calls were all blocked, from no call at all."""
    after = standings_of(calls)[0]
    return Change(**{"before": None, "after": after, "calls": after.calls} | fields)


def test_a_change_is_told_with_the_standings_and_the_whole_calls_the_oldest_first():
    calls = [refused(*BLOCKED, at=START + timedelta(minutes=n), id=f"call-{n}") for n in range(3)]
    event = standing_changed(a_change(*calls), calls[::-1], event_id="evt_1", now=NOW)
    assert ("evt_1", "number.standing_changed", NOW, "+12025550101") == (
        event.id,
        event.type,
        event.timestamp,
        event.subject,
    )
    assert ["before", "after", "calls", "reminder"] == list(event.data)
    assert (None, "blocked", False) == (event.data["before"], event.data["after"]["standing"], event.data["reminder"])
    assert [call_document(call).plain() for call in calls] == event.data["calls"]
    is_valid(event)


def test_a_change_tells_no_call_that_is_not_behind_it():
    calls = [refused(*BLOCKED, at=START + timedelta(minutes=n), id=f"call-{n}") for n in range(3)]
    event = standing_changed(a_change(*calls, calls=("call-1",)), calls, event_id="evt_1", now=NOW)
    assert ["call-1"] == [call["id"] for call in event.data["calls"]]


def test_a_call_that_a_control_call_settled_is_told_with_it():
    call = refused("603 Decline", id="suspect-1")
    control = answered(id="control-1", caller="+12025550100", control_of="suspect-1", at=START + timedelta(minutes=1))
    event = standing_changed(a_change(call, calls=("suspect-1",)), [control, call], event_id="evt_1", now=NOW)
    assert [("suspect-1", None, "control-1"), ("control-1", "suspect-1", None)] == [
        (told["id"], told["control_of"], told["control"]) for told in event.data["calls"]
    ]
    is_valid(event)


def test_a_reminder_tells_the_same_standing_twice():
    calls = [refused(*BLOCKED, at=START + timedelta(minutes=n), id=f"call-{n}") for n in range(3)]
    standing = standings_of(calls)[0]
    event = standing_changed(a_change(*calls, before=standing, reminder=True), calls, event_id="evt_1", now=NOW)
    assert event.data["reminder"]
    assert event.data["before"] == event.data["after"]
    is_valid(event)
