"""A database URL in, a `Store` with the newest schema out."""

import sqlite3
import time
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from probe.errors import ScenarioError, StoreError
from probe.store import postgresql
from probe.store.database import Database
from probe.store.locks import Lock, take_turn
from probe.store.schema import REVISION
from probe.store.store import Store
from probe.store.trouble import in_words

_BUSY_TIMEOUT_S = 10.0
# To ask SQLAlchemy takes longer than all else that opening a store takes.
_HAS_TABLES = {
    "sqlite": text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'"),
    "postgresql": text("SELECT to_regclass('alembic_version')"),
}
_MIGRATIONS = Path(__file__).parent / "migrations"


def open_store(url: str) -> Store:
    """Open the store at a SQLAlchemy URL; make it, or bring its schema up to date, where that is needed.

    Several processes may do this at once. Raises ScenarioError for a URL that names no store and StoreError for
    one that cannot be opened or was written by a newer probe.
    """
    database = _open_database(url)
    try:
        _make_ready(database)
    except StoreError:
        database.engine.dispose()
        raise
    return Store(database)


def _open_database(url: str) -> Database:
    parsed = _read_url(url)
    if parsed.get_backend_name() == "sqlite":
        return Database(_make_sqlite(parsed), parsed.database or "", partial(_open_database, url))
    return Database(postgresql.make_engine(parsed), postgresql.name_of(parsed), partial(_open_database, url))


def _read_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # without its words: they may hold a part of the password
        raise ScenarioError("--store is not a database URL; write it as sqlite:///results/probe.db") from None
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite":
        _check_path(parsed)
    elif kind in {"postgres", "postgresql"}:
        postgresql.check(parsed, url)
    else:
        raise ScenarioError(f"--store takes sqlite:/// and postgresql:// URLs, not {kind}; name one of these")
    return parsed


def _check_path(url: URL) -> None:
    if url.database in {None, "", ":memory:"}:
        # A store that dies with the process could not keep a planned call from being dialled twice.
        raise ScenarioError("--store names no file; write it as sqlite:///results/probe.db")


def _make_sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late; ours is in _begin_sqlite
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # in WAL mode, less than this may lose a begun call in a power cut
    # Where a caller's calls are read, which lie all over the file, the 2 MB of the default are too few: half of the
    # time went into reading the upper pages of the indexes again.
    connection.execute("PRAGMA cache_size = -8192")


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail at once, without waiting, when another one wrote
    # in between (SQLITE_BUSY_SNAPSHOT); so those that will write take the lock first.
    options = connection.get_execution_options()
    if not options.get("bare", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes", False) else "BEGIN")


def _make_ready(database: Database) -> None:
    if database.engine.dialect.name == "sqlite":
        _make_folder(database.engine.url)
        with in_words(database.name):
            _switch_to_wal(database.engine)
    with database.reading() as connection:
        found = _find_revision(connection)
    if found != REVISION:
        with database.writing() as connection:
            _migrate(connection, database.name)


def _make_folder(url: URL) -> None:
    folder = Path(url.database or "").parent
    if url.query.get("uri") == "true":
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder {folder} cannot be made ({error.strerror}); name another with --store") from error


def _switch_to_wal(engine: Engine) -> None:
    """Switch the file to write-ahead logging for good; SQLite does not wait for the lock that this takes."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            with engine.execution_options(bare=True).connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        except OperationalError as error:
            busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _find_revision(connection: Connection) -> str | None:
    if connection.execute(_HAS_TABLES[connection.dialect.name]).scalar() is None:
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _migrate(connection: Connection, name: str) -> None:
    """Run the steps that are missing, in the caller's transaction: whoever comes second finds nothing to do."""
    from alembic import command  # noqa: PLC0415 (takes half a second, and is needed once in a store's life)
    from alembic.config import Config  # noqa: PLC0415 (the same)
    from alembic.script import ScriptDirectory  # noqa: PLC0415 (the same)

    take_turn(connection, Lock.SCHEMA)
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    found = _find_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(f"the store {name} was written by a newer probe (schema {found}); update probe")
    command.upgrade(config, "head")
