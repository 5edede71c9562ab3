"""A call is judged from its messages, or later from the digest that is kept of them: both have to say the same."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placed import SDP, answered, in_dialog, invite, placed, refused, request, response, unplaced
from sqlalchemy import JSON, Column, MetaData, Table, create_engine, insert, select

from probe.call import Digest, Direction, Ending
from probe.judged import JudgedCall, digest_of, judge_call
from probe.sip import read_response
from probe.store import rows

DATA = Path(__file__).parent / "data"
SAMPLES = sorted([*DATA.glob("corpus/*.sip"), *DATA.glob("responses/*.sip")])
SENT, RECEIVED = Direction.SENT, Direction.RECEIVED
PROGRESS = b"SIP/2.0 %s\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n"


def call_of(path: Path) -> JudgedCall:
    """The sample as the final response of a call, with the times of its JSON."""
    raw = path.read_bytes()
    times = path.with_suffix(".json")
    at_ms = json.loads(times.read_text())["at_ms"] if times.exists() else {"alerting": 310, "final": 4_000}
    call_id = (read_response(raw).header("call-id") or "c1@probe.example.net").encode()
    opening = invite(request()).replace(b"c1@probe.example.net", call_id)
    heard = [(at_ms["final"], RECEIVED, raw)]
    if at_ms.get("alerting") is not None:
        heard.append((at_ms["alerting"], RECEIVED, PROGRESS % (b"180 Ringing", call_id) + b"\r\n"))
    if at_ms.get("early_media") is not None:
        media = b"Content-Type: application/sdp\r\n\r\n" + SDP
        heard.append((at_ms["early_media"], RECEIVED, PROGRESS % (b"183 Session Progress", call_id) + media))
    made = placed(*heard)
    opened = replace(made.record.messages[0], raw=opening)
    return judge_call(replace(made.record, messages=(opened, *made.record.messages[1:])))


def stored(digest: Digest) -> Digest | None:
    """The digest as it comes back from the store."""
    written = json.dumps(asdict(digest))
    return rows.read_digest(json.loads(written))


def without_messages(judged: JudgedCall) -> JudgedCall:
    return judge_call(replace(judged.record, messages=(), digest=stored(digest_of(judged))))


def opinions(judged: JudgedCall) -> tuple[object, ...]:
    """All that is told of a call to anybody."""
    said = judged.conversation
    final = said.final
    return (
        judged.verdict,
        judged.notice,
        said.timing,
        (final.status, final.phrase, final.reasons, final.flaws) if final else None,
        [(one.status, one.at_ms, one.sdp) for one in said.provisional],
        [(reason.protocol, reason.cause, reason.text, reason.location, reason.params) for reason in said.bye_reasons],
        said.bye_from,
        said.cut,
        said.call_id,
        judged.as_expected,
    )


def test_there_are_samples():
    assert len(SAMPLES) > 90


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_call_is_judged_the_same_without_its_messages(path):
    judged = call_of(path)
    assert judged.conversation.final is not None or path.stem == "not_sip"
    assert opinions(judged) == opinions(without_messages(judged))
    assert opinions(judged) == opinions(without_messages(without_messages(judged)))


def test_the_digest_leaves_out_what_only_names_the_route():
    digest = digest_of(call_of(DATA / "corpus" / "A01.sip"))
    assert ("Reason",) == tuple(name for name, _ in digest.headers)


@pytest.mark.parametrize(
    "judged",
    [
        answered(),
        answered(ms=90, held_ms=200),
        refused("603 Decline", rang_ms=500, ms=4_000),
        placed(ending=Ending.NO_RESPONSE, detail="silent"),
        unplaced(Ending.AGENT_FAILED, "no port"),
        unplaced(Ending.GUARDED, "on no list"),
    ],
    ids=["held", "dropped by us", "declined", "silent", "not placed", "guarded"],
)
def test_a_call_without_a_refusal_is_judged_the_same_too(judged):
    assert opinions(judged) == opinions(without_messages(judged))


def ended_by_the_far_end(raw: bytes, reason: str) -> JudgedCall:
    """A call that a response answered or refused; then the far end hung up, with a Reason."""
    bye = in_dialog(request(), "BYE", sequence=1).replace(b"Content-Length", reason.encode() + b"\r\nContent-Length")
    messages = (
        (300.0, RECEIVED, response(request(), "180 Ringing")),
        (900.5, RECEIVED, raw),
        (1_200.25, RECEIVED, bye),
    )
    return placed(*messages, ending=Ending.ANSWERED)


def test_what_the_far_end_says_as_it_hangs_up_is_kept():
    judged = ended_by_the_far_end(response(request(), "200 OK"), 'Reason: SIP;cause=607;text="Unwanted \\"spam\\""')
    assert "subscriber_blocked" == judged.verdict.disposition == without_messages(judged).verdict.disposition
    assert (299.75, RECEIVED, 'Unwanted "spam"') == (
        without_messages(judged).conversation.timing.talk_ms,
        without_messages(judged).conversation.bye_from,
        without_messages(judged).conversation.bye_reasons[0].text,
    )


def test_the_flaws_of_a_response_are_kept():
    judged = placed((90.0, RECEIVED, response(request(), "603 Decline", "no header line")))
    assert "bad_header_line" in judged.verdict.flags
    assert opinions(judged) == opinions(without_messages(judged))


def test_a_response_of_which_only_the_head_was_kept_is_still_called_cut():
    made = placed((90.0, RECEIVED, response(request(), "603 Decline")))
    messages = tuple(replace(one, cut=one.direction is RECEIVED) for one in made.record.messages)
    judged = judge_call(replace(made.record, messages=messages))
    assert "message_cut" in judged.verdict.flags
    assert opinions(judged) == opinions(without_messages(judged))


PIECES = ["SIP", "Q.850", ";cause=603", ";text=", '"', "\\", ",", ";", "=", " ", "v=analytics1;url=https://a.example.com",
          "location", "\t", "“", "'", "é", "\x00", "\x1b[2J", "607", "\r\n x", "name"]  # fmt: skip
glued = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@settings(max_examples=300, deadline=None)
@given(
    status=st.sampled_from(["603 Network Blocked", "603 Decline", "200 OK", "486 ", "608 Rejected", "999 X", "603"]),
    lines=st.lists(st.sampled_from(["Reason", "r", "Retry-After", "Server", "X-Twilio-Error"]).flatmap(
        lambda name: glued.map(lambda text: f"{name}: {text}")), max_size=4),
    bye=glued,
)  # fmt: skip
def test_whatever_the_network_writes_the_digest_says_the_same(status, lines, bye):
    judged = ended_by_the_far_end(response(request(), status, *lines), f"Reason: {bye}")
    assert opinions(judged) == opinions(without_messages(judged))


def test_digests_survive_the_database():
    digests = [digest_of(call_of(path)) for path in SAMPLES]
    table = Table("one", MetaData(), Column("digest", JSON(none_as_null=True)))
    with create_engine("sqlite://").begin() as connection:
        table.create(connection)
        connection.execute(insert(table), [{"digest": asdict(digest)} for digest in digests])
        found = connection.execute(select(table.c.digest)).scalars()
        assert digests == [rows.read_digest(digest) for digest in found]


def test_no_digest_is_none():
    assert rows.read_digest(None) is None
