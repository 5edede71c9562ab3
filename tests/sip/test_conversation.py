"""Calls written as lists of messages, and what is read from them."""

from typing import Any

import pytest

from probe.call import Direction, Message
from probe.sip import Provisional, Timing, ladder, read_conversation

CALL = "abc@probe.example.net"
SDP = "Content-Type: application/sdp\r\n\r\nv=0\r\n"


def message(at_ms: float, direction: Direction, start: str, cseq: str, **more: Any) -> Message:
    """Write a message of the call; `extra` are header lines, and the body if they end with an empty one."""
    tag = f";tag={more['to_tag']}" if more.get("to_tag") else ""
    extra = more.get("extra", "")
    lines = [
        start,
        "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK-1",
        'From: "Desk" <sip:+12025550101@example.net>;tag=1',
        f"To: <sip:+12025550199@trunk.example.com>{tag}",
        f"Call-ID: {more.get('call_id', CALL)}",
        f"CSeq: {cseq}",
        extra if "\r\n\r\n" in extra else extra + "\r\n",
    ]
    return wire(at_ms, direction, "\r\n".join(lines).encode())


def wire(at_ms: float, direction: Direction, raw: bytes, *, cut: bool = False) -> Message:
    return Message(
        at_ms=at_ms,
        direction=direction,
        transport="udp",
        local="127.0.0.1:5060",
        remote="127.0.0.1:5070",
        raw=raw,
        cut=cut,
    )


def sent(at_ms: float, method: str, number: int = 1, **more: Any) -> Message:
    start = f"{method} sip:+12025550199@trunk.example.com SIP/2.0"
    return message(at_ms, Direction.SENT, start, f"{number} {method}", **more)


def asked(at_ms: float, method: str, number: int, **more: Any) -> Message:
    start = f"{method} sip:+12025550101@192.0.2.10 SIP/2.0"
    return message(at_ms, Direction.RECEIVED, start, f"{number} {method}", to_tag="1", **more)


def got(at_ms: float, line: str, number: int = 1, **more: Any) -> Message:
    method = more.pop("method", "INVITE")
    return message(at_ms, Direction.RECEIVED, f"SIP/2.0 {line}", f"{number} {method}", **{"to_tag": "far", **more})


def test_a_refused_call():
    read = read_conversation([sent(0, "INVITE"), got(4, "100 Trying"), got(90, "603 Decline"), sent(91, "ACK")])
    assert (read.final.status, read.call_id, read.challenged, read.cut) == (603, CALL, False, False)
    assert (Provisional(status=100, phrase="Trying", at_ms=4),) == read.provisional
    assert Timing(final_ms=90) == read.timing
    assert (None, ()) == (read.bye_from, read.bye_reasons)


def test_an_answered_call_that_we_hang_up():
    read = read_conversation(
        [
            sent(0, "INVITE"),
            got(4, "100 Trying"),
            got(200, "183 Session Progress", extra=SDP),
            got(900, "180 Ringing"),
            got(5000, "200 OK", extra=SDP),
            sent(5001, "ACK"),
            sent(11_000, "BYE", 2, to_tag="far"),
            got(11_010, "200 OK", 2, method="BYE"),
        ]
    )
    assert 200 == read.final.status
    assert Timing(alerting_ms=900, early_media_ms=200, final_ms=5000, answered_ms=5000, talk_ms=6000) == read.timing
    assert [False, True, False] == [p.sdp for p in read.provisional]
    assert Direction.SENT is read.bye_from


def test_the_reason_of_the_far_ends_bye_is_kept_though_ours_came_first():
    read = read_conversation(
        [
            sent(0, "INVITE"),
            got(100, "200 OK"),
            sent(600, "BYE", 2, extra="Reason: SIP;cause=200\r\n", to_tag="far"),
            asked(601, "BYE", 7, extra='Reason: SIP;cause=607;text="Unwanted"\r\n'),
        ]
    )
    assert (Direction.SENT, 500) == (read.bye_from, read.timing.talk_ms)
    assert [607] == [r.cause for r in read.bye_reasons]


def test_a_challenge_that_we_answered_is_not_final():
    read = read_conversation(
        [
            sent(0, "INVITE", 1),
            got(5, "407 Proxy Authentication Required", 1),
            sent(6, "ACK", 1),
            sent(7, "INVITE", 2),
            got(90, "486 Busy Here", 2),
        ]
    )
    assert (486, True, 90) == (read.final.status, read.challenged, read.timing.final_ms)


