"""No input makes the reading raise, whatever the bytes, and nothing that comes out can harm a screen."""

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.call import Direction, Ending, Message
from probe.sip import Reason, ladder, read_conversation, read_response
from probe.verdict import Confidence, Disposition, Heard, judge, next_steps, read_jcard, read_notice

DATA = Path(__file__).parents[1] / "data"
SAMPLES = [path.read_bytes() for path in sorted(DATA.glob("*/*.sip"))]
PIECES = [
    b"SIP/2.0 603 Network Blocked\r\n",
    b"SIP/2.0 ",
    b"INVITE sip:a@b SIP/2.0\r\n",
    b"Reason: ",
    b"SIP",
    b"Q.850",
    b";cause=603",
    b';text="v=analytics1;',
    b"url=https://",
    b"tel=+1",
    b"email=",
    b'"',
    b"\\",
    b"\xe2\x80\x9d",
    b"\xff",
    b"\x00",
    b"\r\n",
    b"\n",
    b"\n ",
    b";",
    b",",
    b"=",
    b":",
    b"CSeq: 1 INVITE\r\n",
    b"Call-ID: a\r\n",
    b"Call-Info: <https://a.example.com>;purpose=jwscard\r\n",
    b"X-Twilio-Error: 1",
    b"\r\n\r\n",
]
few = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
glued = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)
times = st.none() | st.floats(min_value=0, max_value=1e6)


@st.composite
def mutated(draw):
    """One sample with a few bytes cut out, doubled or put in."""
    raw = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(raw)))
        end = draw(st.integers(start, min(len(raw), start + 40)))
        put = draw(st.one_of(st.just(raw[start:end] * 2), st.binary(max_size=6), st.sampled_from(PIECES)))
        raw = raw[:start] + put + raw[end:]
    return raw


raws = st.one_of(st.binary(max_size=600), glued, mutated())
messages = st.lists(
    st.builds(
        Message,
        at_ms=st.floats(min_value=-10, max_value=1e6),
        direction=st.sampled_from(Direction),
        transport=st.just("udp"),
        local=st.just("127.0.0.1:5060"),
        remote=st.just("127.0.0.1:5070"),
        raw=raws,
        cut=st.booleans(),
    ),
    max_size=8,
)


def check(verdict, notice):
    assert verdict.disposition in Disposition
    assert verdict.confidence in Confidence
    assert list(verdict.flags) == sorted(set(verdict.flags))
    assert verdict.because
    shown = [*verdict.because, *verdict.flags, *next_steps(verdict, notice)]
    assert all(text.isprintable() for text in shown)


@few
@given(raws)
def test_any_bytes_are_read_and_judged(raw):
    response = read_response(raw)
    assert response.status is None or 0 <= response.status <= 999
    assert all(type(r) is Reason and (r.cause is None or r.cause >= 0) for r in response.reasons)
    notice = read_notice(response)
    check(judge(Heard(response=response)), notice)


@few
@given(
    st.builds(
        Heard,
        response=st.none() | raws.map(read_response),
        ending=st.none() | st.sampled_from(Ending),
        detail=st.none() | st.just("\x1b[2Jdetail"),
        alerting_ms=times,
        early_media_ms=times,
        final_ms=times,
        talk_ms=times,
        bye_reasons=raws.map(lambda raw: read_response(raw).reasons),
        bye_from=st.none() | st.sampled_from(Direction),
        cut=st.booleans(),
    )
)
def test_any_call_is_judged(heard):
    check(judge(heard), None)


@few
@given(messages)
def test_any_messages_are_a_conversation(call):
    read = read_conversation(call)
    assert read.final is None or read.final.status >= 200
    rows = ladder(call)
    assert len(call) == len(rows)
    assert all(row.label.isprintable() for row in rows)


@few
@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)))
def test_any_text_is_a_jcard_with_flaws(jws):
    card = read_jcard(jws)
    assert card.flaws


@pytest.mark.parametrize(
    "unit",
    [
        b"\r\n ",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b"a",
        b"a:",
        b"a: \r\n",
        b"a:" + b" " * 50,
        b"\xff\n",
        b":\n",
        b"\r\r\n",
        b"X:;",
    ],
)
def test_a_big_message_costs_time_in_proportion(unit):
    """Ten times the size may take up to forty times as long, where a quadratic reader would take a hundred times."""

    def cost(size: int) -> float:
        raw = b"SIP/2.0 603 Decline\r\n" + unit * (size // len(unit))
        took = []
        for _ in range(2):
            start = time.process_time()
            judge(Heard(response=read_response(raw)))
            took.append(time.process_time() - start)
        return min(took)

    assert cost(200_000) < 40 * max(cost(20_000), 0.002)


def test_each_sample_is_read_cut_at_any_place():
    for raw in SAMPLES:
        for end in range(0, len(raw), 31):
            response = read_response(raw[:end])
            check(judge(Heard(response=response)), read_notice(response))
