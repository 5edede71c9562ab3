from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from databases import NOT_THERE, THERE_ALREADY
from sqlalchemy import update

from probe.call import CallRecord, Direction, Ending, Media
from probe.errors import StoreError
from probe.expectation import Expectation
from probe.judged import judge_call
from probe.store import open_store
from probe.store.schema import opinion


def place(store, record: CallRecord) -> CallRecord:
    assert store.begin(record.request, record.started_at)
    store.finish(judge_call(record))
    return record


def test_a_finished_call_comes_back_equal(store, make_request, make_record, make_message):
    asked = make_request(
        consent="our own SIM",
        network="verizon",
        label="Support",
        campaign="support",
        expect=Expectation(any_of=frozenset({"answered"}), none_of=frozenset({"user_busy"}), max_final_ms=4000),
    )
    every_byte = bytes(range(256))
    messages = (
        make_message(b"INVITE sip:x SIP/2.0\r\n\r\n", Direction.SENT, at_ms=0.0),
        make_message(every_byte, at_ms=1234.5678, transport="tls", remote="[2001:db8::1]:5061", cut=True),
    )
    record = make_record(asked, messages=messages, media=Media(codec=None, rtp_sent=3, rtp_received=0), detail="why")
    place(store, record)
    assert record == store.call("call-1")


def test_times_in_other_zones_come_back_as_the_same_moment_in_utc(store, make_request, make_record, now):
    there = now.astimezone(timezone(timedelta(hours=-5)))
    place(store, make_record(make_request(), started_at=there))
    found = store.call("call-1").started_at
    assert (now, timedelta(0)) == (found, found.utcoffset())


def test_a_begun_call_survives_reopening(store, url, make_request, now):
    store.begin(make_request(), now)
    again = open_store(url)
    assert not again.begin(make_request("call-2", plan_key="plan of call-1"), now)
    again.close()


def test_the_same_plan_is_begun_once(store, make_request, now):
    assert store.begin(make_request("call-1", plan_key="p"), now)
    assert not store.begin(make_request("call-2", plan_key="p"), now)


def test_threads_that_begin_the_same_plans_at_once_begin_each_once(store, make_request, now):
    plans = [f"plan {n % 40}" for n in range(160)]
    asked = [make_request(f"call-{n}", plan_key=plan) for n, plan in enumerate(plans)]
    with ThreadPoolExecutor(16) as threads:
        begun = list(threads.map(lambda request: store.begin(request, now), asked))
    assert sorted(set(plans)) == sorted(plan for plan, first in zip(plans, begun, strict=True) if first)


def test_the_same_id_with_another_plan_is_an_error(store, make_request, now):
    store.begin(make_request(plan_key="p"), now)
    with pytest.raises(StoreError, match=THERE_ALREADY):
        store.begin(make_request(plan_key="q"), now)


def test_a_call_of_an_unknown_round_is_an_error(store, make_request, now):
    with pytest.raises(StoreError, match=NOT_THERE):
        store.begin(make_request(round="nowhere"), now)


def test_a_call_that_was_never_begun_cannot_be_finished(store, make_request, make_record):
    with pytest.raises(StoreError, match="call-1 was never begun or has ended before; begin each call once"):
        store.finish(judge_call(make_record(make_request())))


def test_a_call_ends_once(store, make_request, make_record):
    record = place(store, make_record(make_request()))
    with pytest.raises(StoreError, match="has ended before"):
        store.finish(judge_call(replace(record, ending=Ending.STOPPED)))
    assert record == store.call("call-1")


def test_a_finish_that_fails_writes_nothing(store, make_request, make_record, make_event):
    record = make_record(make_request())
    store.begin(record.request, record.started_at)
    twice = (make_event("msg-1"), make_event("msg-1"))
    with pytest.raises(StoreError, match=THERE_ALREADY):
        store.finish(judge_call(record), lambda *_: twice, "https://hooks.example.com")
    assert [] == list(store.calls())
    assert () == store.outbox.deliveries()
    assert ((), ()) == (store.standings(), store.tallies())
    store.finish(judge_call(record))
    assert record == store.call("call-1")


def test_a_call_in_progress_is_not_history(store, make_request, now):
    store.begin(make_request(), now)
    assert [] == list(store.calls())
    with pytest.raises(StoreError, match="the call call-1 has not ended yet; ask again when it has"):
        store.call("call-1")


def test_a_refused_call_is_begun_and_finished_at_once(store, make_request, make_record, now):
    record = make_record(make_request(), ending=Ending.GUARDED, messages=(), detail="no consent", ended_at=now)
    assert store.refuse(judge_call(record))
    assert record == store.call("call-1")


def test_a_refused_plan_is_not_written_twice(store, make_request, make_record):
    place(store, make_record(make_request("call-1", plan_key="p")))
    assert not store.refuse(judge_call(make_record(make_request("call-2", plan_key="p"), ending=Ending.GUARDED)))
    assert ["call-1"] == [record.request.id for record in store.calls()]


def test_detail_that_no_database_takes_is_escaped(store, make_request, make_record):
    place(store, make_record(make_request(), ending=Ending.AGENT_FAILED, messages=(), detail="bad \udc80 \0 text"))
    assert "bad \\udc80 \\x00 text" == store.call("call-1").detail


def test_a_call_is_found_by_the_beginning_of_its_id(store, make_request, make_record):
    record = place(store, make_record(make_request("0197f1c2-a")))
    place(store, make_record(make_request("0197f1c3-b")))
    assert record == store.call("0197f1c2")


