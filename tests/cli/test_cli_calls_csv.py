"""`probe calls --csv`: a table that a spreadsheet shows and never computes, whatever the network wrote into a call."""

import csv
import io
from datetime import timedelta

import pytest
from placed import START, answered, refused

from probe.store import open_store

HEADER = (
    "id started_at caller callee network trunk ending status phrase disposition confidence notice_kind notice_url "
    "notice_tel notice_email notice_id notice_location alerting_ms final_ms talk_ms scenario campaign label "
    "lead_source tags imported sip_call_id"
)
HOSTILE = '=HYPERLINK("https://evil.example","x")'
NOTICE = (
    'Reason: SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r;tel=+12025550142;id=-1+2";location=RLN'
)


@pytest.fixture
def store(probe):
    opened = open_store(probe.environment["PROBE_STORE"])
    yield opened
    opened.close()


def put(store, *calls):
    for number, judged in enumerate(calls):
        store.begin(judged.record.request, START + timedelta(minutes=number))
        store.finish(judged)


def rows(said):
    assert 0 == said.code, said.err
    return list(csv.DictReader(io.StringIO(said.out, newline="")))


def test_each_call_is_a_row_with_what_is_known_of_it(store, probe):
    put(
        store,
        refused(
            "603 Network Blocked", NOTICE, id="b", plan_key="2", at=START, label="Support, main", tags=("east", "day")
        ),
        answered(id="a", plan_key="1", at=START + timedelta(minutes=5), campaign="renewals", lead_source="web form"),
    )
    through, blocked = rows(probe("calls", "--csv"))
    assert HEADER.split() == list(through)
    assert ("a", "200", "answered", "renewals", "web form", "") == tuple(
        through[name] for name in ("id", "status", "disposition", "campaign", "lead_source", "notice_kind")
    )
    assert ("210", "3100", "6000") == tuple(through[name] for name in ("alerting_ms", "final_ms", "talk_ms"))
    assert ("2026-11-22T10:00:00.123Z", "refused", "603", "Network Blocked", "Support, main", "east;day") == tuple(
        blocked[name] for name in ("started_at", "ending", "status", "phrase", "label", "tags")
    )
    assert ("603+", "https://redress.example.com/r", "RLN", "c1@probe.example.net") == tuple(
        blocked[name] for name in ("notice_kind", "notice_url", "notice_location", "sip_call_id")
    )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " ="])
def test_no_cell_is_taken_for_a_formula(store, probe, start):
    hostile = f"{start}cmd|' /C calc'!A0"
    call = refused(f"603 {hostile}".replace("\r", " ").replace("\t", " "), NOTICE, label=hostile, campaign=HOSTILE)
    put(store, call)
    said = probe("calls", "--csv")
    (row,) = rows(said)
    computed = [cell for cell in row.values() if cell.strip()[:1] in {"=", "+", "-", "@"}]
    assert [] == computed
    assert 2 == len(said.out.split("\r\n")) - 1  # one line for the header, one for the call


def test_a_bare_603_leaves_empty_cells_and_no_words_such_as_none(store, probe):
    put(store, refused("603 ", network=None))
    (row,) = rows(probe("calls", "--csv"))
    assert ("603", "", "", "", "") == tuple(row[name] for name in ("status", "phrase", "network", "tags", "imported"))
    assert "None" not in row.values()


def test_the_table_is_asked_for_like_the_list(store, probe):
    put(store, refused("486 Busy Here", id="b", plan_key="b"), answered(id="a", plan_key="a"))
    assert ["b"] == [row["id"] for row in rows(probe("calls", "--csv", "--disposition", "user_busy"))]
    assert 1 == len(rows(probe("calls", "--csv", "--limit", "1")))


def test_an_empty_history_is_a_header(probe):
    assert ",".join(HEADER.split()) + "\r\n" == probe("calls", "--csv").out


def test_json_and_csv_at_once_are_a_mistake(probe):
    said = probe("calls", "--csv", "--json")
    assert (2, "") == (said.code, said.out)
    assert "probe: --csv and --json are two forms of one answer; take one of the two out.\n" == said.err