def test_a_challenge_without_another_try_is_final():
    read = read_conversation([sent(0, "INVITE", 1), got(5, "401 Unauthorized", 1)])
    assert (401, True) == (read.final.status, read.challenged)


def test_after_an_answered_challenge_silence_stays_silence():
    read = read_conversation([sent(0, "INVITE", 1), got(5, "401 Unauthorized", 1), sent(6, "INVITE", 2)])
    assert (None, True, None) == (read.final, read.challenged, read.timing.final_ms)


def test_a_repeated_challenge_is_final():
    read = read_conversation(
        [sent(0, "INVITE", 1), got(5, "401 Unauthorized", 1), sent(6, "INVITE", 2), got(9, "401 Unauthorized", 2)]
    )
    assert (401, 9) == (read.final.status, read.timing.final_ms)


def test_retransmissions_change_nothing():
    once = [sent(0, "INVITE"), got(300, "180 Ringing"), got(2000, "603 Decline"), sent(2001, "ACK")]
    again = [sent(500, "INVITE"), got(800, "180 Ringing"), got(2500, "603 Decline"), sent(2501, "ACK")]
    assert read_conversation(once) == read_conversation(once + again)


def test_messages_are_read_in_order_of_time():
    call = [sent(0, "INVITE"), got(300, "180 Ringing"), got(2000, "603 Decline")]
    assert read_conversation(call) == read_conversation(call[::-1])


def test_of_two_refusals_the_first_stands():
    read = read_conversation([sent(0, "INVITE"), got(50, "603 Decline"), got(60, "486 Busy Here", to_tag="fork")])
    assert 603 == read.final.status


def test_an_answer_beats_a_refusal_of_another_branch():
    read = read_conversation([sent(0, "INVITE"), got(50, "486 Busy Here"), got(60, "200 OK", to_tag="fork")])
    assert (200, 60) == (read.final.status, read.timing.answered_ms)


def test_ringing_of_two_branches_is_kept_twice():
    read = read_conversation(
        [sent(0, "INVITE"), got(50, "180 Ringing", to_tag="a"), got(60, "180 Ringing", to_tag="b"), got(70, "480 Gone")]
    )
    assert [50, 60] == [p.at_ms for p in read.provisional]
    assert 50 == read.timing.alerting_ms


def test_a_provisional_that_comes_late_is_dropped():
    read = read_conversation([sent(0, "INVITE"), got(50, "603 Decline"), got(51, "180 Ringing"), got(52, "100 Trying")])
    assert ((), None) == (read.provisional, read.timing.alerting_ms)


def test_a_200_that_crosses_our_cancel_is_the_final_response():
    read = read_conversation(
        [
            sent(0, "INVITE"),
            got(50, "180 Ringing"),
            sent(5000, "CANCEL"),
            got(5001, "200 OK"),
            got(5002, "200 OK", method="CANCEL"),
        ]
    )
    assert (200, 5001) == (read.final.status, read.timing.answered_ms)


def test_the_200_to_our_cancel_or_prack_is_no_answer():
    read = read_conversation(
        [
            sent(0, "INVITE"),
            got(50, "183 Session Progress", extra="RSeq: 1\r\n" + SDP),
            sent(51, "PRACK", 2, to_tag="far"),
            got(60, "200 OK", 2, method="PRACK"),
            sent(5000, "CANCEL"),
            got(5001, "200 OK", method="CANCEL"),
            got(5002, "487 Request Terminated"),
        ]
    )
    assert (487, None, 50) == (read.final.status, read.timing.answered_ms, read.timing.early_media_ms)


def test_in_dialog_requests_of_both_sides_confuse_nothing():
    read = read_conversation(
        [
            sent(0, "INVITE"),
            got(100, "200 OK"),
            sent(101, "ACK"),
            asked(500, "INVITE", 9),
            message(501, Direction.SENT, "SIP/2.0 488 Not Acceptable Here", "9 INVITE", to_tag="1"),
            asked(502, "ACK", 9),
            sent(900, "INVITE", 2, to_tag="far"),
            got(901, "491 Request Pending", 2),
            asked(1600, "BYE", 10),
        ]
    )
    assert (200, 1500, Direction.RECEIVED) == (read.final.status, read.timing.talk_ms, read.bye_from)


