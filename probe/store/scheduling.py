"""Who plans in; whether it is his turn out: of several processes that stand ready, one plans at a time.

The lock belongs to a connection. When its process dies, or the network between, the server ends the connection, and
with it the turn; the next to ask has it.
"""

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, text

from probe.store.database import Database
from probe.store.trouble import in_words

_LOCK: Final = 7768  # beside those of `probe.store.locks`, which end with a transaction
_TRY: Final = text("SELECT pg_try_advisory_lock(:key)").bindparams(key=_LOCK)
# A server that hears nothing from a machine for so long ends its connections: seconds, and how often it asks.
_NAME: Final = text(
    "SELECT set_config('application_name', :name, false), set_config('tcp_keepalives_idle', '5', false),"
    " set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)"
)
_HOLDER: Final = text(
    "SELECT application_name, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND objid = :key AND objsubid = 1 AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
).bindparams(key=_LOCK)
_PREFIX: Final = "probe plans: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has the turn, as `host/pid`, and since when he is there."""

    name: str
    since: datetime


class Scheduling:
    """One process's claim to plan, on a connection of its own. Its methods may be called from any thread, in turn."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def hold(self) -> bool:
        """Take the turn, or make sure that it is still ours. StoreError where the database does not answer."""
        with in_words(self._database.name):
            try:
                return self._take() if self._connection is None else self._keep(self._connection)
            except BaseException:
                self.drop()
                raise

    def drop(self) -> None:
        """Leave it to others."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _take(self) -> bool:
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed for good when it is given back, and the turn with it
        if not connection.execute(_TRY).scalar():
            connection.close()
            return False
        self._connection = connection
        connection.execute(_NAME, {"name": f"{_PREFIX}{socket.gethostname()}/{os.getpid()}"[:63]})
        return True

    @staticmethod
    def _keep(connection: Connection) -> bool:
        connection.execute(text("SELECT 1"))
        return True


def read_holder(connection: Connection) -> Holder | None:
    """Say who has the turn; None while nobody plans."""
    found = connection.execute(_HOLDER).first()
    if found is None:
        return None
    return Holder(name=found.application_name.removeprefix(_PREFIX), since=found.backend_start.astimezone(UTC))
