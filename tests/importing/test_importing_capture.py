"""The SIP messages of a capture: whole calls come out, each from its caller's side."""

import pickle
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from placed import BLOCKED, START, answered, refused, request, response

from probe.call import Direction, Ending
from probe.importing import Bad, Source
from probe.importing.capture import calls_of
from probe.importing.tshark import Carried
from probe.judged import judge_call
from probe.report.pcap import write_pcap
from probe.verdict import Disposition

SOURCE = Source(name="trace.pcap", network="verizon", latest=START + timedelta(days=1))
V6_ENDS = ("[2001:db8::10]:5060", "[2001:db8::20]:5060")
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark (Debian: tshark)")


def opening(judged):
    """The record of a call whose first INVITE opens it: one that has a To tag would be inside a call."""
    first, *others = judged.record.messages
    return replace(judged.record, messages=(replace(first, raw=first.raw.replace(b">;tag=b2", b">", 1)), *others))


def carried(record, *, number=1, late_s=0.0, swap=()):
    """The messages of a record as a capture has them; `swap` names parts of them that are other ones."""
    for message in record.messages:
        sent = message.direction is Direction.SENT
        source, target = (message.local, message.remote) if sent else (message.remote, message.local)
        raw = message.raw
        for old, new in swap:
            raw = raw.replace(old, new)
        at = record.started_at + timedelta(milliseconds=message.at_ms, seconds=late_s)
        yield Carried(number, at, message.transport, source, target, raw)


def read(messages, source=SOURCE):
    return list(calls_of(sorted(messages, key=lambda one: one.at), source))


@pytest.mark.parametrize("years", [-30, 2, 300])
def test_a_call_with_any_message_of_another_age_is_a_bad_row(years):
    first, *others = carried(opening(refused(*BLOCKED)))
    last = others.pop()
    [bad] = calls_of([first, *others, last._replace(at=last.at + timedelta(days=366 * years))], SOURCE)
    assert isinstance(bad, Bad)
    assert "look at the clock of what captured it" in bad.sentence


def test_a_call_comes_out_as_it_was_placed():
    before = opening(refused(*BLOCKED, rang_ms=100))
    [record] = read(carried(before, number=7))
    assert before.messages == record.messages
    assert ("+12025550101", "+12025550191", "verizon") == (
        record.request.caller,
        record.request.callee,
        record.request.network,
    )
    assert (before.started_at, Ending.REFUSED, "trace.pcap:7") == (record.started_at, record.ending, record.imported)
    judged = judge_call(record)
    assert Disposition.ANALYTICS_BLOCKED is judged.verdict.disposition
    assert (100.0, 412.0) == (judged.conversation.timing.alerting_ms, judged.conversation.timing.final_ms)


def test_an_answered_call_has_its_talk():
    [record] = read(carried(opening(answered(held_ms=6_000))))
    assert (Ending.ANSWERED, 6_000.0) == (record.ending, judge_call(record).conversation.timing.talk_ms)
    assert record.started_at + timedelta(milliseconds=9_105) == record.ended_at


def test_calls_that_overlap_are_told_apart_by_call_id():
    other = ((b"c1@", b"c2@"), (b"+12025550191", b"+12025550192"))
    messages = [*carried(opening(answered())), *carried(opening(refused(*BLOCKED)), late_s=1, swap=other)]
    found = {record.request.callee: record.ending for record in read(messages)}
    assert {"+12025550191": Ending.ANSWERED, "+12025550192": Ending.REFUSED} == found


def test_of_two_hops_the_first_counts():
    """A proxy passes the call on with the same Call-ID: its messages to the next hop are not the caller's."""
    first = list(carried(opening(refused(*BLOCKED))))
    second = [
        one._replace(
            at=one.at + timedelta(milliseconds=1),
            source={"192.0.2.10:5060": "192.0.2.20:5060"}.get(one.source, "192.0.2.30:5060"),
            target={"192.0.2.10:5060": "192.0.2.20:5060"}.get(one.target, "192.0.2.30:5060"),
        )
        for one in first
    ]
    [record] = read([*first, *second])
    assert len(first) == len(record.messages)
    assert {"192.0.2.20:5060"} == {message.remote for message in record.messages}


def test_on_one_machine_the_ports_tell_the_directions():
    before = opening(refused(*BLOCKED, ends=("127.0.0.1:5070", "127.0.0.1:5060")))
    [record] = read(carried(before))
    assert before.messages == record.messages


def test_a_side_that_sends_from_another_port_is_still_that_side():
    before = opening(refused(*BLOCKED))
    messages = [
        one._replace(source=one.source.replace("192.0.2.20:5060", "192.0.2.20:40000")) for one in carried(before)
    ]
    [record] = read(messages)
    assert [m.direction for m in before.messages] == [m.direction for m in record.messages]


def test_the_caller_id_of_an_anonymous_call_is_the_asserted_one():
    asserted = (
        (b"From: <sip:+12025550101@sbc.example.com>", b"From: <sip:anonymous@anonymous.invalid>"),
        (b"CSeq: 1 INVITE", b"P-Asserted-Identity: <tel:+12025550155>\r\nCSeq: 1 INVITE"),
    )
    [record] = read(carried(opening(refused(*BLOCKED)), swap=asserted))
    assert "+12025550155" == record.request.caller


