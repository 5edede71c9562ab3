"""Who writes what next, where several processes share a PostgreSQL database; SQLite's writers are alone by nature.

A turn lasts until the transaction ends. Nobody waits for somebody who waits for him, because all take them in one
order: a turn of another kind; the rows of calls that end, by their ids; the turns of callers, all at once; then
everybody's. What has no turn is written in the order of its key.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final
from zlib import crc32

from sqlalchemy import Connection, text


class Lock(IntEnum):
    """What there is one turn at: to change the tables, to let calls leave, to count for everybody, ..."""

    SCHEMA = 7762
    ADMISSION = 7763
    EVERYBODY = 7765
    IMPORT = 7766
    ENDPOINTS = 7767


_CALLERS: Final = 7764
# So many that two processes seldom wait in vain, so few that one may have them all: a server has room for 6,400 locks.
_STRIPES: Final = 1_024
_TAKE: Final = text("SELECT pg_advisory_xact_lock(:key)")
_TAKE_ALL: Final = text("SELECT pg_advisory_xact_lock(:kind, key) FROM unnest(CAST(:keys AS integer[])) AS key")


def take_turn(connection: Connection, turn: Lock) -> None:
    """Wait until nobody else is at it, and let nobody else until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(_TAKE, {"key": turn.value})


def take_turns_of(connection: Connection, callers: Iterable[str]) -> None:
    """Wait until nobody else writes what these callers' calls add up to, and let nobody else."""
    if connection.dialect.name == "postgresql":
        keys = sorted({crc32(caller.encode()) % _STRIPES for caller in callers})
        connection.execute(_TAKE_ALL, {"kind": _CALLERS, "keys": keys})
