"""A file of rows that is open in; for each row a call, or what is wrong with it, out, in the file's order."""

from collections.abc import Iterator
from difflib import get_close_matches
from itertools import chain
from typing import Final

from probe.importing.columns import COLUMNS, Cells, read_cells
from probe.importing.facts import Reported, Source, reported_of
from probe.importing.json_lines import Row, read_objects
from probe.importing.lines import TOO_LONG, Line, Readable, read_lines
from probe.importing.remark import Bad, Ignored, Unreadable
from probe.importing.table import read_table

_MOST_NAMES: Final = 100  # a file in which every row has columns of its own is told of no more
_LONGEST_NAME: Final = 100
_UTF16: Final = "is UTF-16; save it as UTF-8."
_CAPTURE: Final = "is a capture; say --pcap, too."
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"  # four bytes that are blank lines
# What people try, by its first bytes.
_OTHER_KINDS: Final = (
    ((b"\xff\xfe", b"\xfe\xff"), _UTF16),
    ((b"[",), "is one JSON array; write one object on each line, as jq -c '.[]' does."),
    ((b"\x1f\x8b",), "is compressed; unpack it on the way, as in zcat FILE | probe import -."),
    ((b"PK\x03\x04",), "is a spreadsheet or an archive; save the sheet as CSV."),
    ((b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4"), _CAPTURE),
)


def read_rows(file: Readable, source: Source) -> Iterator[Reported | Bad | Ignored]:
    """Read JSON Lines, where the first thing is a brace, else CSV. Raises Unreadable for what is neither."""
    known = set(COLUMNS)
    for row in _rows(read_lines(file)):
        if isinstance(row, Bad):
            yield row
            continue
        line, cells = row
        if not cells.keys() <= known:
            yield from _strangers(cells, known)
        if line:
            yield _reported(line, cells, source)


def _rows(lines: Iterator[Line]) -> Iterator[Row | Bad]:
    blank, first = _first(lines)
    if first is None:
        raise Unreadable("is empty.")
    if first[1] is None:
        raise Unreadable(f"begins with a line that {TOO_LONG}")
    begins = first[1].lstrip()
    for marks, sentence in _OTHER_KINDS:
        if begins.startswith(marks):
            raise Unreadable(sentence)
    if b"\0" in begins[:4]:
        raise Unreadable(_CAPTURE if blank.startswith(_PCAPNG) else _UTF16)
    return read_objects(chain([first], lines)) if begins.startswith(b"{") else read_table(chain([first], lines))


def _first(lines: Iterator[Line]) -> tuple[bytes, Line | None]:
    """Give the first line that is not blank, and the beginning of what is blank before it."""
    blank = b""
    for line in lines:
        if line[1] is None or not line[1].isspace():
            return blank, line
        blank = (blank + line[1])[: len(_PCAPNG)]
    return blank, None


def _strangers(cells: Cells, known: set[str]) -> Iterator[Ignored]:
    """Tell of columns that were not seen before."""
    room = len(COLUMNS) + _MOST_NAMES - len(known)
    for name in [name for name in cells if name and name not in known][:room]:
        known.add(name)
        column = name[:_LONGEST_NAME]
        yield Ignored(column=column, near=next(iter(get_close_matches(column.lower(), COLUMNS, n=1)), None))


def _reported(line: int, cells: Cells, source: Source) -> Reported | Bad:
    try:
        return reported_of(read_cells(cells), line, source)
    except ValueError as error:
        return Bad(line=line, sentence=str(error))
