"""Tallies in, what ties blocks together out: with how likely it is chance, corrected for all that was looked at."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from probe.health.change_points import find_changes
from probe.health.clusters import find_clusters, without_explained
from probe.health.counted import Counted
from probe.health.exact import Family
from probe.health.quorum import find_paths
from probe.health.silent import find_silent
from probe.health.standing import Signal, Standing
from probe.health.tally import Tally
from probe.health.trouble import in_trouble


def find_signals(tallies: Iterable[Tally], standings: Sequence[Standing]) -> tuple[Signal, ...]:
    """Find every signal, the surest first; the order of what comes in does not matter. Each tally comes once.

    All tests, of clusters, paths, changes and silent blocks, of every caller ID and of the fleet, are one family: among
    all signals at most one in a hundred is false, on average (see `Family`), so a thousand clean numbers raise next to
    none.
    """
    counted, family = Counted(tallies), Family[Signal]()
    troubled = in_trouble(counted, standings)
    find_clusters(counted, troubled, standings, family)
    find_paths(counted, troubled, family)
    find_changes(counted, family)
    find_silent(counted, family)
    signals = without_explained([replace(signal, p=p) for p, signal in family.believed()])
    return tuple(sorted(signals, key=_order))


def attach(standings: Sequence[Standing], signals: Sequence[Signal]) -> tuple[Standing, ...]:
    """Give the standings with their signals: of a caller ID as a whole all of its own, on a network those about it.

    Signals of the whole fleet are nobody's own.
    """
    own: dict[str | None, list[Signal]] = {}
    for signal in signals:
        own.setdefault(signal.caller, []).append(signal)
    return tuple(
        replace(one, signals=tuple(s for s in own.get(one.caller, ()) if one.network in {None, s.network}))
        if one.caller in own or one.signals
        else one
        for one in standings
    )


def _order(signal: Signal) -> tuple[float, str, str, str, str, str]:
    return signal.p, signal.kind, signal.dimension, signal.value, signal.caller or "", signal.network or ""
