"""Lines of CSV in, the cells of each row by column out, or what is wrong with it.

The first line names the columns. A quote that is never closed would swallow the rows after it, so the lines of a row
that cannot be read are read again, all but its first.
"""

import csv
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Final

from probe.importing.columns import COLUMNS, Cells
from probe.importing.json_lines import Row
from probe.importing.lines import NO_UTF8, TOO_LONG, Line
from probe.importing.remark import Bad, Unreadable

_DELIMITERS: Final = (",", ";", "\t", "|")
_NEEDED: Final = (("started_at",), ("caller",), ("callee",), ("status", "raw_final"))
_MANY: Final = "reason"  # the one column that may stand there several times


class _Feed:
    """Lines as text, for the reader of CSV; those of the row under way can be had again."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: deque[Line] = deque()
        self.taken: list[Line] = []
        self.whole = True

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        if line[1] is None:
            raise csv.Error(TOO_LONG)
        text = line[1].decode("utf-8", "surrogateescape")
        self.whole = self.whole and (text.isascii() or _is_utf8(text))
        return text

    @property
    def first(self) -> int:
        """The number of the first line of the row under way."""
        return self.taken[0][0]

    def begin_row(self) -> None:
        self.taken.clear()
        self.whole = True

    def give_back(self) -> None:
        """Let all lines of the row under way but its first be read again."""
        self._again.extendleft(reversed(self.taken[1:]))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_table(lines: Iterator[Line]) -> Iterator[Row | Bad]:
    """Read each row that is not blank; the first thing given is a row of the names of all columns, at line 0."""
    delimiter, names = _header(lines)
    yield 0, dict.fromkeys(names)
    feed = _Feed(lines)
    rows = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin_row()
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Bad(line=feed.first, sentence=_trouble(error))
            feed.give_back()
            rows = csv.reader(feed, delimiter=delimiter, strict=True)
            continue
        if row is None:
            return
        if any(row):
            yield _row(row, names, feed)


def _trouble(error: csv.Error) -> str:
    return TOO_LONG if str(error) == TOO_LONG else f"is not CSV ({error}); look at its quotes."


def _row(row: Sequence[str], names: Sequence[str], feed: _Feed) -> Row | Bad:
    if not feed.whole:
        return Bad(line=feed.first, sentence=NO_UTF8)
    if len(row) != len(names):
        sentence = f"has {len(row)} cells, not {len(names)}; quote a text that holds the delimiter."
        return Bad(line=feed.first, sentence=sentence)
    return feed.first, _cells(row, names)


def _cells(row: Sequence[str], names: Sequence[str]) -> Cells:
    cells: dict[str, object] = dict(zip(names, row, strict=True))
    if _MANY in cells:
        cells[_MANY] = [cell for cell in compress(row, map(_MANY.__eq__, names)) if cell]
    return cells


def _header(lines: Iterator[Line]) -> tuple[str, tuple[str, ...]]:
    """Read the names of the columns by the delimiter that makes most of them known ones."""
    line = next(lines, (1, b""))[1] or b""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("is not UTF-8 in its first line; save it as UTF-8.") from error
    read = [(delimiter, _names(text, delimiter)) for delimiter in _DELIMITERS]
    delimiter, names = max(read, key=lambda one: len(COLUMNS.keys() & set(one[1])))
    missing = [" or ".join(names_of_one) for names_of_one in _NEEDED if not set(names_of_one) & set(names)]
    if missing:
        raise Unreadable(f"names no column {missing[0]} in its first line; the columns are {', '.join(COLUMNS)}.")
    twice = [name for name, count in Counter(names).items() if count > 1 and name in COLUMNS and name != _MANY]
    if twice:
        raise Unreadable(f"has the column {twice[0]} twice; take one of them out.")
    return delimiter, names


def _names(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(name.strip().lower() for name in next(csv.reader([text], delimiter=delimiter), ()))
    except csv.Error:
        return ()
