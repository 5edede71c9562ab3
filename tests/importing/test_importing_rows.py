"""Rows of JSON Lines and CSV: what they say comes out, and every mistake is named with its line."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from probe.call import Direction, Ending
from probe.importing import Bad, Ignored, Reported, Source, Unreadable, read_rows, record_of
from probe.judged import judge_call
from probe.verdict import Confidence, Disposition

DATA = Path(__file__).parents[1] / "data" / "import"
SOURCE = Source(name="calls.csv", latest=datetime(2026, 11, 23, tzinfo=UTC))
BLOCKED = 'SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r;id=blk-0001";location=RLN'
ROW = {
    "started_at": "2026-11-20T15:04:05.250Z",
    "caller": "+12025550101",
    "callee": "+12025550191",
    "status": 603,
    "phrase": "Network Blocked",
}


def read(content, source=SOURCE):
    return list(read_rows(io.BytesIO(content if isinstance(content, bytes) else content.encode()), source))


def one(**cells):
    """The one row that a line of JSON gives, with these cells in place of others; None takes one out."""
    return read(json.dumps(ROW | cells))[0]


def table(*lines, delimiter=","):
    """A table in CSV whose columns are those of ROW, one line for each row given."""
    return "\n".join([delimiter.join(ROW), *lines]) + "\n"


def line(delimiter=",", **cells):
    return delimiter.join(str(value) for value in (ROW | cells).values())


def records(content, **kwargs):
    return [record_of(row) for row in read(content, **kwargs) if isinstance(row, Reported)]


def sentence(**cells):
    bad = one(**cells)
    assert isinstance(bad, Bad), bad
    return bad.sentence


def test_a_line_of_json_says_all_that_is_known_of_a_call():
    blocked, answered, raw = map(record_of, read((DATA / "calls.jsonl").read_bytes()))
    assert ("+12025550101", "+12025550191", "verizon", "support") == (
        blocked.request.caller,
        blocked.request.callee,
        blocked.request.network,
        blocked.request.campaign,
    )
    assert datetime(2026, 11, 20, 15, 4, 5, 250_000, UTC) == blocked.started_at
    assert (("Reason", BLOCKED), ("Reason", "Q.850;cause=21")) == blocked.digest.headers
    assert ("calls.csv:1", "calls.csv:2", "calls.csv:3") == (blocked.imported, answered.imported, raw.imported)
    assert [Ending.REFUSED, Ending.ANSWERED, Ending.REFUSED] == [one.ending for one in (blocked, answered, raw)]
    assert [Disposition.ANALYTICS_BLOCKED, Disposition.ANSWERED, Disposition.ANALYTICS_BLOCKED] == [
        judge_call(one).verdict.disposition for one in (blocked, answered, raw)
    ]


def test_a_dialers_csv_says_the_same():
    """It has a byte order mark, semicolons, names in capitals, two columns for Reason, and a line break in a cell."""
    blocked, answered, busy = records((DATA / "dialer.csv").read_bytes())
    assert (("Reason", BLOCKED), ("Reason", "Q.850;cause=21")) == blocked.digest.headers
    assert "+12025550101" == blocked.request.caller
    assert ("east",) == blocked.request.tags
    assert datetime(2026, 11, 20, 15, 5, tzinfo=UTC) == answered.started_at
    assert ((180, 1900.0, False),) == answered.digest.provisional
    assert answered.started_at + timedelta(milliseconds=48_100) == answered.ended_at
    assert "Busy\r\nHere" == busy.digest.phrase
    assert ["calls.csv:2", "calls.csv:3", "calls.csv:4"] == [one.imported for one in (blocked, answered, busy)]


def test_a_column_that_means_nothing_is_named_once_with_what_it_may_have_meant():
    rows = [ROW | {"fianl_ms": 5, "agent": "kim"}] * 3
    found = read("\n".join(map(json.dumps, rows)))
    ignored = {one.column: one.near for one in found if isinstance(one, Ignored)}
    assert {"fianl_ms": "final_ms", "agent": None} == ignored
    assert 3 == sum(isinstance(one, Reported) for one in found)


def test_columns_without_end_are_named_a_hundred_times_and_no_more():
    rows = (ROW | {f"x{n}_{m}": 1 for m in range(50_000)} for n in range(2))
    found = read("\n".join(map(json.dumps, rows)))
    assert [100, 2] == [sum(isinstance(one, kind) for one in found) for kind in (Ignored, Reported)]


def test_the_raw_final_response_is_kept_to_the_byte_and_judged():
    raw = "SIP/2.0 603 Network Blocked\r\nCall-ID: a@b\r\nReason: " + BLOCKED + "\r\nX: \u00e9\r\n\r\n"
    record = record_of(one(raw_final=raw, status=None, phrase=None, alerting_ms=200, final_ms=412))
    [message] = record.messages
    assert (raw.encode(), Direction.RECEIVED, 412.0) == (message.raw, message.direction, message.at_ms)
    assert "a@b" == record.digest.sip_call_id
    judged = judge_call(record)
    assert (Disposition.ANALYTICS_BLOCKED, Confidence.CERTAIN) == (
        judged.verdict.disposition,
        judged.verdict.confidence,
    )
    assert (200.0, 412.0) == (judged.conversation.timing.alerting_ms, judged.conversation.timing.final_ms)


def test_a_raw_response_without_times_is_not_taken_for_a_fast_one():
    judged = judge_call(record_of(one(raw_final="SIP/2.0 603 Decline\r\nCSeq: 1 INVITE\r\n\r\n")))
    assert judged.conversation.timing.final_ms is None
    assert "fast_603_no_alerting" not in judged.verdict.flags


def test_credentials_in_a_raw_response_are_not_kept_in_words():
    record = record_of(one(raw_final="SIP/2.0 603 Decline\r\nProxy-Authorization: Digest response=c0ffee\r\n\r\n"))
    assert "c0ffee" not in repr(record.digest)


def test_where_a_row_names_no_network_the_command_line_does():
    source = Source(name="x", network="att", latest=SOURCE.latest)
    lines = "\n".join(json.dumps(ROW | more) for more in ({}, {"network": "verizon"}))
    assert ["att", "verizon"] == [record.request.network for record in records(lines, source=source)]


def test_tags_come_as_a_list_or_with_semicolons():
    assert ("east", "new") == one(tags=["east", "new", "east"]).tags
    assert ("east", "new") == one(tags="east; new ;").tags


def test_early_media_and_ringing_stand_in_the_order_of_their_times():
    assert ((183, 100.0, True), (180, 200.0, False)) == one(early_media_ms=100, alerting_ms=200).provisional
    assert ((180, 100.0, False), (183, 200.0, True)) == one(early_media_ms="200", alerting_ms="100").provisional


@pytest.mark.parametrize("empty", [None, "", []])
def test_an_empty_cell_says_nothing(empty):
    assert one() == one(reason=empty)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_tells_the_delimiter(delimiter):
    [record] = records(table(line(delimiter), delimiter=delimiter))
    assert "Network Blocked" == record.digest.phrase


def test_blank_lines_and_rows_are_no_rows():
    content = "\n\n" + table(line(), "", ",,,,", line(status=486))
    assert ["calls.csv:4", "calls.csv:7"] == [record.imported for record in records(content)]
    assert 2 == len(read("\n" + json.dumps(ROW) + "\n \n" + json.dumps(ROW | {"status": 486})))


def test_a_header_alone_holds_no_rows():
    assert [] == read(table())


def test_a_row_keeps_the_line_where_it_begins():
    content = table(line(phrase='"two\nlines"'), line(status="x"), line())
    first, bad, last = read(content)
    assert ("calls.csv:2", 4, "calls.csv:5") == (first.imported, bad.line, last.imported)


def test_a_quote_that_is_never_closed_costs_its_own_row_alone():
    content = table(line(), line(phrase='"Busy'), line(status=486), line(status=480))
    first, bad, second, third = read(content)
    assert ["calls.csv:2", "calls.csv:4", "calls.csv:5"] == [one.imported for one in (first, second, third)]
    assert (3, "is not CSV (unexpected end of data); look at its quotes.") == (bad.line, bad.sentence)


def test_many_quotes_that_are_never_closed_take_no_longer_than_others():
    """Each row that is read again is read once more, not once for every row before it."""
    broken = table(*[line(phrase='"x')] * 20_000)
    assert {Bad} == {type(row) for row in read(broken)}


def test_bytes_that_are_no_utf8_cost_their_own_row_alone():
    content = table(line(), line(phrase="Bl\xfccher"), line()).encode("latin-1")
    first, bad, last = read(content)
    assert (3, "is not UTF-8; save the file as UTF-8.") == (bad.line, bad.sentence)
    lines = [json.dumps(ROW).encode(), b'{"phrase": "\xff"}', json.dumps(ROW).encode()]
    assert [Reported, Bad, Reported] == [type(row) for row in read(b"\n".join(lines))]
    assert "calls.csv:4" == last.imported
    assert "calls.csv:2" == first.imported


def test_a_line_of_more_than_a_megabyte_is_left_out_without_being_held():
    class Long(io.BytesIO):
        asked = 0

        def readline(self, size=-1, /):
            self.asked = max(self.asked, size)
            assert size > 0
            return super().readline(size)

    good = json.dumps(ROW).encode()
    file = Long(good + b'\n{"phrase": "' + b"x" * 5_000_000 + b'"}\n' + good)
    assert [Reported, Bad, Reported] == [type(row) for row in read_rows(file, SOURCE)]
    assert file.asked <= (1 << 20) + 1
    csv = table(line(), line(phrase="x" * 3_000_000), line())
    assert [2, 4] == [int(row.imported.rpartition(":")[2]) for row in read(csv) if isinstance(row, Reported)]


def test_the_line_behind_one_that_is_too_long_keeps_its_number():
    content = b'{}\n{"a": "' + b"x" * 3_000_000 + b'"}\n{}\n'
    assert [1, 2, 3] == [row.line for row in read(content) if isinstance(row, Bad)]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{" * 100_000, '{"a":' * 100_000, "{", "{]", "nul", '{"a": NaN}', "{}{}"]
)
def test_what_is_not_json_is_a_bad_row(text):
    rows = read(json.dumps(ROW) + "\n" + text + "\n" + json.dumps(ROW))
    assert [Reported, Bad, Reported] == [type(row) for row in rows]
    assert (2, "is not JSON; write one object on each line.") == (rows[1].line, rows[1].sentence)


@pytest.mark.parametrize("text", ["[1]", "1", '"x"', "null", "true"])
def test_json_that_is_no_object_is_a_bad_row(text):
    [_, bad] = read(json.dumps(ROW) + "\n" + text)
    assert (2, "is no JSON object; write one object on each line.") == (bad.line, bad.sentence)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"started_at": None}, "started_at is missing; give every row one."),
        ({"caller": ""}, "caller is missing; give every row one."),
        ({"callee": None}, "callee is missing; give every row one."),
        ({"status": None}, "status is missing, and so is raw_final; give one of them."),
        ({"started_at": "yesterday"}, 'started_at "yesterday" is not a time; write it as 2026-11-22T10:00:00Z.'),
        ({"started_at": 1763650000}, 'started_at "1763650000" is not a time; write it as 2026-11-22T10:00:00Z.'),
        (
            {"started_at": "2026-11-20T15:04:05"},
            (
                'started_at "2026-11-20T15:04:05" has no time zone; '
                "write it as 2026-11-22T10:00:00Z or 2026-11-22T10:00:00-05:00."
            ),
        ),
        (
            {"started_at": "1970-01-01T00:00:00Z"},
            'started_at "1970-01-01T00:00:00Z" lies in another age; look at the clock of what wrote it.',
        ),
        (
            {"started_at": "9999-12-31T23:59:59-12:00"},
            'started_at "9999-12-31T23:59:59-12:00" lies in another age; look at the clock of what wrote it.',
        ),
        (
            {"started_at": "2026-11-23T00:00:01Z"},
            "started_at 2026-11-23 00:00:01 UTC is in the future; look at its zone.",
        ),
        ({"caller": "2025550101"}, 'caller "2025550101" is not a phone number; write it as +12025550101.'),
        ({"callee": 12025550191}, 'callee "12025550191" is not a phone number; write it as +12025550101.'),
        (
            {"status": 183},
            'status "183" is the status of a provisional response; write that of the final one.',
        ),
        (
            {"status": 99},
            'status "99" is not a SIP status; write the three digits of the final response, such as 603.',
        ),
        (
            {"status": True},
            'status "True" is not a SIP status; write the three digits of the final response, such as 603.',
        ),
        (
            {"status": "6\u0663\u0660"},
            'status "6\u0663\u0660" is not a SIP status; write the three digits of the final response, such as 603.',
        ),
        ({"phrase": 5}, 'phrase "5" is not a text; write it in quotes.'),
        ({"reason": [1]}, 'reason "[1]" is not a text; write it in quotes.'),
        ({"final_ms": -1}, 'final_ms "-1" is not a time in milliseconds, from 0 to a day; write it as 412.'),
        ({"final_ms": "nan"}, 'final_ms "nan" is not a time in milliseconds, from 0 to a day; write it as 412.'),
        ({"final_ms": 1e999}, "is not JSON; write one object on each line."),
        ({"final_ms": "1e999"}, 'final_ms "1e999" is not a time in milliseconds, from 0 to a day; write it as 412.'),
        ({"final_ms": False}, 'final_ms "False" is not a time in milliseconds, from 0 to a day; write it as 412.'),
        (
            {"alerting_ms": 500, "final_ms": 400},
            "alerting_ms is later than final_ms; both count from the INVITE.",
        ),
        (
            {"talk_ms": 5},
            "talk_ms says that they talked, but the final response is a refusal; correct one of them.",
        ),
        (
            {"network": "a\x1b[2J"},
            r'network "a\x1b[2J" holds a line break or a control character; take it out.',
        ),
        ({"network": ["a"]}, "network \"['a']\" is not a text; write it in quotes."),
        (
            {"label": "\ud800"},
            r'label "\ud800" holds a line break or a control character; take it out.',
        ),
        ({"campaign": "x" * 201}, f'campaign "{"x" * 59}…" is longer than 200 characters; make it shorter.'),
        ({"timezone": "Mars/Base"}, 'timezone "Mars/Base" is not a time zone; write it as America/New_York.'),
        (
            {"raw_final": "603 Decline"},
            "raw_final is no SIP response; its first line must be such as SIP/2.0 603 Decline.",
        ),
        (
            {"raw_final": "SIP/2.0 180 Ringing\r\n\r\n", "status": None},
            "raw_final is a provisional response; give the final one.",
        ),
        (
            {"raw_final": "SIP/2.0 486 Busy Here\r\n\r\n"},
            "status 603 is not that of raw_final, 486; correct one of them.",
        ),
        (
            {"raw_final": r"SIP/2.0 603 Decline\r\nReason: SIP;cause=603\r\n"},
            (
                r'raw_final "SIP/2.0 603 Decline\r\nReason: SIP;cause=603\r\n" '
                r"has \n written out where its lines end; write it with real line breaks."
            ),
        ),
    ],
)
def test_a_bad_row_is_told_of_in_a_sentence(cells, expected):
    assert expected == sentence(**cells)


@pytest.mark.parametrize("talk_ms", [0, "0", "0.0"])
def test_a_refused_call_may_say_that_nobody_talked(talk_ms):
    assert one(talk_ms=talk_ms).talk_ms is None


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (line() + ",extra", "has 6 cells, not 5; quote a text that holds the delimiter."),
        ("2026-11-20T15:04:05Z,+12025550101", "has 2 cells, not 5; quote a text that holds the delimiter."),
        (line(phrase='"Bu"sy'), "is not CSV (',' expected after '\"'); look at its quotes."),
    ],
)
def test_a_row_of_another_shape_is_a_bad_row(row, expected):
    first, bad, last = read(table(line(), row, line()))
    assert (3, expected) == (bad.line, bad.sentence)
    assert ["calls.csv:2", "calls.csv:4"] == [first.imported, last.imported]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty."),
        (b"\n \n", "is empty."),
        (b"x" * 3_000_000, "begins with a line that is longer than 1 MB; look at its quotes and line breaks."),
        (
            b"[" + json.dumps(ROW).encode() + b"]",
            "is one JSON array; write one object on each line, as jq -c '.[]' does.",
        ),
        (table(line()).encode("utf-16"), "is UTF-16; save it as UTF-8."),
        (json.dumps(ROW).encode("utf-16-le"), "is UTF-16; save it as UTF-8."),
        (b"\x1f\x8b\x08\x00", "is compressed; unpack it on the way, as in zcat FILE | probe import -."),
        (b"PK\x03\x04\x14\x00", "is a spreadsheet or an archive; save the sheet as CSV."),
        (b"\xd4\xc3\xb2\xa1\x02\x00", "is a capture; say --pcap, too."),
        (b"\x0a\x0d\x0d\x0a\x1c\x00", "is a capture; say --pcap, too."),
        (b"started_at,caller,callee,status,caller\n", "has the column caller twice; take one of them out."),
        (b"started_at,\xff\n", "is not UTF-8 in its first line; save it as UTF-8."),
    ],
)
def test_a_file_of_another_kind_is_told_of_before_any_row(content, expected):
    with pytest.raises(Unreadable) as error:
        read(content)
    assert expected == str(error.value)


@pytest.mark.parametrize("missing", ["started_at", "caller", "callee", "status"])
def test_a_column_that_every_row_needs_is_missed_before_any_row(missing):
    names = [name for name in ROW if name != missing]
    with pytest.raises(Unreadable, match=f"^names no column {missing}"):
        read(",".join(names) + "\n")


def test_the_same_call_has_the_same_id_in_every_file_and_another_call_another():
    in_json, in_csv = one(), read(table(line()))[0]
    assert in_json.id == in_csv.id
    assert in_json.id == one(network="verizon", campaign="new", tags=["x"]).id
    others = [
        one(started_at="2026-11-20T15:04:05.250001Z"),
        one(callee="+12025550192"),
        one(status=486),
        one(phrase="Decline"),
        one(reason="SIP;cause=603"),
        one(final_ms=3),
        one(sip_call_id="a"),
        one(sip_call_id="b"),
    ]
    assert 9 == len({in_json.id, *(other.id for other in others)})
    assert one(sip_call_id="a").id == one(sip_call_id="a", phrase="", final_ms=5).id


def test_ids_sort_by_the_time_of_the_calls():
    times = ["2001-01-01T00:00:00Z", "2026-11-20T15:04:05.250Z", "2026-11-20T15:04:05.251Z", "2026-11-21T00:00:00Z"]
    ids = [one(started_at=at).id for at in times]
    assert sorted(ids) == ids
    assert {("7", True)} == {(call_id[14], call_id[19] in "89ab") for call_id in ids}
