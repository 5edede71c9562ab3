"""The scenarios under watch in; their endpoints told of what no call of the daemon's told them.

Which is: a number that stays blocked, as often as the file asks for it, and a standing that an import changed.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from probe.event import STANDING_CHANGED, Endpoint
from probe.ledger import Tell
from probe.rounds import Road, tell_standings
from probe.scenario.scenario import Scenario


class Store(Protocol):
    """What remembers the standings, and when each was last told; both methods say whether there may be more."""

    def catch_up(self, callers: Collection[str], now: datetime, tell: Tell, endpoints: Collection[str]) -> bool: ...
    def remind(
        self, callers: Collection[str], before: datetime, now: datetime, tell: Tell, endpoints: Collection[str]
    ) -> bool: ...


def tell_what_lasts(watched: Iterable[tuple[Scenario, Road]], store: Store, now: datetime) -> bool:
    """Tell a few of what is to be told now; True says that there may be more. StoreError if the store fails."""
    ones = [(scenario, road) for scenario, road in watched if _is_told(scenario.endpoint)]
    if not ones:
        return False
    tell = partial(tell_standings, ones[0][1])
    late = [
        store.catch_up(callers, now, tell, _names(endpoints))
        for endpoints, callers in _by_endpoints(scenario for scenario, _ in ones).items()
    ]
    asked = (scenario for scenario, _ in ones if scenario.endpoint and scenario.endpoint.remind_every_s)
    due = [
        store.remind(callers, now - _interval(endpoints), now, tell, _names(endpoints))
        for endpoints, callers in _by_endpoints(asked).items()
    ]
    return any(late) or any(due)


def _is_told(endpoint: Endpoint | None) -> bool:
    return endpoint is not None and STANDING_CHANGED in endpoint.types


def _by_endpoints(scenarios: Iterable[Scenario]) -> dict[frozenset[Endpoint], set[str]]:
    """Group caller IDs by who is to hear of them: two files with one caller ID may name two endpoints."""
    theirs: defaultdict[str, set[Endpoint]] = defaultdict(set)
    for scenario in scenarios:
        assert scenario.endpoint is not None
        numbers = [caller.number for caller in scenario.callers]
        for number in [*numbers, scenario.control] if scenario.control else numbers:
            theirs[number].add(scenario.endpoint)
    groups: defaultdict[frozenset[Endpoint], set[str]] = defaultdict(set)
    for number, endpoints in theirs.items():
        groups[frozenset(endpoints)].add(number)
    return groups


def _names(endpoints: Iterable[Endpoint]) -> list[str]:
    return sorted({endpoint.name for endpoint in endpoints})


def _interval(endpoints: Iterable[Endpoint]) -> timedelta:
    """Where files differ, the shortest interval holds: when a standing was told is kept once."""
    return timedelta(seconds=min(endpoint.remind_every_s or 0 for endpoint in endpoints))