@pytest.mark.parametrize(
    ("swap", "expected"),
    [
        (
            [(b"sip:+12025550101@", b"sip:alice@")],
            'begins a call from "alice", which is no phone number.',
        ),
        (
            [(b"INVITE sip:+12025550191@", b"INVITE sip:911@")],
            'begins a call to "911", which is no phone number.',
        ),
        ([(b"SIP/2.0 603", b"SIP/2.0 183")], "begins a call of which the capture holds no final response."),
    ],
)
def test_a_call_that_cannot_be_taken_is_named_by_the_packet_that_begins_it(swap, expected):
    [bad] = read(carried(opening(refused(*BLOCKED)), number=9, swap=swap))
    assert Bad(line=9, sentence=expected) == bad


@pytest.mark.parametrize("started_at", [datetime(1970, 1, 1, tzinfo=UTC), START + timedelta(days=2)])
def test_a_capture_from_another_time_is_told_of(started_at):
    [bad] = read(carried(opening(refused(*BLOCKED, at=started_at))))
    assert "has a time in the future, or in another age; look at the clock of what captured it." == bad.sentence


def test_what_is_no_call_is_left_alone():
    register = b"REGISTER sip:sbc.example.com SIP/2.0\r\nCall-ID: r1\r\nCSeq: 1 REGISTER\r\n\r\n"
    in_a_call = b"INVITE sip:+12025550191@x SIP/2.0\r\nTo: <sip:a@b>;tag=1\r\nCall-ID: i1\r\nCSeq: 2 INVITE\r\n\r\n"
    strays = [register, in_a_call, response(request(), "200 OK"), b"\xff\0", b""]
    assert [] == read(Carried(1, START, "udp", "192.0.2.1:5060", "192.0.2.2:5060", raw) for raw in strays)


def test_a_call_is_given_when_it_is_over_and_not_only_at_the_end():
    """A capture of a whole day does not pile up in memory."""
    record = opening(refused(*BLOCKED))
    endless = (
        message
        for number in range(10_000_000)
        for message in carried(record, late_s=10.0 * number, swap=[(b"c1@", b"c%d@" % number)])
    )
    calls = calls_of(endless, replace(SOURCE, latest=START + timedelta(days=10_000)))
    assert 500 == len({next(calls).request.id for _ in range(500)})


def test_a_flood_of_calls_that_never_end_is_let_go(monkeypatch):
    monkeypatch.setattr("probe.importing.capture._MOST_OPEN", 10)
    monkeypatch.setattr("probe.importing.capture._SWEEP", 1)
    invite = next(carried(opening(refused(*BLOCKED))))
    flood = (invite._replace(packet=n, raw=invite.raw.replace(b"c1@", b"c%d@" % n)) for n in range(1_000_000))
    assert 0 == next(calls_of(flood, SOURCE)).line


def through_tshark(capture):
    """What the process that reads makes of a capture on its stdin."""
    program = (
        "import pickle, sys; from datetime import datetime, UTC; from probe.importing import *\n"
        "source = Source(name='trace.pcap', latest=datetime(2027, 1, 1, tzinfo=UTC))\n"
        "found = []\n"
        "try: found.extend(read_capture(source))\n"
        "except Unreadable as error: found.append(str(error))\n"
        "pickle.dump(found, sys.stdout.buffer)"
    )
    done = subprocess.run([sys.executable, "-c", program], input=capture, stdout=subprocess.PIPE, check=True)
    return pickle.loads(done.stdout)


@needs_tshark
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ends": V6_ENDS},
        {"transport": "tcp"},
        {"transport": "tcp", "ends": V6_ENDS},
        {"ends": ("192.0.2.10:40000", "192.0.2.20:5080")},
    ],
    ids=str,
)
def test_tshark_gives_every_message_of_our_own_captures_to_the_byte(given):
    before = opening(refused(*BLOCKED, "X-Long: " + "x" * 4_000, "X-Bytes: \udcff\udc80", rang_ms=100, **given))
    [record] = through_tshark(write_pcap(before))
    assert before.messages == record.messages
    assert before.started_at == record.started_at


@needs_tshark
def test_two_messages_in_one_segment_are_two_messages():
    record = opening(answered(transport="tcp"))
    first, trying, ringing, *others = record.messages
    together = replace(record, messages=(first, replace(trying, raw=trying.raw + ringing.raw), *others))
    [found] = through_tshark(write_pcap(together))
    assert [m.raw for m in record.messages] == [m.raw for m in found.messages]


@needs_tshark
@pytest.mark.parametrize("content", [b"started_at,caller\n", b"\0" * 5_000])
def test_what_is_no_capture_is_told_of(content):
    [sentence] = through_tshark(content)
    assert sentence.startswith("is not a capture that tshark can read to its end (")


@needs_tshark
def test_a_capture_that_was_cut_short_gives_the_calls_that_are_whole():
    one, other = opening(refused(*BLOCKED)), opening(answered(at=START + timedelta(minutes=5)))
    capture = write_pcap(one) + write_pcap(other)[24:]
    record, sentence = through_tshark(capture[:-10])
    assert [m.raw for m in one.messages] == [m.raw for m in record.messages[: len(one.messages)]]
    assert "cut short" in sentence
