"""A caller ID in; what all its calls add up to, made again from the calls, out."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Final

from sqlalchemy import Connection

from probe.health import Accounts, Change, Observation, Tallies
from probe.health.changes import changes
from probe.health.redress import book
from probe.store.accounts import (
    WHOLE,
    drop_accounts,
    put_accounts,
    read_accounts,
    read_cases,
    replace_cases,
)
from probe.store.counts import Parts, parts_of, replace_counts
from probe.store.database import Database
from probe.store.facts import read_all_observations, read_controlled, read_controls, read_observations
from probe.store.judging import Opinion, judge_old_of, put_opinions
from probe.store.locks import take_turns_of
from probe.store.stale import Version, unmark, version_of

_TRIES: Final = 3
# Sums written in one transaction: most callers add to the same rows of everybody's counts, and the disk is waited for
# once.
_TOGETHER: Final = 10

Then = Callable[[Connection, tuple[Change, ...]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What the calls of a caller add up to. `noticed` are those that brought a notice.

    It holds as long as the version of the caller's accounts is the one that was read before the calls were.
    """

    caller: str
    version: Version
    accounts: Accounts
    parts: Parts
    noticed: tuple[Observation, ...]


def rebuild(connection: Connection, caller: str) -> tuple[Change, ...]:
    """Make again what the calls of a caller add up to, while nobody else may write; give the standings that changed."""
    return _replace_and_compare(connection, _add_up_alone(connection, caller))


def rebuild_apart(database: Database, caller: str) -> None:
    """Do the same, but write only for a moment: others are not kept waiting."""
    _rebuild_apart(database, caller, _replace)


def rebuild_together(database: Database, callers: Collection[str]) -> None:
    """Do the same for many callers in one pass over their calls, whose opinions are of today's ruleset already."""
    left = set(callers)
    with database.reading() as connection:
        controlled = read_controlled(connection)
        sums = (
            _add_up(connection, caller, calls, read_controls(connection, caller) if caller in controlled else ())
            for caller, calls in read_all_observations(connection, callers)
        )
        while together := tuple(islice(sums, _TOGETHER)):
            left -= _write_those_that_hold(database, together)
    for caller in sorted(left):  # those to whom a call was added meanwhile, and those that have no calls any more
        rebuild_apart(database, caller)


def rebuild_and_tell(database: Database, caller: str, then: Then) -> None:
    """Do the same, and then in the same transaction what is to be done about the standings that changed."""
    _rebuild_apart(database, caller, lambda connection, made: then(connection, _replace_and_compare(connection, made)))


def _rebuild_apart(database: Database, caller: str, write: Callable[[Connection, Sum], None]) -> None:
    """Try until nobody added a call between reading and writing; in the end, let them wait."""
    for _ in range(_TRIES):
        with database.reading() as connection:
            judge_old_of(connection, caller, partial(_put_apart, database))
        with database.reading() as connection:
            made = _add_up_of(connection, caller)
        if _write_if_it_holds(database, made, write):
            return
    with database.writing() as connection:
        write(connection, _add_up_alone(connection, caller))


def _write_if_it_holds(database: Database, made: Sum, write: Callable[[Connection, Sum], None]) -> bool:
    with database.writing() as connection:
        take_turns_of(connection, [made.caller])
        holds = version_of(connection, made.caller) == made.version
        if holds:
            write(connection, made)
        return holds


def _write_those_that_hold(database: Database, sums: Sequence[Sum]) -> set[str]:
    with database.writing() as connection:
        take_turns_of(connection, [made.caller for made in sums])
        held = [made for made in sums if version_of(connection, made.caller) == made.version]
        _replace(connection, *held)
        return {made.caller for made in held}


def _put_apart(database: Database, opinions: Sequence[Opinion]) -> None:
    with database.writing() as connection:
        put_opinions(connection, opinions)


def _add_up_alone(connection: Connection, caller: str) -> Sum:
    take_turns_of(connection, [caller])
    judge_old_of(connection, caller, partial(put_opinions, connection))
    return _add_up_of(connection, caller)


def _add_up_of(connection: Connection, caller: str) -> Sum:
    return _add_up(connection, caller, read_observations(connection, caller), read_controls(connection, caller))


def _add_up(connection: Connection, caller: str, calls: Iterable[Observation], controls: Iterable[Observation]) -> Sum:
    version = version_of(connection, caller)
    accounts, tallies, noticed = Accounts(), Tallies(), list[Observation]()
    for refused, one in _in_order(controls, calls):
        if refused is not None:
            accounts.settle(refused, one)
            tallies.settle(refused, one)
            continue
        accounts.add(one)
        tallies.add(one)
        if one.contacts is not None:
            noticed.append(one)
    return Sum(
        caller=caller, version=version, accounts=accounts, parts=parts_of(caller, tallies), noticed=tuple(noticed)
    )


def _in_order(
    found: Iterable[Observation], calls: Iterable[Observation]
) -> Iterator[tuple[Observation | None, Observation]]:
    """Give a caller's calls, and each control call with the call of theirs that it settles, in the order of adding.

    A control call settles what had ended before it.
    """
    controls = deque(found)
    settled, ended = {one.control_of for one in controls}, dict[str | None, Observation]()
    for one in calls:
        while controls and _place(controls[0]) < _place(one):
            yield from _settling(controls.popleft(), ended)
        yield None, one
        if one.call_id in settled:
            ended[one.call_id] = one
    for control in controls:
        yield from _settling(control, ended)


def _settling(
    control: Observation, ended: Mapping[str | None, Observation]
) -> Iterator[tuple[Observation, Observation]]:
    if control.control_of in ended:
        yield ended[control.control_of], control


def _place(one: Observation) -> tuple[datetime, str]:
    return one.ended_at, one.call_id


def _replace_and_compare(connection: Connection, made: Sum) -> tuple[Change, ...]:
    before = {(one.caller, one.network): one.standing() for one in read_accounts(connection, [made.caller])}
    _replace(connection, made)
    return changes(before, made.accounts)


def _replace(connection: Connection, *sums: Sum) -> None:
    for made in sums:
        caller = made.caller
        drop_accounts(connection, caller, [network or WHOLE for _, network in made.accounts.opened])
        put_accounts(connection, made.accounts.opened.values())
        replace_cases(connection, caller, book(made.noticed, read_cases(connection, caller)))
        unmark(connection, caller, made.version)
    replace_counts(connection, {made.caller: made.parts for made in sums})
