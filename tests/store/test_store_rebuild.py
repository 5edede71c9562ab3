"""What calls add up to is made again: after a new schema or ruleset, by many processes, beside others who write."""

import multiprocessing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import old_store
import pytest
from databases import on_sqlite
from placed import BLOCKED, LOCAL, REMOTE, START, answered, refused, request
from sqlalchemy import select, update

from probe.call import CallRecord, Direction, Ending, Message
from probe.errors import StoreError
from probe.health import Dimension
from probe.health.redress import Step
from probe.health.tally import EVERYBODY
from probe.judged import judge_call
from probe.store import anew, judging, open_store, rebuild, rows
from probe.store.facts import read_controlled
from probe.store.schema import account, call, message, opinion, share, stale, tally
from probe.store.stale import mark_stale

CALLER, OTHER = "+12025550101", "+12025550102"
MINUTE = timedelta(minutes=1)
CORPUS = Path(__file__).parents[1] / "data" / "corpus"


def a_call(number, **given):
    """Blocked every third time; now and then from another caller ID or on no network."""
    ids = {"id": f"call-{number:04}", "plan_key": f"plan-{number}", "at": START + number * MINUTE}
    theirs = {"caller": CALLER if number % 7 else OTHER, "network": "att" if number % 5 else None}
    fields = ids | theirs | given
    return answered(**fields) if number % 3 else refused(*BLOCKED, **fields)


def finish(store, judged):
    assert store.begin(judged.record.request, judged.record.started_at)
    return store.finish(judged)


def bring(store, *calls):
    """Import calls of another program, as far as the store is concerned."""
    with store._database.writing() as connection:
        for one in calls:
            connection.execute(call.insert().values(rows.request_row(one.record.request) | rows.ending_row(one)))
            judging.add_opinions(connection, [one])
            connection.execute(message.insert(), rows.message_rows(one.record))
        mark_stale(connection, {one.record.request.caller for one in calls})


@pytest.fixture
def kept(store):
    """A store with thirty calls, whose redress was asked for."""
    for number in range(30):
        finish(store, a_call(number))
    store.note_case(CALLER, None, Step.ASKED, START + timedelta(hours=9))
    return store


def told_of(store):
    """All that others are told of what calls add up to."""
    return store.standings(), sorted(store.tallies()), store.cases()


def spoil(store, **opinions):
    """Let everything that was made of the facts be wrong."""
    with store._database.writing() as connection:
        connection.execute(update(opinion).values(opinions))
        connection.execute(update(account).values(body="{}"))
        connection.execute(update(tally).values(calls=99))
        connection.execute(share.delete())


def rebuild_all(store):
    progress = []
    store.rebuild_all(lambda *told: progress.append(told))
    return progress


def calls_of(store, caller):
    return sum(next(one for one in store.standings([caller]) if one.network is None).dispositions.values())


# All of it.


def test_everything_is_made_again_from_the_facts(kept):
    expected = told_of(kept)
    spoil(kept, disposition="answered", contacts=None, alerting_ms=1.0, ruleset="older")
    rebuild_all(kept)
    assert expected == told_of(kept)


def test_opinions_of_todays_ruleset_are_judged_again_as_well(kept):
    expected = told_of(kept)
    spoil(kept, disposition="answered", contacts=None)
    rebuild_all(kept)
    assert expected == told_of(kept)


def test_what_is_right_is_not_written_again(kept, monkeypatch):
    monkeypatch.setattr(judging, "put_opinions", None)
    rebuild_all(kept)


def test_what_a_person_noted_and_what_was_told_stays(kept):
    told_at = START + timedelta(hours=10)
    with kept._database.writing() as connection:
        connection.execute(update(account).values(told_at=told_at))
    rebuild_all(kept)
    with kept._database.reading() as connection:
        assert {told_at} == set(connection.execute(select(account.c.told_at)).scalars())
    assert [START + timedelta(hours=9)] == [one.asked_at for one in kept.cases(CALLER)]


def test_what_has_no_calls_any_more_goes(kept):
    with kept._database.writing() as connection:
        connection.exec_driver_sql("UPDATE account SET caller = '+12025550109' WHERE caller = '+12025550102'")
        connection.exec_driver_sql("UPDATE tally SET caller = '+12025550109' WHERE caller = '+12025550102'")
    rebuild_all(kept)
    assert {CALLER, OTHER} == {one.caller for one in kept.standings()}
    assert {CALLER, OTHER, EVERYBODY} == {one.caller for one in kept.tallies()}


def test_an_empty_store_has_nothing_to_rebuild(store):
    assert [] == rebuild_all(store)
    assert ((), [], ()) == told_of(store)


@pytest.mark.parametrize("size", [15, 20])
def test_progress_is_told(kept, monkeypatch, size):
    monkeypatch.setattr(judging, "_RANGE", size)
    expected = [("calls judged", size, 30), ("calls judged", 30, 30)]
    expected += [("caller IDs added up", 1, 2), ("caller IDs added up", 2, 2)]
    assert expected == rebuild_all(kept)


