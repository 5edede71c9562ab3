"""What the commands take from outside: time, ids, the store, and where their words go."""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import Any

from uuid6 import uuid7

from probe.report.lines import Line, as_text
from probe.store import Store, open_store

DEFAULT_STORE = "sqlite:///results/probe.db"


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """An id that sorts by time (UUID version 7, RFC 9562)."""
    return str(uuid7())


def new_event_id() -> str:
    """The id of a webhook event."""
    return f"msg_{uuid7().hex}"


def open_history(arguments: argparse.Namespace) -> Store:
    """Open the store that the command line or PROBE_STORE names."""
    return open_store(arguments.store or os.environ.get("PROBE_STORE") or DEFAULT_STORE)


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
