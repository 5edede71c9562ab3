"""Bytes that strangers wrote in; every reading of them out, each held against what must be true whatever the bytes.

The same checks serve hypothesis (`tests/fuzz/test_fuzz_readings.py`), the files of what was found (`tests/data/fuzz`)
and atheris (`make fuzz`).
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

from probe.call import CallRecord, CallRequest, Direction, Ending, Message
from probe.documents import call_document, explain_document
from probe.errors import ReceiverError, ScenarioError
from probe.importing import Bad, Ignored, Reported, Source, Unreadable, read_rows, record_of
from probe.importing.capture import calls_of
from probe.importing.tshark import _messages
from probe.judged import JudgedCall, digest_of, judge_call
from probe.phone import barred, normalise
from probe.report.calls_csv import calls_csv
from probe.report.explain import explain
from probe.report.github import annotations
from probe.report.junit import junit
from probe.report.lines import Line, as_text
from probe.report.notices import complaints
from probe.report.pcap import write_pcap
from probe.report.show import show
from probe.report.tables import calls_table, summary
from probe.scenario.caller_file import FoundCaller, read_callers
from probe.scenario.file import read_scenario
from probe.sip import ladder, read_request, read_response
from probe.sip.blanked import without_secrets
from probe.sip.reason import Reason, read_reasons, written
from probe.verdict import Heard, judge, next_steps, read_jcard, read_notice
from probe.verdict.card import find_fault, find_signature_fault, read_certificates
from probe.webhook.answer import read_answer
from probe.webhook.retry import read_retry_after
from probe.withheld import Realms

DATA = Path(__file__).parents[1] / "data"
FOUND = DATA / "fuzz"
"""What fuzzing found, in a folder for each reading: every file is read again by the tests."""
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
BETWEEN = b"\n--next--\n"
CARD = (DATA / "cards" / "card.jws").read_bytes()
"""A card that is believed, at START, with the chain of certificates beside it."""
_ROOTS = read_certificates((DATA / "cards" / "root.pem").read_bytes())
_SOURCE = Source(name="x", latest=START + timedelta(days=1))
_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]")
_CALL = CallRequest(id="c1", plan_key="k", trunk="far", caller="+12025550101", callee="+12025550191", ring_limit_ms=1)
# An escape takes ten characters for one, a header stands in the ladder, the messages and the JSON: this much and no
# more, whatever the bytes.
_GROWS, _ROOM = 400, 40_000


def shows_nothing_hidden(text: str) -> None:
    assert not _UNSEEN.search(text), ascii(_UNSEEN.search(text))


def is_bounded(written_out: str | bytes, raw: bytes) -> None:
    assert len(written_out) <= _GROWS * len(raw) + _ROOM, (len(raw), len(written_out))


def _shown(lines: Iterable[Line], raw: bytes) -> None:
    text = as_text(lines)
    shows_nothing_hidden(text)
    is_bounded(text, raw)


def read_a_response(raw: bytes) -> None:
    """One final response, as `probe explain` takes it."""
    response = read_response(raw)
    assert read_response.__wrapped__(raw) == response
    assert response.status is None or 0 <= response.status <= 999
    assert sum(len(name) + len(value) for name, value in response.headers) <= len(raw) * len("Accept-Contact")
    notice, verdict = read_notice(response), judge(Heard(response=response))
    assert verdict.notice == notice
    for words in (*verdict.because, *verdict.flags, *next_steps(verdict, notice), *(notice.flaws if notice else ())):
        assert words.isprintable(), words
    document = explain_document(response, notice, verdict).plain()
    is_bounded(json.dumps(document), raw)
    assert document == json.loads(json.dumps(document))
    for width in (None, 40):
        _shown(explain(response, notice, verdict, width=width), raw)


def read_a_request(raw: bytes) -> None:
    """What a stranger asks, or we: what is kept of it, and whether it may leave with the credentials that it has."""
    request = read_request(raw)
    assert request is None or (request.method and request.uri)
    kept = without_secrets(raw, ("X-Token",))
    assert kept == without_secrets(kept, ("X-Token",))
    is_bounded(kept, raw)
    realms = Realms({"carrier"})
    assert realms.allow(raw) or b"uthorization:" in raw
    assert realms.allow(kept)


def read_a_reason(raw: bytes) -> None:
    """Values of Reason headers, which are written and read again where messages are pruned."""
    reasons = read_reasons(raw.decode("utf-8", "replace").split("\n"))
    once_more = read_reasons(map(written, reasons))
    assert [_meaning(reason) for reason in reasons] == [_meaning(reason) for reason in once_more]


def _meaning(reason: Reason) -> tuple[object, ...]:
    return reason.protocol, reason.cause, reason.text, reason.location, reason.params


def _record(raw: bytes) -> CallRecord:
    """A call whose messages the bytes are; the first byte of each says which way it went, and whether it was cut."""
    messages = tuple(
        Message(
            at_ms=float(number * 100),
            direction=Direction.SENT if piece[:1] == b">" else Direction.RECEIVED,
            transport="udp",
            local="192.0.2.10:5060",
            remote="192.0.2.20:5060",
            raw=piece.lstrip(b"><"),
            cut=piece[:2] == b"<<",
        )
        for number, piece in enumerate(raw.split(BETWEEN)[:20])
    )
    return CallRecord(
        request=_CALL,
        started_at=START,
        ended_at=START + timedelta(seconds=2),
        ending=Ending.REFUSED,
        messages=messages,
    )


def read_a_call(raw: bytes) -> None:
    """All messages of a call, and everything that is made of them."""
    record = _record(raw)
    judged = judge_call(record)
    assert judged == judge_call(record)
    final = judged.conversation.final
    assert final is None or (final.status or 0) >= 200
    assert len(record.messages) == len(ladder(record.messages))
    _draws(judged, raw)
    # What is left when messages are pruned judges the call as its messages do.
    without = CallRecord(
        request=record.request,
        started_at=record.started_at,
        ended_at=record.ended_at,
        ending=record.ending,
        digest=digest_of(judged),
    )
    assert judged.verdict == judge_call(without).verdict


def _draws(judged: JudgedCall, raw: bytes) -> None:
    is_bounded(json.dumps(call_document(judged).plain()), raw)
    for width in (None, 60):
        _shown(show(judged, width=width), raw)
        _shown(calls_table([judged], width=width), raw)
        _shown(complaints([judged], width=width), raw)
        _shown([summary([judged], planned=1, width=width)], raw)
    for words in annotations([judged]):
        assert words.isprintable()
    shows_nothing_hidden(calls_csv([judged]).replace("\r\n", "\n"))
    ET.fromstring(junit([judged], planned=1))
    assert len(write_pcap(judged.record)) <= 100 * len(raw) + _ROOM


def read_a_jcard(raw: bytes) -> None:
    """The JWS of a 608's Call-Info, which only the far end signs."""
    card = read_jcard(raw)
    assert card == read_jcard(raw)
    assert all(flaw.isprintable() for flaw in card.flaws)
    is_bounded(repr(card), raw)


