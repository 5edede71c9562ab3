"""The rows of the table that need no file: plain codes, our own endings, answered calls."""

from typing import Any

import pytest

from probe.call import Direction, Ending
from probe.sip import Response, read_response
from probe.verdict import Disposition, Heard, Verdict, judge

# standards: final response code to disposition; those that depend on phrase or timing have their own tests.
CODES = {
    "inconclusive": [100, 180, 183, 202, 204],
    "answered": [200, 299],
    "redirected": [300, 301, 302, 305, 380, 399],
    "trunk_misconfigured": [401, 402, 407],
    "rejected_ambiguous": [403, 603],
    "invalid_number": [404, 410, 484, 485, 604],
    "timed_out": [408, 504],
    "protocol_error": [
        *(400, 405, 406, 409, 411, 412, 413, 414, 415, 416, 417, 420, 421, 422, 423, 424, 425, 429, 440, 469, 470, 481),
        *(489, 491, 493, 494, 499, 501, 505, 513, 799),
    ],
    "caller_id_rejected": [428, 433, 436, 437, 438],
    "unreachable": [430, 439, 480, 555],
    "network_failure": [482, 483, 500, 502, 503, 599],
    "user_busy": [486, 600, 699],
    "cancelled": [487],
    "media_incompatible": [488, 580, 606],
    "subscriber_blocked": [607],
    "analytics_blocked": [608],
}
ROWS = [(code, disposition) for disposition, codes in CODES.items() for code in codes]
UNKNOWN = {299, 399, 499, 599, 699, 799}


def response_of(line: str, headers: str = "") -> Response:
    return read_response(f"SIP/2.0 {line}\r\n{headers}\r\n".encode())


def ended(ending: Ending, response: Response | None = None, **more: Any) -> Verdict:
    return judge(Heard(response=response, ending=ending, **more))


@pytest.mark.parametrize(("code", "disposition"), ROWS)
def test_a_bare_code_is_judged(code, disposition):
    verdict = judge(Heard(response=response_of(f"{code} Phrase X")))
    if code == 603:
        verdict = judge(Heard(response=response_of("603 Decline")))
    assert disposition == verdict.disposition
    assert (code in UNKNOWN) == ("unknown_code" in verdict.flags)


def test_every_disposition_is_reached_by_a_code_or_has_a_reason_not_to():
    by_other_means = {"analytics_suspected", "provider_blocked", "user_declined", "no_answer"}
    assert {*Disposition} == {*CODES} | by_other_means


@pytest.mark.parametrize("code", [404, 486, 487, 488, 503, 607, 608])
def test_a_code_whose_meaning_the_standard_gives_is_certain(code):
    assert "certain" == judge(Heard(response=response_of(f"{code} X"))).confidence


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending.GUARDED, "guard"),
        (Ending.STOPPED, "We stopped"),
        (Ending.LOST, "Our own program"),
        (Ending.AGENT_FAILED, "Our own SIP phone"),
        (Ending.NO_RESPONSE, "Nothing came back from the trunk"),
    ],
)
def test_what_never_came_off_the_wire_says_nothing_about_the_number(ending, words):
    verdict = ended(ending, detail="connection refused")
    assert ("inconclusive", "certain") == (verdict.disposition, verdict.confidence)
    assert words in verdict.because[0]
    assert "connection refused" in verdict.because[1]


def test_a_call_that_we_stopped_stays_inconclusive_though_a_487_came():
    verdict = ended(Ending.STOPPED, response_of("487 Request Terminated"), alerting_ms=100, final_ms=900)
    assert "inconclusive" == verdict.disposition


@pytest.mark.parametrize("response", [None, response_of("487 Request Terminated")])
@pytest.mark.parametrize(
    ("heard", "disposition"),
    [
        ({"alerting_ms": 900.0}, "no_answer"),
        ({"early_media_ms": 900.0}, "no_answer"),
        ({"provisional_seen": True}, "timed_out"),
        ({}, "timed_out"),
    ],
)
def test_our_ring_limit_is_told_by_what_was_heard_before(response, heard, disposition):
    verdict = ended(Ending.RING_LIMIT, response, **heard)
    assert (verdict.disposition, verdict.confidence) == (disposition, "strong")


