"""Calls that have ended in; their accounts, counts and cases brought up to date, and the standings they changed, out.

What is added up here call by call equals what `probe.store.rebuild` makes of all calls at once, because both take the
calls in one order, which is written down: that in which their ends became known. Mostly it is the order in which they
ended; a call that is told of late has its place noted. (Clocks differ between machines, and are set back.)
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from probe.health import Accounts, Case, Change, Observation, Tallies
from probe.health.changes import changes
from probe.health.redress import blocker_of, opens_case, seen
from probe.store.accounts import (
    WHOLE,
    Written,
    find_cases,
    put_accounts,
    put_cases,
    read_account,
    read_accounts,
    read_bodies,
)
from probe.store.counts import Parts, add_counts
from probe.store.facts import read_last_controls, read_observation
from probe.store.locks import take_turns_of
from probe.store.many import execute_many
from probe.store.rebuild import rebuild
from probe.store.schema import call
from probe.store.stale import mark_stale, stale_among

Changes = dict[str, tuple[Change, ...]]
"""By the id of a call, the standings that it changed."""

_A_MOMENT: Final = timedelta(microseconds=1)
_CALLERS_OF: Final = select(call.c.caller).where(call.c.id.in_(bindparam("call_ids", expanding=True)))
_PUT_PLACE: Final = update(call).where(call.c.id == bindparam("of_call"))


class _Step(NamedTuple):
    """A call for the accounts of one caller: one of its own, or the control call that settles a refused one."""

    refused: Observation | None
    call: Observation


def add_calls(connection: Connection, ended: Iterable[Observation], late: Collection[str]) -> Changes:
    """Add calls that have ended to their accounts; give the standings that each changed.

    `late` are the ids of those at which a guess has been added before: their accounts are made again.
    """
    ordered = sorted(ended, key=attrgetter("ended_at"))
    take_turns_of(connection, {*map(attrgetter("caller"), ordered), *_controlled(connection, ordered)})
    steps = _steps(connection, ordered)
    mark_stale(connection, _callers(step for step in steps if step.call.call_id in late))
    again = _spread(set(stale_among(connection, _callers(steps))), steps)
    found = _add(connection, [step for step in steps if again.isdisjoint(_callers_of(step))])
    last = {caller: step.call.call_id for step in steps for caller in _callers_of(step) if caller in again}
    for caller, call_id in last.items():
        found[call_id] = (*found.get(call_id, ()), *rebuild(connection, caller))
    return found


def _controlled(connection: Connection, ended: Iterable[Observation]) -> list[str]:
    """Read whose calls are settled by these, if they have ended when it comes to that."""
    of_calls = [one.control_of for one in ended if one.control_of is not None]
    return list(connection.execute(_CALLERS_OF, {"call_ids": of_calls}).scalars()) if of_calls else []


def _steps(connection: Connection, ended: Sequence[Observation]) -> list[_Step]:
    """Put beside each control call what it settles, if that has ended before it."""
    together, steps = {one.call_id for one in ended}, list[_Step]()
    before = dict[str, Observation]()
    for one in ended:
        refused = None
        if one.control_of is not None:
            alone = one.control_of not in together
            refused = read_observation(connection, one.control_of) if alone else before.get(one.control_of)
        steps.append(_Step(refused, one))
        before[one.call_id] = one
    return steps


def _callers_of(step: _Step) -> set[str]:
    return {one.caller for one in step if one is not None}


def _callers(steps: Iterable[_Step]) -> list[str]:
    return sorted({caller for step in steps for caller in _callers_of(step)})


def _spread(again: set[str], steps: Sequence[_Step]) -> set[str]:
    """Add those who share a call with a caller whose accounts are made again: it is added to both or to neither."""
    known = 0
    while known < len(again):
        known = len(again)
        again = again.union(*(_callers_of(step) for step in steps if not again.isdisjoint(_callers_of(step))))
    return again


def _add(connection: Connection, steps: Sequence[_Step]) -> Changes:
    if not steps:
        return {}
    written = defaultdict[str, list[Written]](list)
    for body in read_bodies(connection, {key for step in steps for key in _keys(step)}):
        written[body[0]].append(body)
    accounts = {caller: Accounts(map(read_account, written[caller])) for caller in _callers(steps)}
    theirs, parts, turned = _by_caller(_in_their_places(connection, steps, accounts)), Parts(), list[str]()
    for caller, own in theirs.items():
        tallies = Tallies()
        if _add_theirs(accounts[caller], tallies, own):
            turned.append(caller)
        parts[caller, own[0].call.call_id] = tallies.counts
    put_accounts(connection, [account for one in accounts.values() for account in one.opened.values()])
    add_counts(connection, parts)
    _note_notices(connection, [step.call for step in steps])
    return _changes(connection, {caller: theirs[caller] for caller in turned}, written)


def _in_their_places(
    connection: Connection, steps: Iterable[_Step], accounts: Mapping[str, Accounts]
) -> Iterator[_Step]:
    """Let each call come after all that was added before it, and after the control calls that it was too late for."""
    last = {key: account.ended_at for one in accounts.values() for key, account in one.opened.items()}
    controlled, moved = read_last_controls(connection, [step.call.call_id for step in steps]), list[dict[str, Any]]()
    for refused, one in steps:
        touched = _keys(_Step(refused, one))
        before = [controlled.get(one.call_id), *(last.get((caller, network or None)) for caller, network in touched)]
        latest = max((at for at in before if at), default=None)
        place = one.ended_at if latest is None or one.ended_at > latest else latest + _A_MOMENT
        if place != one.ended_at:
            moved.append({"of_call": one.call_id, "counted_at": place})
        last.update(((caller, network or None), place) for caller, network in touched)
        if one.control_of is not None:
            controlled[one.control_of] = place
        yield _Step(refused, one._replace(ended_at=place))
    execute_many(connection, _PUT_PLACE, moved)


def _keys(step: _Step) -> list[tuple[str, str]]:
    """Name the accounts that a call touches."""
    calls = [one for one in step if one is not None]
    return [(one.caller, network) for one in calls for network in dict.fromkeys((one.network or WHOLE, WHOLE))]


def _by_caller(steps: Iterable[_Step]) -> dict[str, list[_Step]]:
    """Give each caller its own calls, and the control calls that settle them, in order."""
    theirs = defaultdict[str, list[_Step]](list)
    for step in steps:
        theirs[step.call.caller].append(_Step(None, step.call))
        if step.refused is not None:
            theirs[step.refused.caller].append(step)
    return theirs


def _add_theirs(accounts: Accounts, tallies: Tallies, steps: Iterable[_Step]) -> bool:
    """Add the calls of one caller; say whether the state of an account turned, be it for a moment."""
    turned = False
    for step in steps:
        touched = accounts.of(step.refused or step.call)
        before = [account.state for account in touched]
        _add_one(accounts, step)
        turned |= before != [account.state for account in touched]
        if step.refused is None:
            tallies.add(step.call)
        else:
            tallies.settle(step.refused, step.call)
    return turned


def _add_one(accounts: Accounts, step: _Step) -> None:
    if step.refused is None:
        accounts.add(step.call)
    else:
        accounts.settle(step.refused, step.call)


def _changes(
    connection: Connection, turned: Mapping[str, Sequence[_Step]], written: Mapping[str, Sequence[Written]]
) -> Changes:
    """Go over the calls of those whose state turned once more: most calls change nothing, and a standing takes time.

    The other networks of such a caller ID count, too: as a whole it stands as on its worst one.
    """
    found = defaultdict[str, tuple[Change, ...]](tuple)
    for caller, steps in turned.items():
        accounts = Accounts(map(read_account, written[caller]))
        touched = {(caller, network or None) for step in steps for of, network in _keys(step) if of == caller}
        others = [
            one.standing() for one in read_accounts(connection, [caller]) if (one.caller, one.network) not in touched
        ]
        for step in steps:
            then = {key: account.standing() for key, account in accounts.opened.items()}
            _add_one(accounts, step)
            found[step.call.call_id] += changes(then, accounts, others)
    return found


def _note_notices(connection: Connection, calls: Iterable[Observation]) -> None:
    named = [
        ((one.caller, blocker_of(one.contacts)), one) for one in calls if one.contacts is not None and opens_case(one)
    ]
    if not named:
        return
    known: dict[tuple[str, str], Case | None] = {**find_cases(connection, {key for key, _ in named})}
    for key, one in named:
        known[key] = seen(known.get(key), one)
    put_cases(connection, [case for case in known.values() if case is not None])
