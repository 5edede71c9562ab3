"""Odd responses, one file each, and what is made of them. A new odd carrier is one new file and one new row."""

from pathlib import Path

import pytest

from probe.sip import read_response
from probe.verdict import Heard, judge, read_notice

RESPONSES = Path(__file__).parents[1] / "data" / "responses"

# name of the file, milliseconds to the first 180 and to the final response, disposition, confidence, flags
ROWS = [
    ("603plus_q850_tel_email", None, 90, "analytics_blocked", "certain", ""),
    ("603plus_other_case", None, 90, "analytics_blocked", "certain", ""),
    ("603plus_folded", None, 90, "analytics_blocked", "certain", ""),
    ("603plus_comma_joined", None, 90, "analytics_blocked", "certain", ""),
    ("603plus_compact_headers", None, 90, "analytics_blocked", "certain", ""),
    ("603plus_other_order", None, 90, "analytics_blocked", "certain", ""),
    ("603plus_twilio_header_too", None, 90, "analytics_blocked", "certain", "provider_error:twilio:32203"),
    ("603plus_beside_q850_17", None, 90, "analytics_blocked", "certain", "conflicting_reasons"),
    ("603plus_q850_17_first", None, 90, "analytics_blocked", "certain", "conflicting_reasons"),
    ("603plus_v_not_first", None, 90, "analytics_blocked", "strong", "v_not_first"),
    ("603plus_semicolon_in_url", None, 90, "analytics_blocked", "strong", "unknown_avp:case"),
    ("603plus_as_params_with_prose", None, 90, "analytics_blocked", "strong", "avp_as_header_param bad_location"),
    ("603plus_two_urls", None, 90, "analytics_blocked", "strong", "duplicate_avp:url"),
    ("603plus_words_in_url", None, 90, "analytics_suspected", "strong", "phrase_rewritten"),
    ("603plus_wrong_cause", None, 90, "analytics_blocked", "strong", "wrong_cause"),
    ("603plus_no_location", None, 90, "analytics_blocked", "strong", "no_location"),
    ("603plus_version_2", None, 90, "analytics_blocked", "strong", "unknown_version:analytics2"),
    ("603plus_windows_quotes", None, 90, "analytics_blocked", "strong", "smart_quotes"),
    ("603plus_escape_in_phrase", None, 90, "analytics_blocked", "strong", "control_characters"),
    ("603plus_script_values", None, 90, "analytics_blocked", "strong", "bad_id bad_redress_url"),
    ("603plus_crlf_lookalike", None, 90, "analytics_blocked", "strong", "bad_redress_url"),
    ("603plus_long_id", None, 90, "analytics_blocked", "strong", "bad_id"),
    ("603plus_only_q850_21", None, 90, "analytics_suspected", "strong", "no_v_analytics_text"),
    ("603plus_no_text_q850_17", None, 90, "analytics_suspected", "strong", "conflicting_reasons no_v_analytics_text"),
    (
        "unknown_protocol_only",
        None,
        90,
        "analytics_suspected",
        "strong",
        "no_v_analytics_text unknown_reason_protocol:X-OWN",
    ),
    ("480_analytics_reason", 1000, 21000, "analytics_suspected", "weak", "status_remapped"),
    ("200_analytics_reason", 1000, 5000, "answered", "certain", ""),
    ("608_analytics_reason", None, 90, "analytics_blocked", "certain", "no_call_info"),
    ("608_call_info_on_http", None, 90, "analytics_blocked", "certain", "bad_call_info"),
    ("608_call_info_second", None, 90, "analytics_blocked", "certain", ""),
    ("603_cause_608", None, 90, "analytics_suspected", "strong", ""),
    ("480_cause_607", None, 90, "subscriber_blocked", "weak", "status_remapped"),
    ("486_cause_608", None, 90, "analytics_suspected", "weak", "status_remapped"),
    ("603_twilio_inactive_account", None, 90, "trunk_misconfigured", "strong", "provider_error:twilio:10001"),
    ("603_twilio_unknown_error", None, 90, "provider_blocked", "weak", "provider_error:twilio:99999"),
    ("603_q850_17", None, 90, "user_busy", "weak", ""),
    ("603_q850_102", None, 90, "timed_out", "weak", ""),
    ("603_q850_21_in_network", 900, 9000, "rejected_ambiguous", "weak", "tdm_network_location"),
    ("603_own_words", None, 90, "provider_blocked", "weak", "provider_phrase"),
    ("603_own_words", 1000, 4000, "user_declined", "strong", ""),
    ("603_blocked_by_policy", None, 90, "provider_blocked", "strong", "provider_phrase"),
    ("603_control_in_words", None, 90, "rejected_ambiguous", "weak", "control_characters fast_603_no_alerting"),
    ("603_spam_words", None, 90, "analytics_suspected", "strong", "provider_phrase"),
    ("603_q850_16_of_a_phone", 1000, 5000, "user_declined", "strong", ""),
    ("603_q850_16_of_asterisk", 1000, 5000, "rejected_ambiguous", "weak", "pbx_default_603"),
    ("603_declined", None, 90, "rejected_ambiguous", "weak", "fast_603_no_alerting"),
    ("603_declined", None, 1500, "rejected_ambiguous", "weak", "fast_603_no_alerting"),
    ("603_declined", None, 1501, "rejected_ambiguous", "weak", ""),
    ("603_declined", 1000, 2499, "user_declined", "weak", "fast_603_after_alerting"),
    ("603_declined", 1000, 2500, "user_declined", "strong", ""),
    ("603_declined", None, None, "rejected_ambiguous", "weak", ""),
    ("403_plain", None, 90, "rejected_ambiguous", "weak", ""),
    ("403_stale_date", None, 90, "caller_id_rejected", "certain", ""),
    ("403_unverified_d51", None, 90, "caller_id_rejected", "strong", "provider_phrase"),
    ("403_reason_says_stale_date", None, 90, "caller_id_rejected", "strong", "provider_phrase"),
    ("403_stir_reason", None, 90, "caller_id_rejected", "strong", "stir_error:438"),
    ("403_balance", None, 90, "trunk_misconfigured", "strong", "provider_phrase"),
    ("404_twilio_unknown_error", None, 90, "invalid_number", "certain", "provider_error:twilio:13224"),
    ("429_bad_identity", None, 90, "caller_id_rejected", "strong", "provider_phrase"),
    ("429_plain", None, 90, "protocol_error", "certain", ""),
    ("480_q850_19", None, 90, "no_answer", "strong", ""),
    ("480_q850_21", None, 90, "rejected_ambiguous", "weak", ""),
    ("480_plain", None, 90, "unreachable", "strong", ""),
    ("480_plain", 1000, 1600, "unreachable", "strong", ""),
    ("480_plain", 1000, 5000, "no_answer", "strong", ""),
    ("480_plain", 1000, 21000, "no_answer", "strong", ""),
    ("480_plain", None, None, "unreachable", "weak", ""),
    ("500_trunk_limit", None, 90, "trunk_misconfigured", "strong", "provider_phrase"),
    ("503_retry_after", None, 90, "network_failure", "certain", "retry_after"),
    ("499_unknown", None, 90, "protocol_error", "weak", "unknown_code"),
    ("699_unknown", None, 90, "user_busy", "weak", "unknown_code"),
    ("not_sip", None, None, "inconclusive", "certain", "no_status_line"),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[1]}-{row[2]}" for row in ROWS])