@pytest.mark.parametrize(
    ("prefix", "sentence"),
    [
        ("a", "more than one call has an id that begins with 'a'; give more of the id"),
        ("z", "no call has an id that begins with 'z'; list them to see the ids"),
        ("%", "no call has an id that begins with '%'; list them to see the ids"),
    ],
)
def test_a_beginning_that_names_no_single_call_is_an_error(store, make_request, make_record, prefix, sentence):
    place(store, make_record(make_request("a1")))
    place(store, make_record(make_request("a2")))
    with pytest.raises(StoreError) as caught:
        store.call(prefix)
    assert sentence == str(caught.value)


def test_what_is_no_text_names_no_call(store):
    """As an argument comes that is not in the encoding of its user."""
    with pytest.raises(StoreError, match=r"'\\udcff' is no text that a store can hold or look for; write it in UTF-8"):
        store.call("\udcff")


def test_an_id_that_begins_another_is_found(store, make_request, make_record):
    place(store, make_record(make_request("a1")))
    place(store, make_record(make_request("a12")))
    assert "a1" == store.call("a1").request.id


def ids(calls) -> list[str]:
    return [record.request.id for record in calls]


@pytest.fixture
def history(store, make_request, make_record, now):
    store.begin_round("round-1", "health", now, 3)
    asked = (
        make_request("1", caller="+12025550101", scenario="health", round="round-1"),
        make_request("2", caller="+12025550102", scenario="health", round="round-1"),
        make_request("3", callee="+12025550192", scenario="demo"),
    )
    for minute, (request, status) in enumerate(zip(asked, (486, 404, 486), strict=True)):
        place(store, make_record(request, status, started_at=now + timedelta(minutes=minute)))
    place(store, make_record(make_request("4"), ending=Ending.NO_RESPONSE, messages=(), started_at=now))
    return store


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["3", "2", "4", "1"]),
        ({"newest_first": False}, ["1", "4", "2", "3"]),
        ({"limit": 2}, ["3", "2"]),
        ({"limit": 0}, []),
        ({"caller": "+12025550102"}, ["2"]),
        ({"callee": "+12025550192"}, ["3"]),
        ({"scenario": "health"}, ["2", "1"]),
        ({"round": "round-1", "newest_first": False}, ["1", "2"]),
        ({"ending": "no_response"}, ["4"]),
        ({"disposition": "user_busy"}, ["3", "1"]),
        ({"disposition": "user_busy", "limit": 1}, ["3"]),
        ({"disposition": "answered"}, []),
    ],
)
def test_history_is_asked_by(history, asked, found):
    assert found == ids(history.calls(**asked))


def test_history_is_asked_by_its_beginning(history, now):
    assert ["3", "2"] == ids(history.calls(since=now + timedelta(minutes=1)))


def test_history_can_be_read_without_messages(history):
    assert {()} == {record.messages for record in history.calls(messages=False)}


def test_history_longer_than_a_page_comes_whole_and_in_order(store, make_request, make_record, now, monkeypatch):
    monkeypatch.setattr("probe.store.store.PAGE", 3)
    starts = [now + timedelta(seconds=n // 2) for n in range(10)]  # pairs that start together, across pages
    for n, started_at in enumerate(starts):
        place(store, make_record(make_request(f"{n}"), started_at=started_at))
    assert [f"{n}" for n in reversed(range(10))] == ids(store.calls())
    assert [f"{n}" for n in range(10)] == ids(store.calls(newest_first=False))
    assert [f"{n}" for n in range(7)] == ids(store.calls(newest_first=False, limit=7))


def test_a_store_can_be_written_while_history_is_read(history, make_request, make_record):
    reading = history.calls()
    next(reading)
    place(history, make_record(make_request("5")))
    assert ["2", "4", "1"] == ids(reading)


def test_a_question_by_disposition_gets_the_answer_of_todays_ruleset(history, monkeypatch):
    """A new ruleset is played by one that wrote other dispositions under an older name."""
    with history._database.writing() as connection:
        connection.execute(update(opinion).values(ruleset="older", disposition="answered"))
    monkeypatch.setattr("probe.store.judging._RANGE", 3)
    assert [] == ids(history.calls(disposition="answered"))
    assert ["3", "1"] == ids(history.calls(disposition="user_busy"))


def test_calls_that_must_be_over_are_marked_lost(store, make_request, now):
    old, young = make_request("old", ring_limit_ms=25_000, hold_ms=6_000), make_request("young", ring_limit_ms=26_000)
    store.begin(old, now)
    store.begin(young, now)
    later = now + timedelta(seconds=25 + 6 + 60, milliseconds=1)
    lost = CallRecord(request=old, started_at=now, ended_at=later, ending=Ending.LOST)
    assert (lost,) == store.mark_lost(later)
    assert [lost] == list(store.calls())
    assert () == store.mark_lost(later)


def test_facts_that_come_late_replace_the_guess_that_a_call_was_lost(store, make_request, make_record, now):
    record = make_record(make_request())
    store.begin(record.request, record.started_at)
    store.mark_lost(now + timedelta(hours=1))
    store.finish(judge_call(record))
    assert [record] == list(store.calls(disposition="user_busy"))


def test_a_round_that_was_never_begun_cannot_be_finished(store, now):
    with pytest.raises(StoreError, match="the round nowhere was never begun; begin it before its first call"):
        store.finish_round("nowhere", now, {})


def test_a_finished_round_tells_each_endpoint(store, make_event, now):
    store.begin_round("round-1", "health", now, 2)
    event = make_event()
    store.finish_round("round-1", now, {"placed": 2}, [(event, "https://a.example"), (event, "https://b.example")])
    assert [event] == [one.event for one in store.outbox.pending("https://a.example", now)]
    assert [event] == [one.event for one in store.outbox.pending("https://b.example", now)]
