"""Whatever the bytes: never an exception but the one that says that the file as a whole is of another kind."""

import csv
import io
import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from probe.importing import Bad, Ignored, Reported, Source, Unreadable, read_rows, record_of
from probe.importing.columns import COLUMNS
from probe.judged import judge_call

SOURCE = Source(name="x", latest=datetime(2026, 11, 23, tzinfo=UTC))
PLAUSIBLE = {
    "started_at": st.sampled_from(["2026-11-20T15:04:05.250Z", "2026-11-20T10:04:05-05:00", "2026-11-20", 5]),
    "caller": st.sampled_from(["+12025550101", "+1 (202) 555-0102", "202", None]),
    "callee": st.sampled_from(["+12025550191", "+442079460000"]),
    "status": st.sampled_from([200, "603", 486, 180, 699, "6\u0663"]),
    "tags": st.one_of(st.lists(st.text(max_size=5), max_size=3), st.text(max_size=9)),
    "raw_final": st.sampled_from(["SIP/2.0 603 Decline\r\n\r\n", "SIP/2.0 200 OK\n\n", "\0", None]),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
CELLS = st.fixed_dictionaries(
    {"started_at": PLAUSIBLE["started_at"], "caller": PLAUSIBLE["caller"], "callee": PLAUSIBLE["callee"]},
    optional={name: PLAUSIBLE.get(name, JSON) for name in COLUMNS if name not in {"started_at", "caller", "callee"}}
    | {"more": JSON},
)


def read(content):
    try:
        return list(read_rows(io.BytesIO(content), SOURCE))
    except Unreadable:
        return []


def check(rows):
    for row in rows:
        assert isinstance(row, (Reported, Bad, Ignored))
        if isinstance(row, Reported):
            judge_call(record_of(row))
        elif isinstance(row, Bad):
            assert row.line >= 1
            assert row.sentence.endswith(".")


@given(st.binary(max_size=300))
def test_any_bytes(content):
    check(read(content))


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_lines_behind_a_good_one(lines):
    head = b'{"started_at": "2026-11-20T15:04:05Z", "caller": "+12025550101", "callee": "+12025550191", "status": 603}'
    rows = read(b"\n".join([head, *lines]))
    check(rows)
    assert isinstance(rows[0], Reported)


@given(st.lists(st.text(alphabet=',";\n\r\t\x00+x\ud800\u00e9', max_size=30), max_size=8))
def test_any_text_under_a_header(lines):
    content = "\n".join(["started_at,caller,callee,status,reason,reason", *lines])
    check(read(content.encode("utf-8", "surrogatepass")))


@given(st.lists(CELLS, max_size=5))
def test_any_cells_in_json(rows):
    found = read("\n".join(map(json.dumps, rows)).encode())
    check(found)
    assert len(rows) == sum(not isinstance(row, Ignored) for row in found)


@given(st.lists(CELLS, min_size=1, max_size=5))
def test_any_cells_in_csv(rows):
    names = [*COLUMNS]
    file = io.StringIO(newline="")
    table = csv.writer(file)
    table.writerow(names)
    for row in rows:
        table.writerow(["" if row.get(name) is None else str(row[name]).replace("\ud800", "") for name in names])
    found = read(file.getvalue().encode("utf-8", "replace"))
    check(found)
    assert len(rows) == len(found)


@given(st.lists(st.sampled_from(["a", '"', '""', ",", "\n", "\r\n"]), max_size=40))
def test_every_good_row_stands_whatever_stands_before_it(noise):
    """Good rows follow each other; noise in front may take the first of them into an open quote, but no more."""
    good = [f"2026-11-20T15:04:{second:02}Z,+12025550101,+12025550191,603" for second in range(10, 20)]
    content = "\n".join(["started_at,caller,callee,status", "".join(noise), *good])
    found = [row for row in read(content.encode()) if isinstance(row, Reported)]
    assert [10 + at for at in range(10)] == [row.started_at.second for row in found][-10:]