# By several processes.


@pytest.fixture
def by_many(monkeypatch):
    monkeypatch.setattr(anew, "_MUCH", 1)


@pytest.mark.usefixtures("by_many")
def test_many_processes_make_what_one_makes(kept, monkeypatch):
    expected = told_of(kept)
    spoil(kept, disposition="answered", contacts=None)
    monkeypatch.setattr(judging, "_RANGE", 7)
    rebuild_all(kept)
    assert expected == told_of(kept)
    assert [] == multiprocessing.active_children()


@pytest.mark.usefixtures("by_many")
def test_many_processes_settle_what_control_calls_settle(kept):
    """Of one of two callers: whoever adds them up asks first of which there are any."""
    for number in range(30, 36, 2):
        ids = {"id": f"call-{number}", "plan_key": f"plan-{number}", "at": START + number * MINUTE}
        finish(kept, refused("603 Decline", caller=CALLER, **ids))
        finish(kept, a_call(number + 1, caller=OTHER, network="att", control_of=f"call-{number}"))
    expected = told_of(kept)
    spoil(kept, disposition="answered", contacts=None)
    rebuild_all(kept)
    assert expected == told_of(kept)
    with kept._database.reading() as connection:
        assert {CALLER} == read_controlled(connection)


@pytest.mark.usefixtures("by_many")
def test_many_processes_bring_a_new_ruleset_about(kept):
    expected = told_of(kept)
    spoil(kept, disposition="answered", contacts=None, ruleset="older")
    with kept._database.writing() as connection:
        connection.execute(update(account).values(ruleset="older"))
    kept.make_current()
    assert expected[:1] == told_of(kept)[:1]


@on_sqlite
@pytest.mark.usefixtures("by_many")
def test_a_process_that_dies_is_named_and_the_rest_can_be_made_again(kept):
    expected = told_of(kept)

    def kill(*_):
        for child in multiprocessing.active_children():
            child.kill()

    with pytest.raises(StoreError, match=r"a process that added up calls of the store .* died; see whether memory"):
        kept.rebuild_all(kill)
    assert [] == multiprocessing.active_children()
    rebuild_all(kept)
    assert expected == told_of(kept)


@on_sqlite
@pytest.mark.usefixtures("by_many")
def test_an_interrupted_rebuild_leaves_no_process(kept):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.rebuild_all(interrupt)
    assert [] == multiprocessing.active_children()


# What is out of date.


def test_what_was_imported_is_added_up_when_it_is_next_read(kept):
    before = {caller: calls_of(kept, caller) for caller in (CALLER, OTHER)}
    bring(kept, *(a_call(number, caller=CALLER) for number in range(100, 110)))
    assert before[CALLER] + 10 == calls_of(kept, CALLER)
    assert before[OTHER] == calls_of(kept, OTHER)


def test_only_the_callers_asked_for_are_made_current(kept):
    bring(kept, a_call(100, caller=CALLER), a_call(101, caller=OTHER))
    kept.standings([OTHER])
    with kept._database.reading() as connection:
        assert [CALLER] == connection.execute(select(stale.c.caller)).scalars().all()


def test_everybodys_counts_are_neither_lost_nor_doubled_by_one_callers_rebuild(kept):
    def alerted():
        return sum(one.calls for one in kept.tallies() if one.dimension is Dimension.ALERTING)

    assert 20 == alerted()
    for _ in range(2):
        with kept._database.writing() as connection:
            mark_stale(connection, [CALLER])
        assert 20 == alerted()
    bring(kept, answered(id="brought", plan_key="brought", caller=OTHER))
    assert 21 == alerted()


def test_a_call_of_a_number_that_is_out_of_date_brings_it_up_to_date(kept):
    before = calls_of(kept, CALLER)
    bring(kept, *(a_call(number, caller=CALLER) for number in range(100, 110)))
    finish(kept, a_call(200, caller=CALLER))
    with kept._database.reading() as connection:
        assert [] == connection.execute(select(stale.c.caller)).scalars().all()
    assert before + 11 == calls_of(kept, CALLER)


def test_no_two_marks_are_equal(kept):
    marks = set()
    for _ in range(2):
        with kept._database.writing() as connection:
            mark_stale(connection, [CALLER])
            marks |= set(connection.execute(select(stale.c.mark)).scalars())
    assert 2 == len(marks)


# Beside others who write.


