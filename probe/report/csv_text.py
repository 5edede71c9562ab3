"""Rows in, a table for spreadsheets out: CSV (RFC 4180) in which no cell is taken for a formula.

A spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`, whoever wrote it, and one with another list
separator begins a new cell where we end none. So an apostrophe goes before such a character at the start of a cell and
after whatever may separate cells (OWASP, CSV Injection). A telephone number gets one, too: with it, it stays text with
every digit, without it a spreadsheet makes a sum of it. Programs have JSON; this is for people.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from probe.report.text import plain

Cell = str | int | float | None

# The wide forms count as the narrow ones in East Asian spreadsheets.
_FORMULA: Final = re.compile(r'(\A|[,;|"])(\s*)([=+\-@\uff1d\uff0b\uff0d\uff20])')


def rows_to_csv(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    r"""Write a header and its rows; numbers as they are, None as an empty cell, texts plain and on one line.

    Lines end in CRLF (RFC 4180 s2). Write it as UTF-8, without a byte order mark: to programs that would be a part of
    the first heading. What is no visible character stands as an escape such as `\r` or `\u202e`.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(map(_cell, header))
    writer.writerows(map(_cell, row) for row in rows)
    return out.getvalue()


def _cell(value: Cell) -> str | int | float | None:
    return _FORMULA.sub(r"\1\2'\3", plain(value)) if isinstance(value, str) else value
