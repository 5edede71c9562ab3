"""Counts and standings in, the caller IDs in trouble out: those that are blocked, and of late by more than strays."""

from collections.abc import Sequence
from typing import Final

from probe.health.counted import CallerCounts, Counted
from probe.health.exact import binomial
from probe.health.sequential import State
from probe.health.standing import Standing

_STRAYS: Final = 0.01  # the share of blocks that happens to clean numbers too
_CHANCE: Final = 0.05
_DAYS: Final = 30
_TROUBLED: Final = frozenset({State.BLOCKED, State.SUSPECT, State.RECOVERING})


def in_trouble(counted: Counted, standings: Sequence[Standing]) -> frozenset[str]:
    """Name the caller IDs whose blocks have to be explained; what lies long behind has not.

    The counts are for all time. Without this, a block that was lifted last year would be a signal for ever.
    """
    by_state = {one.caller for one in standings if one.network is None and one.standing in _TROUBLED}
    by_count = {caller for caller, one in counted.callers.items() if one.blocked and _more_than_strays(counted, one)}
    return frozenset(by_state | by_count)


def _more_than_strays(counted: Counted, one: CallerCounts) -> bool:
    days = [day for day in one.days if day.number > counted.today - _DAYS]
    blocked = sum(day.blocked for day in days)
    judged = blocked + sum(day.through for day in days)
    return blocked > judged * _STRAYS and binomial(blocked, judged, _STRAYS) <= _CHANCE
