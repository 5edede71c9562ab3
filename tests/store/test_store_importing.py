"""Calls of others in the store: equal to what a record says, there once, and no part of any limit."""

import io
import json
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from databases import EMPTY
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from probe.call import CallRequest
from probe.errors import StoreError
from probe.importing import Reported, Source, read_rows, record_of
from probe.judged import judge_call
from probe.scenario.guard import Refusal
from probe.store.importing import CALL_COLUMNS, Packer, pack_record
from probe.store.rows import ending_row, request_row
from probe.store.schema import call, message

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SOURCE = Source(name="calls.jsonl", latest=NOW + timedelta(days=1))
BLOCKED = 'SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r;id=blk-%d";location=RLN'


def row(number=0, **cells):
    return {
        "started_at": (NOW - timedelta(minutes=1000 - number)).isoformat(),
        "caller": "+12025550101",
        "callee": "+12025550191",
        "status": 486,
        **cells,
    }


def reported(*rows):
    found = list(read_rows(io.BytesIO("\n".join(map(json.dumps, rows)).encode()), SOURCE))
    assert all(isinstance(one, Reported) for one in found), found
    return found


def packed(*rows):
    packer = Packer()
    return [packer.pack(one) for one in reported(*rows)]


EVERYTHING = row(
    reason=["Q.850;cause=17", 'SIP;cause=486;text="50 % \\"off\\""'],
    phrase="100 %s Busy \x1b\u00e9\ud800",
    alerting_ms=100,
    early_media_ms=90,
    final_ms=412.5,
    sip_call_id='a"\\%s@b',
    network="verizon",
    campaign="support",
    label="50 % off",
    lead_source="web",
    tags=["a", "b"],
    timezone="America/New_York",
    trunk="carrier-a",
)
ANSWERED = row(status=200, phrase="OK", alerting_ms=900, final_ms=3000, talk_ms=6000)
RAW = row(status=None, raw_final="SIP/2.0 603 Network Blocked\r\nReason: " + BLOCKED % 1 + "\r\nX\r\n\r\n", final_ms=80)


@pytest.mark.parametrize("cells", [row(), EVERYTHING, ANSWERED, RAW], ids=["little", "all", "answered", "raw"])
def test_a_call_comes_back_as_the_record_that_its_row_makes(store, cells):
    [one] = reported(cells)
    assert 1 == store.add_imported(packed(cells))
    assert record_of(one) == store.call(one.id)


def test_moments_are_written_as_those_of_our_own_calls(store):
    """In SQLite they are texts: written in two ways, they would not sort by time."""
    store.add_imported(packed(row()))
    record = record_of(reported(row())[0])
    own = replace(record, imported=None, request=replace(record.request, id="own", plan_key="own"))
    store.begin(own.request, own.started_at)
    store.finish(judge_call(own))
    with store._database.reading() as connection:
        found = connection.exec_driver_sql("SELECT started_at, ended_at FROM call").all()
    assert 2 == len(found)
    assert 1 == len(set(found))


def test_credentials_of_a_raw_response_do_not_reach_the_disk(store):
    store.add_imported(packed(row(status=None, raw_final="SIP/2.0 603 No\r\nAuthorization: Digest c0ffee\r\n\r\n")))
    with store._database.reading() as connection:
        raws = connection.execute(select(message.c.raw)).scalars().all()
        digests = connection.execute(select(call.c.digest)).scalars().all()
    assert [b"SIP/2.0 603 No\r\nAuthorization: (cut)\r\n\r\n"] == raws
    assert "c0ffee" not in str(digests)


def test_what_the_store_fills_in_for_others_calls_is_all_that_they_have():
    """Every column that is left empty would have been empty by the way that our own calls go."""
    record = record_of(reported(EVERYTHING)[0])
    written = request_row(record.request) | ending_row(judge_call(record))
    assert {column.name for column in call.c} == {*written, "counted_at", "card"}
    assert set(CALL_COLUMNS) >= {name for name, value in written.items() if value is not None}
    assert sorted(CALL_COLUMNS, key=[column.name for column in call.c].index) == list(CALL_COLUMNS)


TIMES = st.one_of(st.none(), st.integers(0, 4_000), st.floats(0, 4_000, width=32))
ROWS = st.fixed_dictionaries(
    {
        "status": st.sampled_from([200, 404, 408, 480, 486, 487, 603, 607, 608, 699]),
        "phrase": st.sampled_from(["Decline", "Network Blocked", "100 %s", ""]),
        "reason": st.sampled_from([[], ["Q.850;cause=21"], [BLOCKED % 1], [BLOCKED % 2]]),
        "alerting_ms": TIMES,
        "early_media_ms": TIMES,
        "final_ms": st.one_of(st.none(), st.integers(4_000, 9_000)),
        "sip_call_id": st.one_of(st.none(), st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1)),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=2),
    }
)


@given(st.lists(ROWS, min_size=1, max_size=12))
def test_many_calls_at_once_are_packed_as_each_on_its_own(cells):
    rows = [row(number, **one) for number, one in enumerate(cells)]
    alone = [pack_record(record_of(one)) for one in reported(*rows)]
    assert [(one.call, one.opinion, list(one.messages)) for one in alone] == [
        (one.call, one.opinion, list(one.messages)) for one in packed(*rows)
    ]