def test_an_odd_response_is_judged(row):
    name, alerting_ms, final_ms, disposition, confidence, flags = row
    response = read_response((RESPONSES / f"{name}.sip").read_bytes())
    verdict = judge(Heard(response=response, alerting_ms=alerting_ms, final_ms=final_ms))
    assert (disposition, confidence, flags.split()) == (verdict.disposition, verdict.confidence, list(verdict.flags))
    assert all(line.isprintable() for line in verdict.because)


def test_every_sample_is_judged():
    assert {path.stem for path in RESPONSES.glob("*.sip")} == {row[0] for row in ROWS} | {"603plus_many_reasons"}


def notice_of(name):
    return read_notice(read_response((RESPONSES / f"{name}.sip").read_bytes()))


def test_a_notice_in_parameters_is_read_whole():
    notice = notice_of("603plus_as_params_with_prose")
    assert {"v": "analytics1", "url": "https://example.com/r"} == notice.avp
    assert "terminating" == notice.location


def test_what_follows_a_bare_semicolon_in_a_url_is_no_part_of_it():
    assert {"v": "analytics1", "url": "https://example.com/r", "id": "77"} == notice_of("603plus_semicolon_in_url").avp


def test_the_notice_is_found_behind_many_reasons_and_flags_stay_bounded():
    response = read_response((RESPONSES / "603plus_many_reasons.sip").read_bytes())
    verdict = judge(Heard(response=response))
    assert ("analytics_blocked", "certain") == (verdict.disposition, verdict.confidence)
    assert 101 == len(response.reasons)
    assert 64 == len(verdict.flags)
    assert len(verdict.because) < 8


@pytest.mark.parametrize("name", ["200_analytics_reason", "unknown_protocol_only", "403_plain", "not_sip"])
def test_a_notice_is_never_believed_where_it_cannot_stand(name):
    notice = notice_of(name)
    assert notice is None or notice.version is None


def test_of_two_contacts_of_a_kind_the_first_stands():
    assert "https://example.com/r" == notice_of("603plus_two_urls").url


def test_a_608_keeps_the_contacts_of_a_reason_beside_it():
    notice = notice_of("608_analytics_reason")
    assert ("608", "conformant", "https://example.com/r") == (notice.kind, notice.conformance, notice.url)


def test_the_jws_address_is_found_among_other_call_infos():
    assert "https://block.example.net/jws" == notice_of("608_call_info_second").call_info


def test_607_and_608_under_another_status_are_remapped():
    kinds = [(n.kind, n.conformance) for n in map(notice_of, ("480_cause_607", "603_cause_608", "486_cause_608"))]
    assert [("607", "remapped"), ("608", "remapped"), ("608", "remapped")] == kinds