def test_messages_of_other_calls_are_left_out():
    read = read_conversation(
        [
            got(-5, "200 OK", method="REGISTER", call_id="register"),
            sent(0, "INVITE"),
            got(10, "486 Busy Here", call_id="another"),
            got(20, "603 Decline"),
        ]
    )
    assert (read.final.status, read.call_id) == (603, CALL)


def test_a_cut_final_response_is_read_as_far_as_it_goes():
    raw = b'SIP/2.0 603 Network Blocked\r\nVia: SIP/2.0/UDP 192.0.2.10\r\nReason: SIP;cause=603;text="v=analytics1;ur'
    cut = wire(90, Direction.RECEIVED, raw, cut=True)
    read = read_conversation([sent(0, "INVITE"), cut])
    assert (603, True, "v=analytics1;ur") == (read.final.status, read.cut, read.final.reasons[0].text)


def test_a_whole_response_without_cseq_belongs_to_nobody():
    raw = b"SIP/2.0 603 Decline\r\nCall-ID: abc@probe.example.net\r\n\r\n"
    stray = wire(90, Direction.RECEIVED, raw)
    assert read_conversation([sent(0, "INVITE"), stray]).final is None


@pytest.mark.parametrize("cseq", ["INVITE", "x INVITE", "\u00b2 INVITE", f"{'9' * 5000} INVITE", "1 INVITE more"])
def test_a_response_with_a_broken_cseq_belongs_to_nobody(cseq):
    stray = message(90, Direction.RECEIVED, "SIP/2.0 603 Decline", cseq)
    assert read_conversation([sent(0, "INVITE"), stray]).final is None


def test_a_response_alone_is_read_too():
    assert 603 == read_conversation([got(90, "603 Decline", 4)]).final.status


def test_early_media_may_come_in_a_multipart_body():
    body = (
        "Content-Type: multipart/mixed;boundary=x\r\n\r\n--x\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--x--\r\n"
    )
    read = read_conversation([sent(0, "INVITE"), got(70, "183 Session Progress", extra=body)])
    assert 70 == read.timing.early_media_ms


def test_nothing_gives_nothing():
    read = read_conversation([])
    assert (None, None, ()) == (read.final, read.call_id, read.provisional)


def test_the_ladder_has_a_row_for_each_message():
    rows = ladder(
        [
            sent(0, "INVITE"),
            got(4, "183 Session Progress", extra=SDP),
            got(90, "603 Network Blocked"),
            sent(91, "ACK"),
            got(590, "603 Network Blocked"),
            asked(600, "BYE", 2, extra="Reason: SIP;cause=607, Q.850\r\n"),
            got(601, "200 OK", method="CANCEL"),
        ]
    )
    assert [
        "INVITE (caller +12025550101)",
        "183 Session Progress (SDP)",
        "603 Network Blocked",
        "ACK",
        "603 Network Blocked (retransmission)",
        "BYE (SIP;cause=607, Q.850)",
        "200 OK (to CANCEL)",
    ] == [row.label for row in rows]
    assert (0, Direction.SENT) == (rows[0].at_ms, rows[0].direction)


@pytest.mark.parametrize(
    ("from_", "more", "caller"),
    [
        ("<sip:anonymous@anonymous.invalid>;tag=1", "P-Asserted-Identity: <tel:+12025550103>\r\n", "+12025550103"),
        ("<sip:anonymous@anonymous.invalid>;tag=1", "", "anonymous"),
        ("garbage", "", "unknown"),
    ],
)
def test_the_ladder_names_the_caller(from_, more, caller):
    raw = f"INVITE sip:b@example.com SIP/2.0\r\nFrom: {from_}\r\n{more}\r\n".encode()
    invite = wire(0, Direction.SENT, raw)
    assert f"INVITE (caller {caller})" == ladder([invite])[0].label


def test_the_ladder_shows_no_control_characters():
    rows = ladder([got(1, "603 Net\x1b[31mwork\x07 Blocked"), got(2, "\x1b]0;x\x07")])
    assert ["603 Network Blocked", "unreadable message"] == [row.label for row in rows]
