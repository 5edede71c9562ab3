"""What a database library raises in; a StoreError that says what happened and what to do out."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from probe.errors import StoreError

_LOCKED: Final = "is locked by another process; wait for that process or stop it"
_DAMAGED: Final = "is damaged; restore it from a backup or name another with --store"
_HUNG_UP: Final = "lost its server in the middle of a step; see that the server runs, and repeat"

# Primary result codes (sqlite.org/rescode.html): what happened, and what to do.
_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: "is read-only; give this user the right to write the file and its folder",
    sqlite3.SQLITE_FULL: "cannot grow, because the disk is full; make room",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that the path is a file in a folder that this user may write",
    sqlite3.SQLITE_IOERR: "cannot be read or written; check the disk",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: "is not a database; name another file with --store",
    sqlite3.SQLITE_PERM: "may not be opened by this user; give this user the right to write it",
}
# What SQLSTATE begins with (postgresql.org/docs/current/errcodes-appendix.html); the longest match counts.
_POSTGRESQL: Final = {
    "08": _HUNG_UP,
    "25006": "is read-only; name the server that takes writes and not its standby, or let this user write",
    "25P03": _HUNG_UP,
    "40P01": _LOCKED,
    "42501": "may not be written by this user; give this user the right to make and write its tables",
    "53": "has a server that is short of connections, locks or memory; stop other clients or raise its limits",
    "53100": "cannot grow, because the disk of its server is full; make room",
    "55P03": _LOCKED,
    "57P": _HUNG_UP,
    "58": "cannot be read or written by its server; check the disk there",
    "XX": _DAMAGED,
}
# What a server says that lets nobody in has no SQLSTATE here, and no fixed language: the advice is for the likely one.
_REFUSED: Final = (
    ("database system is", "has a server that is starting or stopping; repeat in a moment"),
    ("no password", "asks for a password; give it as PGPASSWORD, in ~/.pgpass or in the URL"),
    ("password", "does not take this user and password; check PGPASSWORD, ~/.pgpass and the URL"),
    ("role", "knows no such user; make it with createuser, or name another in the URL"),
    ("database", "does not exist on its server; make it with createdb, or name another with --store"),
)
_UNREACHED: Final = "cannot be reached; see that its server runs, and check host, port, user and database of the URL"


@contextmanager
def in_words(name: str) -> Iterator[None]:
    """Turn the database library's errors into a StoreError about the store of that name."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the store {name} {_words(error)}") from error
    except OSError as error:  # no handle is left, say: what was to be written is written when there is one again
        raise StoreError(f"the store {name} cannot be read or written ({error.strerror}); raise that limit") from error
    except UnicodeEncodeError as error:
        raise StoreError(f"{error.object!r} is no text that a store can hold or look for; write it in UTF-8") from error


def _words(error: SQLAlchemyError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    known = _of_sqlite(cause) if isinstance(cause, sqlite3.Error) else _of_postgresql(error, cause)
    return known or f"cannot take or give a row ({_first_line(cause)}); check the database and name it with --store"


def _of_sqlite(cause: sqlite3.Error) -> str | None:
    return _SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)


def _of_postgresql(error: SQLAlchemyError, cause: BaseException | None) -> str | None:
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return next((_POSTGRESQL[state[:size]] for size in (5, 3, 2) if state[:size] in _POSTGRESQL), None)
    if not isinstance(error, DBAPIError):
        return None
    if error.connection_invalidated:
        return _HUNG_UP
    return _of_a_server_that_lets_nobody_in(_first_line(cause)) if error.statement is None else None


def _of_a_server_that_lets_nobody_in(said: str) -> str:
    """Put in words why there was no connection; a server's own words begin with FATAL, whatever its language."""
    said = said.rpartition(" failed: ")[2].removeprefix("connection is bad: ")
    known = next((words for word, words in _REFUSED if word in said), _UNREACHED)
    what, _, to_do = known.partition("; ")
    return f"{what} ({' '.join(said.split())}); {to_do}"


def _first_line(cause: BaseException | None) -> str:
    return str(cause).strip().partition("\n")[0]
