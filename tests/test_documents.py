import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from placed import BLOCKED, SDP, START, answered, placed, refused, request, response, standings_of, unplaced

from probe.call import Direction, Ending
from probe.documents import call_document, document_schemas, explain_document, standing_document, timestamp
from probe.expectation import Expectation
from probe.health import Signal
from probe.sip import read_response
from probe.verdict import Heard, judge, read_notice

CALL_KEYS = (
    "id scenario site trunk caller callee network started_at ended_at ending status phrase reasons provisional timing "
    "notice verdict expected as_expected sip_call_id label campaign round detail control_of control imported "
    "lead_source tags security"
)
STANDING_KEYS = (
    "caller network standing since judged blocked blocked_share interval declined suspected inconclusive last_call_at "
    "notices signals declined_share refused_ms dispositions"
)
SIGNAL_KEYS = "kind dimension value p caller network hits total other_hits other_total since of"


def is_valid(name, document):
    Draft202012Validator(document_schemas()[name]).validate(document)


def test_a_blocked_call_reads_as_the_interface_has_it():
    call = request()
    written = call_document(
        placed(
            (4.2, Direction.RECEIVED, response(call, "100 Trying")),
            (209.6, Direction.RECEIVED, response(call, "183 Session Progress", body=SDP)),
            (412.4, Direction.RECEIVED, response(call, *BLOCKED)),
        )
    ).plain()
    assert CALL_KEYS.split() == list(written)
    assert "2026-11-22T10:00:00.123Z" == written["started_at"]
    assert ("refused", 603, "Network Blocked") == (written["ending"], written["status"], written["phrase"])
    text = "v=analytics1;url=https://redress.example.com/r;tel=+12025550142;id=blk-0001"
    assert [{"protocol": "SIP", "cause": 603, "text": text, "location": "RLN"}] == written["reasons"]
    assert [{"status": 100, "at_ms": 4}, {"status": 183, "at_ms": 210, "sdp": True}] == written["provisional"]
    timing = {"alerting_ms": None, "early_media_ms": 210, "final_ms": 412, "answered_ms": None, "talk_ms": None}
    assert timing == written["timing"]
    notice = {
        "kind": "603+",
        "conformance": "conformant",
        "flaws": [],
        "version": "analytics1",
        "url": "https://redress.example.com/r",
        "tel": "+12025550142",
        "email": None,
        "id": "blk-0001",
        "location": "RLN",
        "card": None,
    }
    assert list(notice.items()) == list(written["notice"].items())
    assert ["disposition", "confidence", "because", "flags"] == list(written["verdict"])
    assert "analytics_blocked" == written["verdict"]["disposition"]
    assert "c1@probe.example.net" == written["sip_call_id"]


def test_a_reason_says_its_other_parameters_only_when_it_has_some():
    given_two = call_document(refused("603 Decline", "Reason: Q.850;cause=21;x-why=policy", "Reason: SIP;cause=603"))
    first, second = given_two.plain()["reasons"]
    assert {"x-why": "policy"} == first["params"]
    assert {"protocol": "SIP", "cause": 603, "text": None, "location": None} == second


@pytest.mark.parametrize("ending", [Ending.NO_RESPONSE, Ending.GUARDED, Ending.AGENT_FAILED, Ending.LOST])
def test_nothing_off_the_wire_is_null_and_never_a_status(ending):
    written = call_document(unplaced(ending, "the trunk was silent for 32 s")).plain()
    off_the_wire = ("status", "phrase", "reasons", "provisional", "notice", "sip_call_id")
    assert [None, None, [], [], None, None] == [written[key] for key in off_the_wire]
    assert {None} == set(written["timing"].values())
    assert "inconclusive" == written["verdict"]["disposition"]
    assert "the trunk was silent for 32 s" == written["detail"]


def test_the_expectation_stands_in_words():
    expect = Expectation(any_of=frozenset({"answered"}), max_final_ms=4000)
    written = call_document(answered(expect=expect)).plain()
    assert ("answered, final within 4000 ms", True) == (written["expected"], written["as_expected"])


def test_times_are_utc_to_the_millisecond():
    east = datetime(2026, 11, 22, 12, 0, 0, 5_999, timezone(timedelta(hours=2)))
    assert "2026-11-22T10:00:00.005Z" == timestamp(east)