@pytest.mark.parametrize(("line", "disposition"), [("200 OK", "answered"), ("486 Busy Here", "user_busy")])
def test_a_final_response_that_crosses_our_cancel_is_judged(line, disposition):
    assert disposition == ended(Ending.RING_LIMIT, response_of(line), alerting_ms=900.0, final_ms=25_010.0).disposition


def test_a_487_that_we_did_not_ask_for_is_cancelled():
    verdict = ended(Ending.REFUSED, response_of("487 Request Terminated"), alerting_ms=900.0, final_ms=5000.0)
    assert ("cancelled", "certain") == (verdict.disposition, verdict.confidence)


def test_a_408_after_ringing_is_no_answer():
    assert "no_answer" == judge(Heard(response=response_of("408 X"), alerting_ms=900, final_ms=30_000)).disposition


def test_an_answer_without_a_response_is_not_believed():
    assert "inconclusive" == ended(Ending.ANSWERED).disposition


def byes(headers: str):
    return response_of("200 OK", headers).reasons


@pytest.mark.parametrize(
    ("reason", "disposition", "flags"),
    [
        ("SIP;cause=607", "subscriber_blocked", ("bye_607",)),
        ("SIP;cause=608", "analytics_suspected", ("bye_608",)),
        ("Q.850;cause=16", "answered", ()),
        ("X;cause=607", "answered", ()),
    ],
)
def test_the_reason_of_a_bye_is_heard(reason, disposition, flags):
    verdict = judge(Heard(response=response_of("200 OK"), bye_reasons=byes(f"Reason: {reason}\r\n"), talk_ms=3000))
    assert (verdict.disposition, verdict.flags) == (disposition, flags)


@pytest.mark.parametrize(
    ("bye_from", "talk_ms", "flags"),
    [
        (Direction.RECEIVED, 999, ("answered_and_dropped",)),
        (Direction.RECEIVED, 1000, ()),
        (Direction.SENT, 10, ()),
        (None, 10, ()),
    ],
)
def test_an_answer_that_is_dropped_at_once_is_flagged(bye_from, talk_ms, flags):
    verdict = judge(Heard(response=response_of("200 OK"), talk_ms=talk_ms, bye_from=bye_from))
    assert (verdict.disposition, verdict.confidence, verdict.flags) == ("answered", "certain", flags)


def test_a_cut_message_is_flagged():
    assert ("message_cut",) == judge(Heard(response=response_of("603 Decline"), cut=True)).flags


def test_early_media_before_a_603_is_perhaps_an_announcement():
    verdict = judge(Heard(response=response_of("603 Decline"), early_media_ms=300, final_ms=8000))
    assert ("rejected_ambiguous", "weak") == (verdict.disposition, verdict.confidence)
    assert ("early_media_before_603",) == verdict.flags


def test_two_reasons_of_one_protocol_are_flagged():
    reasons = "Reason: Q.850;cause=16\r\nReason: q.850;cause=21\r\n"
    assert "duplicate_protocol:q.850" in judge(Heard(response=response_of("603 Decline", reasons))).flags


def test_evidence_tells_a_manager_what_happened():
    reason = 'Reason: SIP;cause=603;text="v=analytics1;url=https://example.com/r;id=77";location=RLN\r\n'
    because = judge(Heard(response=response_of("603 Network Blocked", reason), final_ms=140)).because
    assert (
        "The network said: 603 Network Blocked, 140 ms after the call started and before the phone rang.",
        "A network blocked the call because of call analytics and says so as the standard asks (603+).",
        "It names the blocker as the network serving the called party (RLN).",
        "It gives a contact for complaints (not verified): https://example.com/r",
        "The blocker's reference is 77",
    ) == because


def test_evidence_tells_how_long_it_rang():
    because = judge(Heard(response=response_of("603 Decline"), alerting_ms=1200, final_ms=7300)).because
    assert (
        because[0]
        == "The network said: 603 Decline, 7.3 s after the call started and after the phone had rung for 6.1 s."
    )
