"""What the commands take from outside: the time, and where their words go."""

import json
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from probe.errors import ScenarioError
from probe.report.lines import Line, as_text
from probe.report.text import plain


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def say(words: str) -> None:
    """Tell the story: on stderr, so that stdout holds the answer alone."""
    with suppress(OSError):  # where it cannot be told, the answer and the exit code still can
        print(_plain(words), file=sys.stderr, flush=True)


def tell(words: str) -> None:
    """Print an answer in words on stdout."""
    print(_plain(words), flush=True)


def _plain(words: str) -> str:
    """Write the lines so that a terminal can only show them: any of them may repeat what a stranger said."""
    return "\n".join(map(plain, words.split("\n")))


def print_json(document: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON value on one line; what nobody sees in it is escaped, for this may be a terminal, too."""
    text = json.dumps(document, ensure_ascii=False)
    print(text if text.isprintable() else "".join(map(_json_escape, text)), flush=True)


def _json_escape(character: str) -> str:
    """Escape what JSON itself leaves: C1 begins escape sequences, too, and others turn or hide what is read."""
    return character if character.isprintable() else json.dumps(character)[1:-1]


def require_place(option: str, path: str | None) -> None:
    """Make sure that a file can be written before a phone rings for it. ScenarioError if it cannot."""
    if path is None:
        return
    place = Path(path)
    if place.is_dir() or not os.access(place if place.exists() else place.parent, os.W_OK):
        raise ScenarioError(f"{option}: {place} cannot be written; name a file in a folder that is there and yours.")


def write_file(path: str, content: bytes) -> None:
    """Write what was asked for beside the answer."""
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise ScenarioError(f"{path} cannot be written ({error.strerror}).") from error


def print_lines(lines: Iterable[Line]) -> None:
    """Print a page: in colour on a terminal, plain and uncut in a pipe."""
    if sys.stdout.isatty():
        from probe.report.screen import paint  # noqa: PLC0415 - rich is heavy, and a pipe has no use for it

        paint(lines, sys.stdout)
    else:
        sys.stdout.write(as_text(lines))
        sys.stdout.flush()


def page_width() -> int | None:
    """The columns of the terminal; None for a pipe."""
    return get_terminal_size().columns if sys.stdout.isatty() else None
