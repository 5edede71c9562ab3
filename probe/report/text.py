"""Text from the network in, text that a terminal may show out.

What a carrier sends is hostile until shown otherwise: an escape sequence could repaint the screen, a bidirectional
override could turn a number round, a line break could forge a row.
"""

import unicodedata
from typing import Final

_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # letters and marks with no ink
_ENDS_A_LINE: Final = frozenset({"Zl", "Zp"})


def plain(text: str) -> str:
    r"""Give one line of visible characters; every other is written as an escape such as `\x1b` or `\u202e`.

    Others are controls (C0, C1, DEL), format characters (bidirectional, zero-width, tags), line and paragraph
    separators, surrogates, private and unassigned code points, and letters that draw nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_visible(character) else _escaped(character) for character in text)


def plain_lines(raw: bytes) -> tuple[str, ...]:
    """Give the lines of a message, each one plain; bytes that are no UTF-8 are read as Latin-1."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    lines = text.removesuffix("\n").split("\n")
    return tuple(plain(line.removesuffix("\r")) for line in lines)


def clip(text: str, width: int) -> str:
    """Cut a plain text to `width` characters; the cut is shown by `…`."""
    return text if len(text) <= width else text[: width - 1] + "…"


def cell_width(text: str) -> int:
    """Count the columns a plain text takes on a terminal: wide characters two, combining marks none."""
    return len(text) if text.isascii() else sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _is_visible(character: str) -> bool:
    category = unicodedata.category(character)
    return not (category.startswith("C") or category in _ENDS_A_LINE or character in _INVISIBLE)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
