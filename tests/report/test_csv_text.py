import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.report.csv_text import rows_to_csv

HEADER = ("caller", "reason")
ACTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"


def cells(text, delimiter=","):
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def written(*cells_of_a_row):
    return cells(rows_to_csv(HEADER, [cells_of_a_row]))[1]


def test_a_table_is_lines_that_end_in_crlf_without_a_mark_at_the_front():
    assert 'caller,reason\r\na,"b, ""c"""\r\n' == rows_to_csv(HEADER, [("a", 'b, "c"')])


@pytest.mark.parametrize(
    ("safe", "cell"),
    [
        ("'=1+1", "=1+1"),
        ("'+12025550101", "+12025550101"),
        ("'-1", "-1"),
        ("'@SUM(A1)", "@SUM(A1)"),
        ("  '=1+1", "  =1+1"),
        (r"\t=1+1", "\t=1+1"),
        (r"\r=1+1", "\r=1+1"),
        (r"\n=1+1", "\n=1+1"),
        ("'\uff1d1+1", "\uff1d1+1"),
        ("'=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("a;'=1+1;b", "a;=1+1;b"),
        ("a,'=1+1", "a,=1+1"),
        ("a\"'=1+1", 'a"=1+1'),
        ("'=1+1", "'=1+1"),
    ],
)
def test_a_cell_that_a_spreadsheet_would_compute_becomes_text(safe, cell):
    assert [safe, "x"] == written(cell, "x")


@pytest.mark.parametrize(
    "cell",
    ["603 Network Blocked", "https://example.com/?a=1&b=-2", 'SIP;cause=603;text="v=analytics1;id=a-1"', "ünï", ""],
)
def test_any_other_text_stays_as_it_is(cell):
    assert [cell, "x"] == written(cell, "x")


def test_numbers_stay_numbers_and_nothing_stays_empty():
    assert ["-5", ""] == written(-5, None)
    assert ["0.25", "0"] == written(0.25, 0)


def test_what_nobody_sees_is_written_as_an_escape():
    assert [r"a\u202eb\x1b[2J\x00", r"\udc80"] == written("a\u202eb\x1b[2J\0", "\udc80")


@given(rows=st.lists(st.lists(st.text(st.characters() | st.sampled_from(ACTS + ';|,"')), min_size=2, max_size=2)))
def test_no_cell_acts_whatever_the_text_and_whatever_separates_the_cells(rows):
    text = rows_to_csv(HEADER, rows)
    assert len(rows) + 1 == len(cells(text)) == text.count("\r\n")
    for delimiter in ",;|":
        for cell in (cell for row in cells(text, delimiter) for cell in row):
            assert not cell.lstrip().startswith(tuple(ACTS))
