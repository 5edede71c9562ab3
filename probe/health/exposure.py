"""Routes in; how much more of a network, trunk or destination was called while a caller ID was blocked, out.

A network that was first called when a block began would seem to be what the block is tied to. Which calls of a caller
ID on a day were to which network is not counted; which calls of everybody were, is, and rounds call the same for all.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from probe.health.counted import Day, day_number
from probe.health.tally import Dimension, Route, Tally

_Key = tuple[Dimension, str]


class Exposure:
    """How many calls of everybody went where, day by day."""

    def __init__(self, routes: Mapping[Route, Tally], networks: Mapping[str, str]) -> None:
        self._networks = networks
        self._calls: dict[_Key, Counter[int]] = {}
        self._all: Counter[int] = Counter()
        for route, tally in routes.items():
            day = day_number(route.day)
            self._all[day] += tally.calls
            for key in _keys(route):
                self._calls.setdefault(key, Counter())[day] += tally.calls

    def crowding(self, dimension: Dimension, value: str, days: Sequence[Day]) -> float:
        """Say how many times as many of the calls were there on days with blocks as on all days; 1 where unknown.

        Of calls to a destination, among those on its network.
        """
        here, among = self._calls.get((dimension, value)), self._all
        if dimension is Dimension.DESTINATION:
            among = self._calls.get((Dimension.NETWORK, self._networks.get(value, "")), among)
        if here is None:
            return 1.0
        shares = {day.number: here[day.number] / among[day.number] for day in days if among[day.number]}
        usual = _mean((shares[day.number], day.blocked + day.through) for day in days if day.number in shares)
        blocked = _mean((shares[day.number], day.blocked) for day in days if day.number in shares)
        return blocked / usual if usual and blocked else 1.0


def _keys(route: Route) -> tuple[_Key, ...]:
    return (
        (Dimension.NETWORK, route.network),
        (Dimension.TRUNK, route.trunk),
        (Dimension.DESTINATION, route.destination),
    )


def _mean(weighed: Iterable[tuple[float, int]]) -> float:
    total = weight = 0.0
    for value, of in weighed:
        total, weight = total + value * of, weight + of
    return total / weight if weight else 0.0
