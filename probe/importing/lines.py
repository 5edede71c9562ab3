"""A file that is open in, its lines out, each with its number; however long a line is, no more than a piece is held."""

from collections.abc import Iterator
from typing import Final, Protocol

LONGEST: Final = 1 << 20
"""The bytes of the longest line that is read."""
TOO_LONG: Final = f"is longer than {LONGEST >> 20} MB; look at its quotes and line breaks."
NO_UTF8: Final = "is not UTF-8; save the file as UTF-8."
_MARK: Final = b"\xef\xbb\xbf"

Line = tuple[int, bytes | None]
"""The number of a line, from 1, and its bytes with the line break; None is one that is too long."""


class Readable(Protocol):
    """A binary file, as far as it is used."""

    def readline(self, size: int, /) -> bytes: ...


def read_lines(file: Readable) -> Iterator[Line]:
    """Give the lines, without the byte order mark that some programs put first."""
    number, read = 0, file.readline
    while line := read(LONGEST + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(_MARK)
        if len(line) > LONGEST and not line.endswith(b"\n"):
            while (rest := read(LONGEST)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        else:
            yield number, line
