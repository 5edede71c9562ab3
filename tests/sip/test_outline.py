"""Calls of one outline are read alike, so that one of them can be read for all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.call import Direction, Message
from probe.sip import read_conversation
from probe.sip.outline import in_ms, moments_of, outline_of

START_LINES = (
    "INVITE sip:+12025550123@192.0.2.1 SIP/2.0",
    "ACK sip:+12025550123@192.0.2.1 SIP/2.0",
    "BYE sip:a\tb@192.0.2.1 SIP/2.0",
    "BYE sip:probe@192.0.2.1 SIP/2.0",
    "SIP/2.0 100 Trying",
    "SIP/2.0 180 Ringing",
    "SIP/2.0 183 Session Progress",
    "SIP/2.0 200 OK",
    "SIP/2.0 401 Unauthorized",
    "SIP/2.0 603 Decline",
    "SIP/2.0  603  Decline",
    "nonsense",
)
LINES = (
    "Call-ID: one@probe.example.net",
    "Call-ID: two@probe.example.net",
    "call-id : one@probe.example.net",
    "i:one@probe.example.net",
    "i: two@probe.example.net",
    "Call-ID:",
    "Call-ID:\r\n one@probe.example.net",
    "CSeq: 7 INVITE",
    "CSeq: 8 INVITE",
    "CSeq: 31000 INVITE",
    "CSeq: 7 BYE",
    "cseq: 99999999999 INVITE",
    "CSeq:",
    "To: <sip:+12025550123@192.0.2.1>",
    "To: <sip:+12025550123@192.0.2.1>;tag=a",
    "t: <sip:+12025550123@192.0.2.1>;tag=b",
    "To: <sip:+12025550123@192.0.2.1>;tag=",
    "RSeq: 1",
    "RSeq: 2",
    "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK-1",
    "v: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bK-2",
    "Via",
    "From: <sip:a@example.com>;tag=1",
    "Contact: <sip:a@example.com>",
    'Reason: SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r"',
    "Reason: Q.850;cause=16",
    "Content-Type: application/sdp",
    "Content-Type: multipart/mixed",
    " folded",
    "Subject: é",
    "no field at all",
)
BODIES = ("", "\r\n", "v=0\r\n", "--x\r\nContent-Type: application/sdp\r\n", "Call-ID: two@probe.example.net\r\n")
# Few of each, so that many calls have the same outline, or nearly.
MESSAGES = st.builds(
    lambda at_ms, sent, cut, start, lines, body, line_end: Message(
        at_ms=at_ms,
        direction=Direction.SENT if sent else Direction.RECEIVED,
        transport="udp",
        local="192.0.2.10:5060",
        remote="192.0.2.1:5060",
        raw=(line_end.join([start, *lines]) + line_end * 2 + body).encode(),
        cut=cut,
    ),
    st.sampled_from([0.0, 10.0, 10.5, 2_000.0]),
    st.booleans(),
    st.booleans(),
    st.sampled_from(START_LINES),
    st.lists(st.sampled_from(LINES), max_size=6),
    st.sampled_from(BODIES),
    st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"]),
)
CALLS = st.lists(MESSAGES, min_size=1, max_size=4)


def said(conversation):
    """All that a verdict is made from."""
    final = conversation.final
    kept = final and [pair for pair in final.headers if pair[0].lower() in {"reason", "subject", "content-type"}]
    return (
        final and (final.status, final.phrase, final.flaws, final.reasons, kept),
        [(one.status, one.phrase, one.sdp) for one in conversation.provisional],
        (conversation.bye_reasons, conversation.bye_from, conversation.challenged, conversation.cut),
    )


def read_by_places(messages):
    """Read a call as one of its outline is read, and put its times back."""
    moments, places = moments_of([one.at_ms for one in messages])
    moved = [
        Message(at_ms=place, direction=one.direction, transport="", local="", remote="", raw=one.raw, cut=one.cut)
        for one, place in zip(messages, places, strict=True)
    ]
    conversation = read_conversation(moved)
    return said(conversation), in_ms(conversation.timing, moments)


@settings(max_examples=300)
@given(CALLS)
def test_times_can_be_taken_out_and_put_back(messages):
    conversation = read_conversation(messages)
    assert (said(conversation), conversation.timing) == read_by_places(messages)


def renamed(raw):
    """Another call of the same outline: other names and numbers, the same ones equal. Of a body the length counts."""
    head, empty_line, body = raw.partition(b"\r\n\r\n")
    for old, new in (
        (b"one@", b"first@"),
        (b"two@", b"second@"),
        (b" 7 ", b" 107 "),
        (b" 8 ", b" 108 "),
        (b"31000", b"31100"),
        (b"tag=a", b"tag=x"),
        (b"tag=b", b"tag=y"),
        (b"RSeq: 1", b"RSeq: 55"),
        (b"RSeq: 2", b"RSeq: 56"),
        (b"branch=", b"branch=z9hG4bKother"),
        (b"a@example.com", b"b@example.net"),
        (b"sip:+12025550123", b"sip:+12025550199"),
    ):
        head = head.replace(old, new)
    return head + empty_line + body


def outline(messages):
    said = [(one.raw, one.direction is Direction.SENT, one.cut) for one in messages]
    return outline_of(said, moments_of([one.at_ms for one in messages])[1])


@settings(max_examples=300)
@given(CALLS)
def test_another_call_of_the_same_exchange_has_the_same_outline_and_is_read_alike(messages):
    other = [
        Message(
            at_ms=one.at_ms + 3,
            direction=one.direction,
            transport="tcp",
            local="",
            remote="",
            raw=renamed(one.raw),
            cut=one.cut,
        )
        for one in messages
    ]
    if outline(messages) is not None:
        assert outline(messages) == outline(other)
        assert said(read_conversation(messages)) == said(read_conversation(other))


@settings(max_examples=600)
@given(CALLS, st.data())
def test_a_call_with_one_thing_changed_is_read_alike_or_has_another_outline(messages, data):
    at = data.draw(st.integers(0, len(messages) - 1))
    other = [*messages[:at], data.draw(MESSAGES), *messages[at + 1 :]]
    drawn = outline(messages)
    if drawn is not None and drawn == outline(other):
        assert said(read_conversation(messages)) == said(read_conversation(other))


def one(raw):
    return Message(at_ms=1.0, direction=Direction.RECEIVED, transport="udp", local="", remote="", raw=raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\nSIP/2.0 603 Decline\r\nCall-ID: one\r\n\r\n",
        b"SIP/2.0 603 Decline\nCall-ID: one\n\n",
        b"SIP/2.0 603 Decline\r\nCall-ID:\r\n one\r\n\r\n",
        "SIP/2.0 603 Décliné\r\nCall-ID: one\r\n\r\n".encode(),
    ],
    ids=["empty", "empty lines first", "bare line ends", "folded", "not ASCII"],
)
def test_what_is_written_in_an_unusual_way_has_no_outline(raw):
    assert outline([one(raw)]) is None


def test_a_call_without_messages_has_no_outline():
    assert outline([]) is None


@pytest.mark.parametrize(
    ("raw", "other"),
    [
        (b"SIP/2.0 603 Decline\r\nCall-ID: one", b"SIP/2.0 604 Decline\r\nCall-ID: one"),
        (b"SIP/2.0 603 Decline\r\nReason: SIP;cause=1", b"SIP/2.0 603 Decline\r\nReason: SIP;cause=2"),
        (b"SIP/2.0 603 Decline\r\nCall-ID: one", b"SIP/2.0 603 Decline\r\nCall-ID:"),
        (b"SIP/2.0 603 Decline\r\nVia: one", b"SIP/2.0 603 Decline\r\nVia"),
        (b"SIP/2.0 603 Decline\r\nCSeq: 1 INVITE", b"SIP/2.0 603 Decline\r\nCSeq: 1 BYE"),
    ],
)
def test_what_is_read_makes_another_outline(raw, other):
    assert None is not outline([one(raw)]) != outline([one(other)])
