import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.report.text import cell_width, clip, plain, plain_lines


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31mred", r"\x9b31mred"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("nul\x00del\x7f", r"nul\x00del\x7f"),
        ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
        ("zero\u200bwidth\ufeff\u00ad", r"zero\u200bwidth\ufeff\xad"),
        ("line\u2028par\u2029", r"line\u2028par\u2029"),
        ("half\ud800pair", r"half\ud800pair"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("private\ue000", r"private\ue000"),
        ("blank\u3164", r"blank\u3164"),
    ],
)
def test_what_could_act_on_a_terminal_is_shown_as_an_escape(hostile, shown):
    assert shown == plain(hostile)


@pytest.mark.parametrize("text", ["", "Network Blocked", "Refusé", "着信拒否", "a — b", "[red]{x}%s"])
def test_what_people_write_stays(text):
    assert text == plain(text)


@given(st.text(st.characters(categories=None)))
def test_no_text_acts_on_a_terminal(text):
    shown = plain(text)
    assert not [one for one in shown if unicodedata.category(one)[0] == "C" or one in "\u2028\u2029"]
    assert shown == plain(shown)


def test_the_lines_of_a_message_keep_their_bytes():
    assert ("SIP/2.0 603 Decline", "Subject: é", r"X: a\x1bb", "") == plain_lines(
        "SIP/2.0 603 Decline\r\nSubject: é\nX: a\x1bb\r\n\r\n".encode()
    )


def test_bytes_that_are_no_utf8_are_read_as_latin1():
    assert ("Refusé",) == plain_lines(b"Refus\xe9")


def test_a_bare_carriage_return_is_no_line_end():
    assert (r"a\rb",) == plain_lines(b"a\rb\r\n")


def test_a_cut_is_shown():
    assert ("abcd", "abc…") == (clip("abcd", 4), clip("abcde", 4))


@pytest.mark.parametrize(("text", "columns"), [("abc", 3), ("é", 1), ("e\u0301", 1), ("着信", 4)])
def test_wide_characters_take_two_columns(text, columns):
    assert columns == cell_width(text)
