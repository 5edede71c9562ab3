"""Accounts, counts and cases in, rows of the tables out, and the way back."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, text, update

from probe.health import Account, Case, Change, Contacts
from probe.health.redress import Step, noted
from probe.store.schema import account, redress
from probe.verdict import RULESET

WHOLE: Final = ""
"""The network of the account of all of a caller's calls."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

_ACCOUNTS: Final = select(account.c.caller, account.c.network, account.c.body)
_OF_NETWORKS: Final = _ACCOUNTS.where(
    account.c.caller == bindparam("caller"), account.c.network.in_(bindparam("networks", expanding=True))
)
# Both SQLite and PostgreSQL take these forms.
_PUT_ACCOUNT: Final = text(
    "INSERT INTO account (caller, network, ruleset, state, body) VALUES (:caller, :network, :ruleset, :state, :body) "
    "ON CONFLICT (caller, network) DO UPDATE SET ruleset = excluded.ruleset, state = excluded.state, "
    "body = excluded.body"
)
_CASE: Final = select(redress).where(redress.c.caller == bindparam("caller"), redress.c.blocker == bindparam("blocker"))


def read_accounts(connection: Connection, callers: Collection[str] | None = None) -> list[Account]:
    """Read the accounts of these callers, or of all."""
    chosen = _ACCOUNTS if callers is None else _ACCOUNTS.where(account.c.caller.in_(callers))
    return _read(connection.execute(chosen))


def read_accounts_on(connection: Connection, caller: str, networks: Iterable[str]) -> list[Account]:
    """Read the accounts of a caller on these networks (WHOLE is the one of all its calls)."""
    return _read(connection.execute(_OF_NETWORKS, {"caller": caller, "networks": sorted(networks)}))


def _read(found: Iterable[Row[tuple[str, str, str]]]) -> list[Account]:
    return [Account.load(caller, network or None, json.loads(body)) for caller, network, body in found]


def put_accounts(connection: Connection, accounts: Iterable[Account]) -> None:
    """Write accounts over what is there of them; when they were told of stays."""
    rows = [
        {
            "caller": one.caller,
            "network": one.network or WHOLE,
            "ruleset": RULESET,
            "state": one.state.value,
            "body": _encode(one.dump()),
        }
        for one in accounts
    ]
    if rows:
        connection.execute(_PUT_ACCOUNT, rows)


def drop_accounts(connection: Connection, caller: str, but: Collection[str]) -> None:
    """Drop the accounts of a caller on all networks but these."""
    theirs = account.c.caller == caller
    connection.execute(delete(account).where(theirs, account.c.network.not_in(but)))


def mark_told(connection: Connection, changes: Sequence[Change], now: datetime) -> None:
    """Note when the state of these standings was last told to others."""
    for change in changes:
        row = (account.c.caller == change.after.caller) & (account.c.network == (change.after.network or WHOLE))
        connection.execute(update(account).where(row).values(told_at=now))


def read_cases(connection: Connection, caller: str | None) -> tuple[Case, ...]:
    """Read the book of redress, by caller, the latest block first."""
    chosen = select(redress).order_by(redress.c.caller, redress.c.last_seen.desc(), redress.c.blocker)
    if caller is not None:
        chosen = chosen.where(redress.c.caller == caller)
    return tuple(map(_read_case, connection.execute(chosen)))


def find_case(connection: Connection, caller: str, blocker: str) -> Case | None:
    row = connection.execute(_CASE, {"caller": caller, "blocker": blocker}).first()
    return _read_case(row) if row else None


def put_case(connection: Connection, case: Case) -> None:
    """Write a case over what is there of it."""
    theirs = (redress.c.caller == case.caller) & (redress.c.blocker == case.blocker)
    row = asdict(case) | {"networks": list(case.networks)}
    if not connection.execute(update(redress).where(theirs).values(row)).rowcount:
        connection.execute(insert(redress).values(row))


def replace_cases(connection: Connection, caller: str, cases: Iterable[Case]) -> None:
    connection.execute(delete(redress).where(redress.c.caller == caller))
    for case in cases:
        put_case(connection, case)


def note_case(connection: Connection, caller: str, blocker: str | None, step: Step, now: datetime) -> tuple[Case, ...]:
    """Note what a person did about a caller's cases, or about that with one blocker; give them as they are now."""
    cases = [noted(case, step, now) for case in read_cases(connection, caller) if blocker in {None, case.blocker}]
    for case in cases:
        put_case(connection, case)
    return tuple(cases)


def _read_case(row: Row[Any]) -> Case:
    return Case(
        caller=row.caller,
        blocker=row.blocker,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        count=row._mapping["count"],  # noqa: SLF001 (SQLAlchemy's public name; a row has a method `count`)
        contacts=Contacts(**row.contacts),
        networks=tuple(row.networks),
        asked_at=row.asked_at,
        answered_at=row.answered_at,
        cleared_at=row.cleared_at,
        back_at=row.back_at,
    )
