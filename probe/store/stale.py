"""Caller IDs in whose accounts are to be made again; which these are, out."""

import uuid
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, delete, select, text

from probe.store.accounts import WHOLE
from probe.store.schema import account, stale
from probe.verdict import RULESET

_PAGE: Final = 500

_MARK: Final = text(
    "INSERT INTO stale (caller, mark) VALUES (:caller, :mark) ON CONFLICT (caller) DO UPDATE SET mark = excluded.mark"
)
_callers: Final[BindParameter[Any]] = bindparam("callers", expanding=True)
# Every call is added to the account as a whole, so that this one tells for all networks.
_outdated = select(account.c.caller).where(
    account.c.caller.in_(_callers), account.c.network == WHOLE, account.c.ruleset != RULESET
)
_STALE_AMONG: Final = select(stale.c.caller).where(stale.c.caller.in_(_callers)).union(_outdated)
ALL_STALE: Final = select(stale.c.caller).union(
    select(account.c.caller).where(account.c.network == WHOLE, account.c.ruleset != RULESET)
)
"""Chooses the callers whose accounts are to be made again."""
_MARK_OF: Final = select(stale.c.mark).where(stale.c.caller == bindparam("caller"))
_BODY_OF: Final = select(account.c.body).where(account.c.caller == bindparam("caller"), account.c.network == WHOLE)

Version = tuple[str | None, str | None]


def mark_stale(connection: Connection, callers: Collection[str]) -> None:
    """Let what these callers' calls add up to be made again before it is next read."""
    mark = uuid.uuid4().hex
    if callers:
        connection.execute(_MARK, [{"caller": caller, "mark": mark} for caller in sorted(callers)])


def stale_among(connection: Connection, callers: Iterable[str]) -> Iterator[str]:
    """Give those whose accounts are to be made again: calls came late, or another ruleset added them up.

    They are asked for by their keys: to look at all accounts takes longer than to read one caller's calls.
    """
    ordered = sorted(callers)
    for at in range(0, len(ordered), _PAGE):
        yield from connection.execute(_STALE_AMONG, {"callers": ordered[at : at + _PAGE]}).scalars()


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
