"""What the commands take from outside: the time, and where their words go."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import Any

from probe.report.lines import Line, as_text


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def say(words: str) -> None:
    """Tell the story: on stderr, so that stdout holds the answer alone."""
    print(words, file=sys.stderr, flush=True)


def print_json(document: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON value on one line."""
    print(json.dumps(document, ensure_ascii=False), flush=True)


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
