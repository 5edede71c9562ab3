"""Lines in, the JSON object of each out, or what is wrong with it."""

import json
from collections.abc import Iterable, Iterator
from typing import NoReturn

from probe.importing.columns import Cells
from probe.importing.lines import NO_UTF8, TOO_LONG, Line
from probe.importing.remark import Bad

Row = tuple[int, Cells]
"""The cells of a row by column, and the line where it begins."""


def _refuse(constant: str) -> NoReturn:
    """NaN and Infinity are no JSON (RFC 8259 s6), though Python takes them."""
    raise ValueError(constant)


_decode = json.JSONDecoder(parse_constant=_refuse).decode


def read_objects(lines: Iterable[Line]) -> Iterator[Row | Bad]:
    """Read each line that is not blank."""
    for number, line in lines:
        if line is None:
            yield Bad(line=number, sentence=TOO_LONG)
        elif not line.isspace():
            row = _object(line)
            yield Bad(line=number, sentence=row) if isinstance(row, str) else (number, row)


def _object(line: bytes) -> Cells | str:
    try:
        value = _decode(line.decode())
    except UnicodeDecodeError:
        return NO_UTF8
    except (ValueError, RecursionError):  # a line of brackets alone is deeper than any reader's stack
        return "is not JSON; write one object on each line."
    return value if isinstance(value, dict) else "is no JSON object; write one object on each line."
