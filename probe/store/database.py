"""An engine in, transactions out; what goes wrong in one comes out as a StoreError in words."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from probe.errors import StoreError

# Primary result codes (sqlite.org/rescode.html): what happened, and what to do.
_SQLITE_TROUBLE = {
    sqlite3.SQLITE_BUSY: "is locked by another process; wait for that process or stop it",
    sqlite3.SQLITE_LOCKED: "is locked by another process; wait for that process or stop it",
    sqlite3.SQLITE_READONLY: "is read-only; give this user the right to write the file and its folder",
    sqlite3.SQLITE_FULL: "cannot grow, because the disk is full; make room",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that the path is a file in a folder that this user may write",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check the disk",
    sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup or name another with --store",
    sqlite3.SQLITE_NOTADB: "is not a database; name another file with --store",
    sqlite3.SQLITE_PERM: "may not be opened by this user; give this user the right to write it",
}


class Database:
    """Short transactions on one store, each on a connection of its own, from any thread.

    `open_again` opens the same store in another process.
    """

    def __init__(self, engine: Engine, name: str, open_again: "Callable[[], Database]") -> None:
        self.engine = engine
        self.name = name
        self.open_again = open_again
        self._writer = engine.execution_options(writes=True)
        # SQLite has one writer at a time, and those who wait for it sleep: some for seconds, by bad luck. Threads of
        # one process can queue better than that.
        alone = engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[object] = threading.Lock() if alone else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the store."""
        with in_words(self.name), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes are on the disk when the block ends, all or none."""
        with in_words(self.name), self._turn, self._writer.begin() as connection:
            yield connection


@contextmanager
def in_words(name: str) -> Iterator[None]:
    """Turn the database library's errors into a StoreError about the store of that name."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the store {name} {_trouble(error)}") from error


def _trouble(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        primary = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if primary in _SQLITE_TROUBLE:
            return _SQLITE_TROUBLE[primary]
    first_line = str(cause).strip().partition("\n")[0]
    return f"cannot take or give a row ({first_line}); check the database and name it with --store"
