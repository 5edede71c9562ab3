"""Accounts as they were and as they are in; the standings that changed, with the calls that changed them, out."""

from collections.abc import Iterable, Mapping
from typing import Final

from probe.health.account import Account, Accounts, in_whole
from probe.health.sequential import State
from probe.health.standing import Change, Standing

_MOST_CALLS: Final = 20
_Key = tuple[str, str | None]


def turned(then: Mapping[_Key, Standing], now: Accounts) -> frozenset[_Key]:
    """Name the accounts whose own state is another one than it was; `then` are the standings of each on its own."""
    return frozenset(key for key, one in now.opened.items() if one.state is not _state(then.get(key)))


def changes(then: Mapping[_Key, Standing], now: Accounts, others: Iterable[Standing] = ()) -> tuple[Change, ...]:
    """Give the standings that changed, of each caller ID the networks first and then the whole.

    `others` are those of the same caller IDs on networks that were left alone. They count because a caller ID as a
    whole stands as on its worst network: a change on one network may leave that as it was.
    """
    found, apart = turned(then, now), tuple(others)
    callers = {caller for caller, _ in found}
    before = in_whole([*apart, *(one for key, one in then.items() if key in now.opened)])
    known = {(one.caller, one.network): one for one in before}
    after = in_whole([*apart, *(one.standing() for one in now.opened.values())])
    return tuple(
        Change(before=was, after=one, calls=_behind(one, found, now))
        for one in after
        if one.caller in callers and one.standing is not _state(was := known.get((one.caller, one.network)))
    )


def reminders(now: Accounts) -> tuple[Change, ...]:
    """Give the standings that are blocked as changes that did not happen: before and after are one."""
    blocked = frozenset(key for key, one in now.opened.items() if one.state is State.BLOCKED)
    return tuple(
        Change(before=one, after=one, calls=_behind(one, blocked, now), reminder=True)
        for one in now.standings()
        if one.standing is State.BLOCKED
    )


def _state(standing: Standing | None) -> State:
    return standing.standing if standing else State.UNKNOWN


def _behind(changed: Standing, found: frozenset[_Key], now: Accounts) -> tuple[str, ...]:
    """Name the calls that changed a standing: as a whole, those of the networks that turned."""
    networks: list[str | None] = [changed.network]
    if changed.network is None:
        networks = [*sorted(name for caller, name in found if caller == changed.caller and name)] or [None]
    each = _MOST_CALLS // len(networks) or 1
    ids = [_since_it_turned(now.opened[changed.caller, network])[-each:] for network in networks]
    return tuple(dict.fromkeys(call_id for theirs in ids for call_id in theirs))


def _since_it_turned(account: Account) -> tuple[str, ...]:
    return account.calls_since(account.standing().since)