@pytest.mark.parametrize("times", [1, 9])
@pytest.mark.parametrize("come", ["finish", "bring"])
def test_what_comes_in_between_reading_and_writing_is_not_lost(kept, monkeypatch, times, come):
    """The store takes calls while it adds up others: once, and again and again until they have to wait."""
    before, add_up, numbers = calls_of(kept, CALLER), rebuild._add_up, iter(range(100, 100 + times))
    bring(kept, a_call(99, caller=CALLER))

    def with_more(connection, caller, calls, controls):
        made = add_up(connection, caller, calls, controls)
        number = next(numbers, None)
        if number is not None and not connection.get_execution_options().get("writes"):
            monkeypatch.setattr(rebuild, "_add_up", add_up)
            {"finish": finish, "bring": bring}[come](kept, a_call(number, caller=CALLER))
            monkeypatch.setattr(rebuild, "_add_up", with_more)
        return made

    monkeypatch.setattr(rebuild, "_add_up", with_more)
    kept.make_current([CALLER])
    came = sum(record.request.caller == CALLER for record in kept.calls(messages=False))
    assert before + 1 < came == calls_of(kept, CALLER)


def test_what_comes_in_while_many_are_added_up_in_one_pass_is_not_lost(kept, monkeypatch):
    """A call is added to the accounts of a caller ID that has been read, and is not written yet."""
    before, add_up, numbers = calls_of(kept, CALLER), rebuild._add_up, iter([100])

    def with_more(connection, caller, calls, controls):
        made, number = add_up(connection, caller, calls, controls), next(numbers, None)
        if number is not None:
            finish(kept, a_call(number, caller=caller))
        return made

    monkeypatch.setattr(rebuild, "_add_up", with_more)
    rebuild.rebuild_together(kept._database, [CALLER])
    assert before + 1 == calls_of(kept, CALLER)


# Another schema.


def rows_of(calls):
    """The rows of these calls; what the schema 0002 had no column for is left out by who writes them."""
    for one in calls:
        yield "call", rows.request_row(one.record.request) | rows.ending_row(one)
        yield "opinion", rows.opinion_row(one)
        for row in rows.message_rows(one.record):
            yield "message", row | {"direction": row["direction"].value}


@pytest.fixture
def of_0002(empty_url):
    """A store with the same calls that the schema before wrote."""
    old_store.make(empty_url, "0002", *rows_of(a_call(number) for number in range(30)))
    store = open_store(empty_url)
    yield store
    store.close()


@on_sqlite
def test_a_store_of_the_schema_before_is_added_up_from_its_messages(kept, of_0002):
    """Its opinions have no times and no contacts: they are made again, and only when somebody asks."""
    with of_0002._database.reading() as connection:
        assert {CALLER, OTHER} == set(connection.execute(select(stale.c.caller)).scalars())
        assert {"before 0003"} == set(connection.execute(select(opinion.c.ruleset)).scalars())
    expected = told_of(kept)
    assert expected[:2] == told_of(of_0002)[:2]
    assert [replace(one, asked_at=None) for one in expected[2]] == list(of_0002.cases())
    assert [] == list(judging.old_ranges(of_0002._database))


@on_sqlite
def test_a_call_added_to_a_store_of_the_schema_before_is_added_to_all_its_calls(kept, of_0002):
    for one in (kept, of_0002):
        finish(one, a_call(30))
    assert told_of(kept)[:2] == told_of(of_0002)[:2]


# Judged alike.

TIMES = (90.0, 1_499.0, 1_501.0, 4_000.0)


@on_sqlite
@pytest.mark.parametrize("sample", sorted(CORPUS.glob("*.sip")), ids=lambda sample: sample.stem)
def test_calls_that_are_alike_are_judged_as_each_would_be(store, sample):
    endings = [
        (ending, rings_ms, final_ms)
        for ending in (Ending.REFUSED, Ending.RING_LIMIT)
        for rings_ms in (None, 80.0, 2_000.0)
        for final_ms in TIMES * 2
    ]
    calls = [judge_call(heard(f"call-{at:02}", sample.read_bytes(), *how)) for at, how in enumerate(endings)]
    bring(store, *calls)
    spoil(store, disposition="answered", confidence="none", status=1, definitive=None, contacts=None, final_ms=None)
    rebuild_all(store)
    with store._database.reading() as connection:
        held = [dict(row) for row in connection.execute(select(opinion).order_by(opinion.c.call_id)).mappings()]
    assert held == list(map(rows.opinion_row, calls))


def heard(call_id, raw, ending, rings_ms, final_ms):
    ringing = b"SIP/2.0 180 Ringing\r\nCall-ID: c1@probe.example.net\r\nCSeq: 1 INVITE\r\n\r\n"
    said = [(final_ms, raw)] if rings_ms is None else [(rings_ms, ringing), (final_ms, raw)]
    messages = tuple(
        Message(at_ms=ms, direction=Direction.RECEIVED, transport="udp", local=LOCAL, remote=REMOTE, raw=text)
        for ms, text in said
    )
    asked = request(id=call_id, plan_key=call_id)
    return CallRecord(request=asked, started_at=START, ended_at=START, ending=ending, messages=messages)
