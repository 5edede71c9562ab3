"""Counts of calls from several sites in; what is blocked from one of them only out.

Blocked from one site, while the same caller ID gets through on the same network from others, is a path's doing: a
trunk, an attestation or an address of that site. Blocked from two sites or more it is the number's, and no signal.
"""

from collections.abc import Mapping
from typing import Final

from probe.health.counted import CallerCounts, Counted
from probe.health.exact import Family, fisher, least_fisher
from probe.health.standing import Signal
from probe.health.tally import Dimension, Tally, read_site

KIND: Final = "path"

_SEVERAL: Final = 2


def find_paths(counted: Counted, troubled: frozenset[str], family: Family[Signal]) -> None:
    """Hold the blocks of a caller ID in trouble from the one site that has any against its calls from all others."""
    for caller in sorted(troubled & counted.callers.keys()):
        for network, sites in _by_network(counted.callers[caller]).items():
            if len(sites) >= _SEVERAL:
                _ask(caller, network, sites, family)


def _by_network(counts: CallerCounts) -> dict[str, dict[str, Tally]]:
    """Sort the sites that any call could be judged from by network."""
    found: dict[str, dict[str, Tally]] = {}
    for value, tally in sorted(counts.values(Dimension.SITE).items()):
        site, network = read_site(value)
        if tally.blocked + tally.through:
            found.setdefault(network, {})[site] = tally
    return found


def _ask(caller: str, network: str, sites: Mapping[str, Tally], family: Family[Signal]) -> None:
    blocked = [site for site, tally in sites.items() if tally.blocked]
    judged = sum(tally.blocked + tally.through for tally in sites.values())
    if len(blocked) != 1:
        family.made()
        return
    here = sites[blocked[0]]
    total = here.blocked + here.through
    p = fisher(here.blocked, total, 0, judged - total)
    signal = Signal(
        kind=KIND,
        dimension=Dimension.SITE.value,
        value=blocked[0],
        p=p,
        caller=caller,
        network=network or None,
        hits=here.blocked,
        total=total,
        other_hits=0,
        other_total=judged - total,
    )
    family.found(p, signal, least_fisher(total, here.blocked, judged))
