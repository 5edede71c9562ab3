"""Accounts, counts and cases in, rows of the tables out, and the way back."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, text, tuple_, update

from probe.health import Account, Case, Change, Contacts
from probe.health.redress import Step, noted
from probe.store.many import execute_many
from probe.store.schema import account, redress
from probe.verdict import RULESET

WHOLE: Final = ""
"""The network of the account of all of a caller's calls."""

Written = tuple[str, str, str]
"""The caller, the network and the body of an account."""

_encode = json.JSONEncoder(separators=(",", ":")).encode

_ACCOUNTS: Final = select(account.c.caller, account.c.network, account.c.body)
# SQLite finds a pair by no index, but the callers by their key.
_OF_KEYS: Final = _ACCOUNTS.where(
    account.c.caller.in_(bindparam("callers", expanding=True)),
    tuple_(account.c.caller, account.c.network).in_(bindparam("keys", expanding=True)),
)
# Both SQLite and PostgreSQL take these forms.
_PUT_ACCOUNT: Final = text(
    "INSERT INTO account (caller, network, ruleset, state, body) VALUES (:caller, :network, :ruleset, :state, :body) "
    "ON CONFLICT (caller, network) DO UPDATE SET ruleset = excluded.ruleset, state = excluded.state, "
    "body = excluded.body"
)
_CASES: Final = select(redress).where(
    redress.c.caller.in_(bindparam("callers", expanding=True)),
    tuple_(redress.c.caller, redress.c.blocker).in_(bindparam("keys", expanding=True)),
)
_DROP_CASE: Final = delete(redress).where(
    redress.c.caller == bindparam("of_caller"), redress.c.blocker == bindparam("of_blocker")
)
_ADD_CASE: Final = insert(redress)


def read_accounts(connection: Connection, callers: Collection[str] | None = None) -> list[Account]:
    """Read the accounts of these callers, or of all."""
    chosen = _ACCOUNTS if callers is None else _ACCOUNTS.where(account.c.caller.in_(callers))
    return [read_account((*row,)) for row in connection.execute(chosen)]


def read_bodies(connection: Connection, keys: Collection[tuple[str, str]]) -> list[Written]:
    """Read the accounts of these callers on these networks (WHOLE is the one of all calls), as they are written."""
    return [(*row,) for row in connection.execute(_OF_KEYS, _pairs(keys))]


def _pairs(keys: Collection[tuple[str, str]]) -> dict[str, Any]:
    return {"callers": sorted({caller for caller, _ in keys}), "keys": sorted(keys)}


def read_account(written: Written) -> Account:
    caller, network, body = written
    return Account.load(caller, network or None, json.loads(body))


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
    execute_many(connection, _PUT_ACCOUNT, rows)


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


def find_cases(connection: Connection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Case]:
    """Read the cases of these callers with these blockers."""
    found = connection.execute(_CASES, _pairs(keys))
    return {(one.caller, one.blocker): one for one in map(_read_case, found)}


def put_cases(connection: Connection, cases: Collection[Case]) -> None:
    """Write cases over what is there of them."""
    execute_many(connection, _DROP_CASE, [{"of_caller": one.caller, "of_blocker": one.blocker} for one in cases])
    execute_many(connection, _ADD_CASE, [asdict(one) | {"networks": list(one.networks)} for one in cases])


def replace_cases(connection: Connection, caller: str, cases: Collection[Case]) -> None:
    connection.execute(delete(redress).where(redress.c.caller == caller))
    put_cases(connection, cases)


def note_case(connection: Connection, caller: str, blocker: str | None, step: Step, now: datetime) -> tuple[Case, ...]:
    """Note what a person did about a caller's cases, or about that with one blocker; give them as they are now."""
    cases = [noted(case, step, now) for case in read_cases(connection, caller) if blocker in {None, case.blocker}]
    put_cases(connection, cases)
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
