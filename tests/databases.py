"""Marks of tests that are about one of the two databases, what both say of the same mistake, and stores to work on.

Without a mark, a test that takes a `url` or a `store` runs on both.
"""

import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

from probe.store import Store, open_store

on_sqlite = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

THERE_ALREADY = "UNIQUE constraint failed|duplicate key value"
NOT_THERE = "FOREIGN KEY constraint failed|violates foreign key constraint"
EMPTY = "NOT NULL constraint failed|violates not-null constraint"


@cache
def _empty_store() -> bytes:
    """The bytes of a new store: to make one takes longer than most tests."""
    with tempfile.TemporaryDirectory() as folder:
        open_store(f"sqlite:///{folder}/probe.db").close()
        return (Path(folder) / "probe.db").read_bytes()


def fresh_store(folder: Path) -> str:
    """Put a new store into a folder, unless it has one; give its URL."""
    folder.mkdir(exist_ok=True)
    file = folder / "probe.db"
    if not file.exists():
        file.write_bytes(_empty_store())
    return f"sqlite:///{file}"


class EmptiedFile:
    """One SQLite file, which is made new for each test: what was opened there once need not be set up again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = fresh_store(folder)

    def empty(self) -> None:
        """Let there be a new file, in a folder of its own; who has the old one open does no harm to it."""
        shutil.rmtree(self._folder)
        fresh_store(self._folder)


@cache
def _first_opened(url: str, _: str) -> Store:
    return open_store(url)


def opened(url: str, who: str = "") -> Store:
    """Open a store; each `who` has connections of its own, as each process has.

    Its engine is kept for the next test: to compile its statements anew takes longer than most tests.
    """
    return Store(_first_opened(url, who)._database)