@pytest.mark.parametrize("call", [answered(), refused(*BLOCKED), unplaced(Ending.NO_RESPONSE, "silent")])
def test_a_call_keeps_its_own_schema(call):
    is_valid("call", call_document(call).plain())


def test_the_schema_refuses_a_call_with_a_missing_key():
    written = call_document(answered()).plain()
    del written["notice"]
    assert not Draft202012Validator(document_schemas()["call"]).is_valid(written)


def test_a_standing_reads_as_the_interface_has_it():
    calls = [refused(*BLOCKED, at=START + timedelta(minutes=n)) for n in range(17)]
    calls += [answered(at=START + timedelta(hours=1, minutes=n)) for n in range(24)]
    on_network, as_a_whole = [standing_document(standing).plain() for standing in standings_of(calls)]
    assert STANDING_KEYS.split() == list(on_network)
    assert (41, 17, 0.415, [0.278, 0.566]) == tuple(
        on_network[key] for key in ("judged", "blocked", "blocked_share", "interval")
    )
    assert (0.0, {"answered": 24, "analytics_blocked": 17}) == (
        on_network["declined_share"],
        on_network["dispositions"],
    )
    assert 412 == pytest.approx(on_network["refused_ms"], rel=0.05)  # times are kept in steps of an eighth of an octave
    seen = ["url", "tel", "email", "id", "location", "first_seen", "last_seen", "count"]
    assert seen == list(on_network["notices"][0])
    assert None is as_a_whole["network"]
    is_valid("standing", on_network)
    is_valid("standing", as_a_whole)


def test_a_signal_begins_with_the_keys_of_the_interface():
    signal = Signal(
        kind="cluster",
        dimension="campaign",
        value="renewals",
        p=0.0004,
        network="verizon",
        hits=9,
        total=12,
        other_hits=1,
        other_total=80,
        since=START,
    )
    (standing, _) = standings_of([answered()])
    written = standing_document(replace(standing, signals=(signal,))).plain()
    (told,) = written["signals"]
    assert SIGNAL_KEYS.split() == list(told)
    assert ("2026-11-22T10:00:00.123Z", None, "calls") == (told["since"], told["caller"], told["of"])
    is_valid("standing", written)


def test_a_call_says_what_the_scenario_says_of_its_caller_and_where_it_was_imported_from():
    call = answered(label="Support", campaign="support", lead_source="web form", tags=("east", "day"))
    written = call_document(replace(call, record=replace(call.record, imported="dialer.csv"))).plain()
    told = {key: written[key] for key in ("label", "campaign", "lead_source", "tags", "imported")}
    assert {
        "label": "Support",
        "campaign": "support",
        "lead_source": "web form",
        "tags": ["east", "day"],
        "imported": "dialer.csv",
    } == told
    is_valid("call", written)


def test_an_explanation_has_its_keys_in_order():
    final = read_response(b"SIP/2.0 603 Decline\r\n\r\n")
    written = explain_document(final, read_notice(final), judge(Heard(response=final))).plain()
    assert ["status", "phrase", "reasons", "notice", "verdict", "next_steps"] == list(written)
    assert written["next_steps"]
    is_valid("explain", written)


@pytest.mark.parametrize(("raw", "phrase"), [(b"SIP/2.0 603 \r\n\r\n", ""), (b"\x00not sip\r\n\r\n", None)])
def test_an_empty_phrase_stays_empty_and_an_unreadable_one_is_null(raw, phrase):
    final = read_response(raw)
    assert phrase == explain_document(final, None, judge(Heard(response=final))).phrase


@given(st.text())
def test_any_unicode_makes_valid_json(text):
    written = call_document(unplaced(Ending.AGENT_FAILED, text, label=text)).plain()
    again = json.loads(json.dumps(written).encode())
    assert written == again
    json.dumps(written, ensure_ascii=False).encode()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(Direction), st.binary(max_size=200)), max_size=4))
def test_any_bytes_off_the_wire_make_a_valid_document(messages):
    is_valid("call", call_document(placed(*messages)).plain())


def test_half_a_surrogate_pair_is_replaced():
    assert "a\ufffdb" == call_document(unplaced(Ending.LOST, "a\ud800b")).detail


@pytest.mark.parametrize("name", sorted(document_schemas()))
def test_every_schema_is_one(name):
    Draft202012Validator.check_schema(document_schemas()[name])
