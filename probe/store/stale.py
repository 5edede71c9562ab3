"""Caller IDs in whose accounts are to be made again; which these are, out."""

import uuid
from collections.abc import Collection, Iterable
from typing import Final
from zlib import crc32

from sqlalchemy import Connection, bindparam, delete, select, text

from probe.store.accounts import WHOLE
from probe.store.schema import account, stale
from probe.verdict import RULESET

_CALLER_LOCK: Final = 7764
_LOCK: Final = text("SELECT pg_advisory_xact_lock(:kind, :key)")

_MARK: Final = text(
    "INSERT INTO stale (caller, mark) VALUES (:caller, :mark) ON CONFLICT (caller) DO UPDATE SET mark = excluded.mark"
)
_marked = select(stale.c.caller).where(stale.c.caller == bindparam("caller"))
# Every call is added to the account as a whole, so that this one tells for all networks.
_outdated = select(account.c.caller).where(
    account.c.caller == bindparam("caller"), account.c.network == WHOLE, account.c.ruleset != RULESET
)
_IS_STALE: Final = _marked.union_all(_outdated)
ALL_STALE: Final = select(stale.c.caller).union(
    select(account.c.caller).where(account.c.network == WHOLE, account.c.ruleset != RULESET)
)
"""Chooses the callers whose accounts are to be made again."""
_MARK_OF: Final = select(stale.c.mark).where(stale.c.caller == bindparam("caller"))
_BODY_OF: Final = select(account.c.body).where(account.c.caller == bindparam("caller"), account.c.network == WHOLE)

Version = tuple[str | None, str | None]


def take_turn(connection: Connection, callers: Iterable[str]) -> None:
    """Wait until nobody else adds calls to these callers' accounts; SQLite's writers are alone by nature."""
    if connection.dialect.name == "postgresql":
        # In one order, lest two wait for each other.
        for key in sorted({crc32(caller.encode()) - 2**31 for caller in callers}):
            connection.execute(_LOCK, {"kind": _CALLER_LOCK, "key": key})


def mark_stale(connection: Connection, callers: Collection[str]) -> None:
    """Let what these callers' calls add up to be made again before it is next read."""
    mark = uuid.uuid4().hex
    if callers:
        connection.execute(_MARK, [{"caller": caller, "mark": mark} for caller in sorted(callers)])


def is_stale(connection: Connection, caller: str) -> bool:
    """Say whether a caller's accounts are to be made again: calls came late, or another ruleset added them up."""
    return connection.execute(_IS_STALE, {"caller": caller}).first() is not None


def read_stale(connection: Connection) -> tuple[str, ...]:
    """Give the callers whose accounts have to be made again."""
    return tuple(sorted(connection.execute(ALL_STALE).scalars()))


def version_of(connection: Connection, caller: str) -> Version:
    """Give what changes with every call that is added to a caller's accounts, and with every mark."""
    mark = connection.execute(_MARK_OF, {"caller": caller}).scalar()
    return mark, connection.execute(_BODY_OF, {"caller": caller}).scalar()


def unmark(connection: Connection, caller: str, version: Version) -> None:
    """Take a caller's mark away, unless it is a later one."""
    connection.execute(delete(stale).where(stale.c.caller == caller, stale.c.mark == version[0]))
