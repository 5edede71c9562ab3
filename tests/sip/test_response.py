from pathlib import Path

import pytest

from probe.sip import Response, read_response

RFC4475 = Path(__file__).parents[1] / "data" / "rfc4475"


def torture(name: str) -> Response:
    return read_response((RFC4475 / f"{name}.sip").read_bytes())


def with_header(lines: str) -> Response:
    return read_response(f"SIP/2.0 603 Decline\r\n{lines}\r\n\r\n".encode())


def test_an_unusual_reason_phrase_is_read():
    """RFC 4475 s3.1.1.12."""
    response = torture("unreason")
    assert 200 == response.status
    assert "= 2**3 * 5**2 но сто девяносто девять - простое" == response.phrase
    assert 154 == len(response.body)
    assert () == response.flaws


def test_an_empty_reason_phrase_is_read():
    """RFC 4475 s3.1.1.13."""
    response = torture("noreason")
    assert (100, "", ()) == (response.status, response.phrase, response.flaws)
    assert "<sip:user@host105.example.com>" == response.header("contact")


def test_overlarge_scalars_do_no_harm():
    """RFC 4475 s3.1.2.5."""
    response = torture("scalarlg")
    assert (503, "Service Unavailable") == (response.status, response.phrase)
    assert "949302838503028349304023988" == response.header("Retry-After")


def test_an_overlarge_status_is_no_status():
    """RFC 4475 s3.1.2.19: taken modulo 2^32 it would be 5."""
    response = torture("bigcode")
    assert (None, "better not break the receiver") == (response.status, response.phrase)
    assert ("bad_status_code",) == response.flaws
    assert "353494 INVITE" == response.header("CSeq")


def test_a_broadcast_via_is_read():
    """RFC 4475 s3.3.10."""
    response = torture("bcast")
    assert 200 == response.status
    assert 2 == len(response.all("via"))


@pytest.mark.parametrize(
    ("line", "status", "phrase"),
    [
        ("SIP/2.0 603 Network Blocked", 603, "Network Blocked"),
        ("SIP/2.0 603", 603, ""),
        ("SIP/2.0 603 ", 603, ""),
        ("SIP/2.0  603\t Decline ", 603, "Decline"),
        ("sip/2.0 603 Decline", 603, "Decline"),
        ("SIP/2.0 603 a: b", 603, "a: b"),
        ("SIP/2.0 000 Nothing", 0, "Nothing"),
    ],
)
def test_a_status_line_is_read(line, status, phrase):
    response = read_response(line.encode() + b"\r\n\r\n")
    assert (response.status, response.phrase, response.flaws) == (status, phrase, ())


@pytest.mark.parametrize(
    ("line", "flaw"),
    [
        (b"", "no_status_line"),
        (b"603", "no_status_line"),
        (b"SIP/2.0", "no_status_line"),
        (b"SIP/2.0 ", "no_status_line"),
        (b"SIP/2.0 603Decline", "no_status_line"),
        (b"INVITE sip:a@example.com SIP/2.0", "no_status_line"),
        ("SIP/2.0 \uff16\uff10\uff13 Decline".encode(), "no_status_line"),
        (b"SIP/2.0 60 Decline", "bad_status_code"),
        (b"SIP/2.0 6030 Decline", "bad_status_code"),
    ],
)
def test_what_is_no_status_line_is_said(line, flaw):
    response = read_response(line + b"\r\n\r\n")
    assert (response.status, response.flaws) == (None, (flaw,))


def test_empty_lines_before_the_message_are_ignored():
    """RFC 3261 s7.5."""
    assert 486 == read_response(b"\r\n\r\nSIP/2.0 486 Busy Here\r\n\r\n").status


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_folded_header_fields_are_joined_by_one_blank(end):
    response = read_response(f"SIP/2.0 603 Decline{end}Subject: one{end} \t two{end}\tthree{end}{end}".encode())
    assert (("Subject", "one two three"),) == response.headers


def test_compact_names_are_written_out_and_the_order_is_kept():
    headers = with_header("v: SIP/2.0/UDP a\r\nX-One: 1\r\nV: SIP/2.0/UDP b\r\ni : c\r\nq: kept").headers
    expected = (("Via", "SIP/2.0/UDP a"), ("X-One", "1"), ("Via", "SIP/2.0/UDP b"), ("Call-ID", "c"), ("q", "kept"))
    assert expected == headers


def test_header_names_are_compared_without_case():
    response = with_header("X-oNe: 1\r\nx-One: 2")
    assert ("1", ("1", "2"), None) == (response.header("X-ONE"), response.all("x-one"), response.header("x-two"))


@pytest.mark.parametrize("line", ["no colon here", ": no name", "two words: value"])
def test_a_line_that_is_no_header_field_is_said_and_the_rest_is_read(line):
    response = with_header(f"A-One: 1\r\n{line}\r\nA-Two: 2")
    assert (("bad_header_line",), ("1", "2")) == (response.flaws, (response.header("a-one"), response.header("a-two")))


def test_an_empty_header_value_is_no_flaw():
    response = with_header("X-Empty:\r\nX-Blank:   \r\nX-Trailing: a  ")
    assert (("X-Empty", ""), ("X-Blank", ""), ("X-Trailing", "a")) == response.headers
    assert () == response.flaws


def test_the_body_begins_after_the_first_empty_line_whatever_the_line_ends():
    response = read_response(b"SIP/2.0 603 Decline\r\nX-One: 1\n\nReason: SIP;cause=608\r\n\r\nmore")
    assert ((), b"Reason: SIP;cause=608\r\n\r\nmore") == (response.reasons, response.body)


def test_text_is_utf_8_and_a_line_that_is_not_is_latin_1():
    raw = b"SIP/2.0 603 Refus\xe9\r\nX-One: Refus\xc3\xa9\r\n\r\n"
    response = read_response(raw)
    assert ("Refusé", "Refusé") == (response.phrase, response.header("x-one"))


def test_a_bare_cr_ends_no_line():
    response = with_header("X-One: a\rReason: SIP;cause=608")
    assert ((), 1) == (response.reasons, len(response.headers))
