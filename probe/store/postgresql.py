"""The URL of a PostgreSQL database in; an engine for it, and what the store is called without its password, out."""

import logging
import select
from functools import partial
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from probe.errors import ScenarioError, StoreError

_DRIVER: Final = "postgresql+psycopg"
_DRIVERS: Final = {"postgres", "postgresql", _DRIVER}
# Whoever opens a store by the socket of its server finds it only with these.
_SHOWN: Final = ("host", "port", "service")
# What libpq is asked for unless the URL says otherwise: it would wait for a machine that is switched off for hours.
# (postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS)
_CONNECTING: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "application_name": "probe",
}
# As long as SQLite waits for a lock; and a process that is stopped in the middle keeps its locks no longer than this.
_SESSION: Final = "-c lock_timeout=10s -c idle_in_transaction_session_timeout=60s"
# What goes wrong is raised, too; a line of its own would stand between those of a command.
logging.getLogger("psycopg").setLevel(logging.CRITICAL)
_ENCODINGS: Final = {"UTF8", "SQL_ASCII"}


def check(url: URL, written: str) -> None:
    """Refuse a URL that would be mistaken for another, as it is read and as it was written. Raises ScenarioError."""
    if url.drivername not in _DRIVERS:
        raise ScenarioError(f"--store takes PostgreSQL with psycopg, not {url.drivername}; write postgresql://")
    if written.count("@") > 1:
        # The rest of a password would be taken for the host, and shown.
        raise ScenarioError("--store has more than one @; write those of a user or password as %40")


def name_of(url: URL) -> str:
    """Give the URL without what nobody may see."""
    shown = {name: url.query[name] for name in _SHOWN if name in url.query}
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, shown)
    return plain.render_as_string()


def make_engine(url: URL) -> Engine:
    """Make an engine whose connections survive a restart of the server. Raises ScenarioError without psycopg."""
    chosen = url.set(drivername=_DRIVER).difference_update_query(["options"])
    options = f"{_SESSION} {url.query.get('options', '')}".rstrip()
    # An old server may say SQL_ASCII, and text would come as bytes.
    said = {"options": options, "client_encoding": "utf8"}
    unsaid = {name: value for name, value in _CONNECTING.items() if name not in url.query}
    try:
        # To ask for a type that no table has is one round trip more.
        engine = create_engine(chosen, connect_args=unsaid | said, use_native_hstore=False)
    except ImportError as error:
        raise ScenarioError("--store needs psycopg for PostgreSQL; pip install 'probe[postgresql]'") from error
    event.listen(engine, "connect", partial(_check_encoding, name_of(url)))
    event.listen(engine, "checkout", partial(_leave_the_dead, engine.dialect.loaded_dbapi.Error))
    return engine


def _check_encoding(name: str, connection: Any, _: ConnectionPoolEntry) -> None:  # noqa: ANN401 (of psycopg, which may not be there)
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in _ENCODINGS:
        connection.close()
        raise StoreError(f"the store {name} keeps its text as {encoding}; make the database anew with ENCODING 'UTF8'")


def _leave_the_dead(
    lost: type[Exception],
    connection: Any,  # noqa: ANN401 (of psycopg, which may not be there)
    _: ConnectionPoolEntry,
    __: PoolProxiedConnection,
) -> None:
    """Let the pool open another connection where the server has hung up meanwhile.

    That can be heard without asking: an idle connection has nothing to be read but its end. To ask (`pool_pre_ping`)
    would cost each transaction a round trip.
    """
    ear = select.poll()
    try:
        ear.register(connection.fileno(), select.POLLIN)
        while ear.poll(0):
            connection.pgconn.consume_input()
    except lost as error:
        raise DisconnectionError from error
