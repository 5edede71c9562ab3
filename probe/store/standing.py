"""A call that has ended in; its accounts, counts and case brought up to date, and the standings that it changed, out.

What is added up here call by call equals what `probe.store.rebuild` makes of all calls at once, because both take the
calls in one order, which is written down: that in which their ends became known. Mostly it is the order in which they
ended; a call that is told of late has its place noted. (Clocks differ between machines, and are set back.)
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, update

from probe.health import Account, Accounts, Change, Observation, Standing
from probe.health.changes import changes, turned
from probe.health.redress import blocker_of, opens_case, seen
from probe.store.accounts import WHOLE, find_case, put_accounts, put_case, read_accounts, read_accounts_on
from probe.store.counts import Parts, add_counts, part_of
from probe.store.facts import read_observation
from probe.store.rebuild import rebuild
from probe.store.schema import call
from probe.store.stale import is_stale, mark_stale, take_turn

_Key = tuple[str, str | None]

_A_MOMENT: Final = timedelta(microseconds=1)
_PUT_PLACE: Final = update(call).where(call.c.id == bindparam("of_call"))


def add_call(connection: Connection, call_id: str, *, late: bool = False) -> tuple[Change, ...]:
    """Add a call that has ended to its accounts; give the standings that it changed.

    `late` says that a guess at this call has been added before: then its accounts are made again.
    """
    found = read_observation(connection, call_id)
    if found is None:
        return ()
    new, controlled_at = found
    known = read_observation(connection, new.control_of) if new.control_of else None
    refused = known[0] if known else None
    callers = sorted({one.caller for one in (new, refused) if one})
    take_turn(connection, callers)
    if late:
        mark_stale(connection, callers)
    if any(is_stale(connection, caller) for caller in callers):
        return tuple(change for caller in callers for change in rebuild(connection, caller))
    accounts = Accounts(_accounts_of(connection, new, refused))
    before = [controlled_at, *(one.ended_at for one in accounts.opened.values())]
    return _add(connection, accounts, _in_its_place(connection, new, before), refused)


def _add(
    connection: Connection, accounts: Accounts, new: Observation, refused: Observation | None
) -> tuple[Change, ...]:
    then, parts = {key: one.standing() for key, one in accounts.opened.items()}, Parts()
    accounts.add(new)
    part_of(parts, new).add(new)
    if refused is not None:
        accounts.settle(refused, new)
        part_of(parts, refused).settle(refused, new)
    put_accounts(connection, accounts.opened.values())
    add_counts(connection, parts)
    _note_notice(connection, new)
    return _changes(connection, accounts, then)


def _accounts_of(connection: Connection, *calls: Observation | None) -> list[Account]:
    networks: dict[str, set[str]] = {}
    for one in calls:
        if one is not None:
            networks.setdefault(one.caller, {WHOLE}).add(one.network or WHOLE)
    return [one for caller in networks for one in read_accounts_on(connection, caller, networks[caller])]


def _in_its_place(connection: Connection, new: Observation, before: Iterable[datetime | None]) -> Observation:
    """Let a call come after all that was added before it, and after the control calls that it was too late for."""
    last = max((at for at in before if at), default=None)
    if last is None or new.ended_at > last:
        return new
    place = last + _A_MOMENT
    connection.execute(_PUT_PLACE, {"of_call": new.call_id, "counted_at": place})
    return replace(new, ended_at=place)


def _changes(connection: Connection, accounts: Accounts, then: dict[_Key, Standing]) -> tuple[Change, ...]:
    """Most calls change nothing: only if one did are the other networks of its caller ID looked at."""
    callers = {caller for caller, _ in turned(then, accounts)}
    if not callers:
        return ()
    known = read_accounts(connection, callers)
    others = [one.standing() for one in known if (one.caller, one.network) not in accounts.opened]
    return changes(then, accounts, others)


def _note_notice(connection: Connection, one: Observation) -> None:
    if one.contacts is None or not opens_case(one):
        return
    case = seen(find_case(connection, one.caller, blocker_of(one.contacts)), one)
    assert case is not None  # a call that opens a case has one
    put_case(connection, case)
