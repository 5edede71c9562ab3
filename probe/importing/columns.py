"""One cell of a row, as JSON or CSV gives it, in; its meaning out, or ValueError that says what to write instead.

The sentences of the errors go on from the value, as those of `probe.scenario.notation` do.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from probe.phone import normalise
from probe.scenario import notation
from probe.scenario.notation import shown

Cells = Mapping[str, object]
_Read = Callable[[object], object]

_LONGEST_MS: Final = 86_400_000
_LONGEST_NAME: Final = 200
_SHOWN: Final = 100
FIRST_YEAR: Final = 2000
"""SIP is no older (RFC 2543): what lies before comes from a clock that was never set."""
_LAST_YEAR: Final = 9998
_FINAL: Final = 200
_STATUS: Final = re.compile(r"[1-6][0-9]{2}", re.ASCII)
_ESCAPED_BREAK: Final = re.compile(r"\\r\\n|\\n")


def read_cells(cells: Cells) -> dict[str, Any]:
    """Read the cells whose columns are known; empty ones are left out. Raises ValueError that names the column."""
    values = {}
    for name, cell in cells.items():
        if cell is None or cell == "" or name not in COLUMNS:
            continue
        try:
            value = COLUMNS[name](cell)
        except ValueError as error:
            raise ValueError(f"{name} {shown(_brief(cell))} {error}") from error
        if value is not None:
            values[name] = value
    return values


def _brief(cell: object) -> str:
    """Cut what may be a megabyte before it is looked at."""
    return (cell if isinstance(cell, str) else repr(cell))[:_SHOWN]


def _remembering(read: _Read) -> _Read:
    """Let cells that are met again and again be read once."""
    read_once = lru_cache(maxsize=4096)(read)

    def read_or_recall(cell: object) -> object:
        short = isinstance(cell, str) and len(cell) <= _LONGEST_NAME
        return read_once(cell) if short else read(cell)

    return read_or_recall


def _moment(cell: object) -> datetime:
    """Read a time with its zone; a time without one could be any of a day's hours."""
    try:
        at = datetime.fromisoformat(cell.strip()) if isinstance(cell, str) else None
    except ValueError:
        at = None
    if at is None:
        raise ValueError("is not a time; write it as 2026-11-22T10:00:00Z.")
    if at.tzinfo is None:
        raise ValueError("has no time zone; write it as 2026-11-22T10:00:00Z or 2026-11-22T10:00:00-05:00.")
    if not FIRST_YEAR <= at.year <= _LAST_YEAR:  # a zone may push a time over the end of the calendar
        raise ValueError("lies in another age; look at the clock of what wrote it.")
    return at.astimezone(UTC)


def _number(cell: object) -> str:
    number = normalise(cell) if isinstance(cell, str) else None
    if number is None:
        raise ValueError("is not a phone number; write it as +12025550101.")
    return number


@_remembering
def _caller(cell: object) -> str:
    return _number(cell)


def _status(cell: object) -> int:
    text = cell.strip() if isinstance(cell, str) else str(cell)
    if not _STATUS.fullmatch(text):
        raise ValueError("is not a SIP status; write the three digits of the final response, such as 603.")
    status = int(text)
    if status < _FINAL:
        raise ValueError("is the status of a provisional response; write that of the final one.")
    return status


def _ms(cell: object) -> float:
    try:
        ms = float(cell) if isinstance(cell, (str, int, float)) and not isinstance(cell, bool) else -1.0
    except (ValueError, OverflowError):
        ms = -1.0
    if not 0 <= ms <= _LONGEST_MS:  # neither is what is no number (NaN)
        raise ValueError("is not a time in milliseconds, from 0 to a day; write it as 412.")
    return ms


def _text(cell: object) -> str:
    if not isinstance(cell, str):
        raise ValueError("is not a text; write it in quotes.")  # noqa: TRY004 - the user's mistake, not the program's
    return cell


def _name(cell: object) -> str | None:
    """Read a name that people gave: it is shown in tables, so nothing in it may move a cursor."""
    name = _text(cell).strip()
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"is longer than {_LONGEST_NAME} characters; make it shorter.")
    if not name.isprintable():
        raise ValueError("holds a line break or a control character; take it out.")
    return name or None


@_remembering
def _group(cell: object) -> str | None:
    """Read a name that many calls have in common."""
    return _name(cell)


@_remembering
def _timezone(cell: object) -> str | None:
    name = _name(cell)
    return notation.read_timezone(name) if name else None


def _texts(cell: object) -> tuple[str, ...]:
    """Read one text or a list of them."""
    return tuple(map(_text, cell)) if isinstance(cell, list) else (_text(cell),)


def _reasons(cell: object) -> tuple[str, ...]:
    return tuple(value for value in _texts(cell) if value.strip())


def _tags(cell: object) -> tuple[str, ...]:
    """Read a list of names, or one text with semicolons between them."""
    names = cell.split(";") if isinstance(cell, str) else _texts(cell)
    return tuple(dict.fromkeys(name for name in map(_name, names) if name))


def _message(cell: object) -> bytes:
    text = _text(cell)
    if "\n" not in text and _ESCAPED_BREAK.search(text):
        raise ValueError(r"has \n written out where its lines end; write it with real line breaks.")
    return text.encode("utf-8", "backslashreplace")


COLUMNS: Final[Mapping[str, _Read]] = {
    "started_at": _moment,
    "caller": _caller,
    "callee": _number,
    "status": _status,
    "phrase": _text,
    "reason": _reasons,
    "raw_final": _message,
    "alerting_ms": _ms,
    "early_media_ms": _ms,
    "final_ms": _ms,
    "talk_ms": _ms,
    "sip_call_id": _name,
    "network": _group,
    "campaign": _group,
    "label": _group,
    "lead_source": _group,
    "tags": _tags,
    "timezone": _timezone,
    "trunk": _group,
}
"""Every column that means something, and how its cells are read."""