def test_more_kinds_than_are_remembered_change_nothing(monkeypatch):
    monkeypatch.setattr("probe.store.importing._MOST_KINDS", 2)
    rows = [row(n, status=status, phrase=str(n)) for n, status in enumerate((486, 603, 404, 480, 486, 603) * 3)]
    assert [pack_record(record_of(one)).opinion for one in reported(*rows)] == [one.opinion for one in packed(*rows)]


def test_a_file_that_is_imported_again_adds_nothing(store):
    calls = packed(*[row(n) for n in range(10)])
    assert [10, 0] == [store.add_imported(calls), store.add_imported(calls)]
    assert 10 == len(list(store.calls()))
    assert 10 == store.standings()[-1].judged


def test_a_batch_of_old_and_new_calls_adds_the_new_ones(store):
    store.add_imported(packed(*[row(n) for n in range(5)]))
    assert 3 == store.add_imported(packed(*[row(n) for n in (4, 5, 6, 6, 7)]))
    assert 8 == len(list(store.calls()))


def test_two_equal_rows_are_one_call(store):
    assert 1 == store.add_imported(packed(row(), row()))
    assert 2 == store.add_imported(packed(row(1, sip_call_id="a"), row(1, sip_call_id="b")))


def test_nothing_at_all_is_no_mistake(store):
    assert 0 == store.add_imported([])


def test_standings_take_them_in(store):
    rows = [row(n, status=603, phrase="Network Blocked", reason=BLOCKED % n, network="verizon") for n in range(6)]
    store.add_imported(packed(*rows))
    network, whole = store.standings()
    assert ("verizon", "blocked", 6) == (network.network, network.standing, network.blocked)
    assert "blocked" == whole.standing
    [case] = store.cases()
    assert ("redress.example.com", 6) == (case.blocker, case.count)


def test_calls_of_others_that_came_late_stand_where_they_belong(store):
    """A file of last week's calls, after this week's: the same standing as in the order of their times."""
    old = [row(n, status=603, phrase="Network Blocked", reason=BLOCKED % n) for n in range(8)]
    new = [row(n, status=200, final_ms=100, talk_ms=1) for n in range(100, 160)]
    store.add_imported(packed(*new))
    store.make_current()
    store.add_imported(packed(*old))
    assert ("clean", 8, 60) == (
        store.standings()[-1].standing,
        store.standings()[-1].blocked,
        store.standings()[-1].judged - 8,
    )


def test_they_are_no_attempts_and_count_in_no_limit(store):
    """All within the last hour: our own would have used every limit up."""
    rows = [row(990 + n % 10, status=200, final_ms=100, talk_ms=60_000, sip_call_id=str(n)) for n in range(50)]
    store.add_imported(packed(*rows))
    history = store.history(NOW)
    assert (0, 0) == (sum(map(len, history.callers.values())), sum(map(len, history.callees.values())))
    seen = []

    def gate(found):
        seen.append(deepcopy(found))

    asked = CallRequest(
        id="own", plan_key="own", trunk="imported", caller="+12025550101", callee="+12025550191", scenario="s"
    )
    assert store.admit(asked, NOW, gate) is None
    [found] = seen
    assert [{}, {}, ()] == [found.callers, found.callees, found.trunks["imported"]]
    assert {0} == {used.calls for used in found.used.values()}
    assert {0} == {used.talk_ms for used in found.used.values()}


def test_they_are_not_taken_for_refusals(store):
    store.add_imported(packed(*[row(n) for n in range(3)]))
    assert () == store.refusals(datetime(2000, 1, 1, tzinfo=UTC))
    assert set() == set(store.history(NOW).refused)


def test_a_refusal_of_our_own_in_an_open_round_is_still_known(store, make_request):
    """The index that leaves imported calls out must hold what the plan asks for."""
    store.begin_round("r", "s", NOW, 1, planned_at=NOW, ends_at=NOW + timedelta(hours=1))
    request = make_request(scenario="s", round="r", plan_key="refused plan")
    store.refuse_all([Refusal(request=request, rule="hours", why="it is night")], NOW)
    assert {"refused plan"} == set(store.history(NOW).refused)


def test_a_batch_is_written_whole_or_not_at_all(store):
    good, bad = packed(row(1), row(2))
    with pytest.raises(StoreError, match=EMPTY):
        store.add_imported([good, replace_value(bad, "trunk", None)])
    assert [] == list(store.calls())
    assert () == store.standings()


def replace_value(one, name, value):
    values = list(one.call)
    values[CALL_COLUMNS.index(name)] = value
    return one._replace(call=tuple(values))


def test_our_own_calls_go_on_beside_them(store, make_request, make_record):
    store.add_imported(packed(*[row(n) for n in range(3)]))
    record = make_record(make_request())
    store.begin(record.request, record.started_at)
    changes = store.finish(judge_call(replace(record, started_at=NOW, ended_at=NOW)))
    assert isinstance(changes, tuple)
    assert 4 == store.standings()[-1].judged
