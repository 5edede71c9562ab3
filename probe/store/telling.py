"""Standings that changed, or that last, in; the events that tell of them out, queued in the same transaction."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Select, and_, or_, select

from probe.event import STANDING_CHANGED, Event
from probe.health import Accounts, Change, State
from probe.health.changes import reminders
from probe.judged import JudgedCall, judge_call
from probe.store.accounts import WHOLE, mark_told, read_accounts
from probe.store.facts import read_records
from probe.store.locks import take_turns_of
from probe.store.outbox import queue
from probe.store.schema import account, call

# Standings that changed, and the calls behind them, in; the events that tell of them out.
Tell = Callable[[Sequence[Change], Sequence[JudgedCall]], Sequence[Event]]

_BLOCKED: Final = State.BLOCKED.value
_whole = account.alias("whole")


def tell_of(
    connection: Connection, changes: Sequence[Change], tell: Tell, endpoints: Collection[str], now: datetime
) -> None:
    """Queue what `tell` makes of these changes for each endpoint, and note that their standings were told."""
    events = tell(changes, _calls_behind(connection, changes))
    queue(connection, [(event, name) for event in events for name in endpoints])
    if any(event.type == STANDING_CHANGED for event in events):
        mark_told(connection, changes, now)


def read_reminders(connection: Connection, callers: Collection[str], before: datetime, most: int) -> tuple[Change, ...]:
    """Read the standings that are blocked and were not told since `before`, of at most so many of these callers.

    What was never told is due, too: the number may have been blocked before anybody asked to be told.
    """
    due = _blocked_and_not_told(before)
    found = [one for one in connection.execute(due).scalars() if one in callers][:most]
    if not found:
        return ()
    take_turns_of(connection, found)
    told = {
        (row.caller, row.network or None)
        for row in connection.execute(select(account).where(account.c.caller.in_(found)))
        if row.told_at is not None and row.told_at > before
    }
    return tuple(
        one
        for one in reminders(Accounts(read_accounts(connection, found)))
        if (one.after.caller, one.after.network) not in told
    )


def _blocked_and_not_told(before: datetime) -> Select[tuple[str]]:
    """Choose callers by the few accounts that are blocked; as a whole, such a caller is blocked with them."""
    as_a_whole = and_(_whole.c.caller == account.c.caller, _whole.c.network == WHOLE)
    old = [or_(one.c.told_at.is_(None), one.c.told_at <= before) for one in (account, _whole)]
    chosen = select(account.c.caller).distinct().join(_whole, as_a_whole)
    return chosen.where(account.c.state == _BLOCKED, or_(*old)).order_by(account.c.caller)


def _calls_behind(connection: Connection, changes: Sequence[Change]) -> tuple[JudgedCall, ...]:
    """Read the calls that changed these standings, and the control calls that settled some of them."""
    ids = {call_id for change in changes for call_id in change.calls}
    if not ids:
        return ()
    chosen = select(call).where(or_(call.c.id.in_(ids), call.c.control_of.in_(ids)), call.c.ended_at.is_not(None))
    return tuple(map(judge_call, read_records(connection, chosen, messages=True)))
