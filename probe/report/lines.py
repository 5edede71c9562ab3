"""Plain texts with a tone in, lines out that a pipe takes as text and a terminal may colour.

Tones carry no meaning of their own: whatever they say, a word or a mark says as well.
"""

import textwrap
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple

from probe.report.text import cell_width


class Tone(Enum):
    NORMAL = auto()
    STRONG = auto()
    QUIET = auto()
    GOOD = auto()
    DOUBT = auto()
    BAD = auto()


class Span(NamedTuple):
    """A piece of plain text in one tone."""

    text: str
    tone: Tone = Tone.NORMAL


Line = tuple[Span, ...]

BLANK: Line = ()

LABEL_WIDTH: Final = 13


def line(*pieces: str | Span) -> Line:
    """Make a line of spans and texts."""
    return tuple(piece if isinstance(piece, Span) else Span(piece) for piece in pieces)


def as_text(lines: Iterable[Line]) -> str:
    """Write lines without any tone, each ended by a line feed."""
    return "".join("".join(span.text for span in spans).rstrip() + "\n" for spans in lines)


def padded(span: Span, width: int) -> Span:
    """Fill a span with blanks to a width in columns."""
    return Span(span.text + " " * (width - cell_width(span.text)), span.tone)


def paragraph(
    text: str, *, width: int | None, first: str = "", tone: Tone = Tone.NORMAL, break_words: bool = False
) -> list[Line]:
    """Break a text at `width` columns, hung under its `first` prefix; no width, no break.

    A word that is too long, such as a URL, stays whole unless `break_words`.
    """
    if width is None:
        return [line(Span(first, Tone.QUIET), Span(text, tone))]
    room = max(20, width - cell_width(first))
    rows = textwrap.wrap(text, room, break_long_words=break_words, break_on_hyphens=False) or [""]
    indent = " " * cell_width(first)
    return [line(Span(indent if number else first, Tone.QUIET), Span(row, tone)) for number, row in enumerate(rows)]


def column_widths(rows: Sequence[Line]) -> list[int]:
    """Measure the widest cell of each column."""
    return [max(cell_width(cell.text) for cell in column) for column in zip(*rows, strict=True)]