def read_a_signed_card(raw: bytes) -> None:
    """A JWS, and what stands where its signer's certificate is said to be: nobody but its signer is believed."""
    jws, _, certificates = raw.partition(BETWEEN)
    fault = find_fault(jws, START) or find_signature_fault(jws, certificates, _ROOTS, START)
    assert fault is None or (fault.isprintable() and len(fault) < 400)
    assert fault or jws.strip().split(b".")[:2] == CARD.split(b".")[:2]


def read_rows_of_others(raw: bytes) -> None:
    """A file of calls, JSON Lines or CSV."""
    for row in _rows(raw):
        if isinstance(row, Reported):
            _draws(judge_call(record_of(row)), raw)
        elif isinstance(row, Bad):
            assert row.line >= 1
            assert row.sentence.endswith(".")
            assert row.sentence.isprintable()
            assert len(row.sentence) <= 2_000


def _rows(raw: bytes) -> Iterator[Reported | Bad | Ignored]:
    try:
        yield from read_rows(io.BytesIO(raw), _SOURCE)
    except Unreadable as error:
        shows_nothing_hidden(str(error))


def read_what_tshark_says(raw: bytes) -> None:
    """The packets of a capture as tshark writes them."""
    carried = list(_messages(io.BytesIO(raw)))
    for call in calls_of(carried, _SOURCE):
        if isinstance(call, Bad):
            assert call.sentence.isprintable()
        else:
            _draws(judge_call(call), raw)


def read_a_scenario(raw: bytes) -> None:
    """A scenario file, with a CSV file of callers behind `--callers--`."""
    text, _, callers = raw.decode("utf-8", "surrogateescape").partition("--callers--")
    try:
        read_scenario(text, "x.yaml", {"NAME": "value", "SECRET": "a-secret-word"}, lambda _name: callers)
    except ScenarioError as error:
        said = str(error)
    else:
        return
    shows_nothing_hidden(said)
    assert "a-secret-word" not in said or b"a-secret-word" in raw


def read_a_file_of_callers(raw: bytes) -> None:
    """A CSV file of callers: what is read of it can stand in an INVITE."""
    for found in read_callers(raw.decode("utf-8", "surrogateescape"), "callers.csv"):
        if isinstance(found, FoundCaller):
            assert re.fullmatch(r"\+[0-9]{7,15}", found.caller.number)
            assert found.caller.number == normalise(found.caller.number)
            words = (found.caller.label, found.caller.campaign, found.caller.lead_source, *found.caller.tags)
            assert all(word.isprintable() for word in words if word)
        else:
            assert found.sentence.isprintable()
            assert found.line >= 1


def read_an_answer(raw: bytes) -> None:
    """The status and the Retry-After of a webhook's receiver, in two lines."""
    first, _, asked = raw.decode("latin-1").partition("\n")
    wait_s = read_retry_after(asked, START)
    assert wait_s is None or 0 <= wait_s <= 86_400
    status = int(first[:3]) if first[:3].isascii() and first[:3].isdigit() else 500
    try:
        read_answer(status, wait_s, "hooks.example.com")
    except ReceiverError as error:
        said = str(error)
    else:
        said = ""
    shows_nothing_hidden(said)
    assert (not said) is (200 <= status < 300)


def read_a_number(raw: bytes) -> None:
    """The text of a telephone number, as a file or a command line has it."""
    text = raw.decode("utf-8", "replace")
    number, refused = normalise(text), barred(text)
    assert number is None or re.fullmatch(r"\+[0-9]{7,15}", number)
    assert number is None or number == normalise(number)
    assert refused == barred.__wrapped__(text)
    if number and refused is None:
        assert barred(number) is None


READINGS: dict[str, Callable[[bytes], None]] = {
    "response": read_a_response,
    "request": read_a_request,
    "reason": read_a_reason,
    "call": read_a_call,
    "jcard": read_a_jcard,
    "card": read_a_signed_card,
    "rows": read_rows_of_others,
    "capture": read_what_tshark_says,
    "scenario": read_a_scenario,
    "callers": read_a_file_of_callers,
    "answer": read_an_answer,
    "number": read_a_number,
}
