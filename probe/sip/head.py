"""The bytes of a SIP message in; its start line, header fields, body and flaws out (RFC 3261 s7)."""

import re
from dataclasses import dataclass

# RFC 3261 s7.3.3, and the registry of header fields for those that came later.
COMPACT_NAMES = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
BLANKS = " \t\r"
READ_ONCE = 256
"""So many messages are remembered as they were read: several ask about each, within moments of each other."""
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]+")
_FIELD = re.compile(r"^([^\s:]++)[ \t]*+:[ \t]*+(.*[^ \t\r\n]|)[ \t\r]*+$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands before the body, and the body. Header fields are unfolded, compact names written out."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    flaws: tuple[str, ...]


def read_head(raw: bytes) -> Head:
    """Take a message apart; line ends may be CRLF or a bare LF. Never raises."""
    raw = raw.lstrip(b"\r\n")  # RFC 3261 s7.5: empty lines before the start line are ignored
    end = _EMPTY_LINE.search(raw)
    text = _decode(raw[: end.start()] if end else raw)
    start, _, rest = text.partition("\n")
    headers, flaws = _read_headers(rest)
    return Head(start=start.rstrip(BLANKS), headers=headers, body=raw[end.end() :] if end else b"", flaws=flaws)


def find_header(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    """Give the first value of a header field; its name is compared without regard to case (RFC 3261 s7.3.1)."""
    wanted = name.lower()
    for sent, value in headers:
        if sent.lower() == wanted:
            return value
    return None


def find_headers(headers: tuple[tuple[str, str], ...], name: str) -> tuple[str, ...]:
    """Give all values of a header field in the order received."""
    wanted = name.lower()
    return tuple([value for sent, value in headers if sent.lower() == wanted])


def _decode(head: bytes) -> str:
    """Read as UTF-8; where that fails, only the lines that are no UTF-8 are read as Latin-1."""
    try:
        return head.decode()
    except UnicodeDecodeError:
        return "\n".join(_decode_line(line) for line in head.split(b"\n"))


def _decode_line(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _read_headers(text: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    text = text.lstrip(" \t")  # a first line that begins with a blank continues nothing
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    found = _FIELD.findall(text)
    headers = tuple([field if len(field[0]) > 1 else _written_out(*field) for field in found])
    all_read = len(found) == text.count("\n") + 1 or len(found) == _count_lines(text)
    return headers, () if all_read else ("bad_header_line",)


def _written_out(name: str, value: str) -> tuple[str, str]:
    return COMPACT_NAMES.get(name.lower(), name), value


def _count_lines(text: str) -> int:
    return sum([not line.isspace() for line in text.split("\n") if line])
