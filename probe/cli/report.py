"""`probe report`: one page about all caller IDs, written to a file."""

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from probe.cli.history import open_history
from probe.cli.late import late
from probe.cli.main import FINE
from probe.cli.outside import now, require_place, say
from probe.cli.reputation import Reputation, profile, read_reputation
from probe.errors import ScenarioError
from probe.report.page import MOST_IN_FULL, Overview, page
from probe.report.page_untested import NeverCalled, NotPlaced, Untested
from probe.report.standing_words import IN_TROUBLE, by_caller
from probe.scenario.scenario import Destination, Scenario
from probe.store import Store

_scenarios = late("probe.cli.scenarios")  # a page without them need not wait until reading files is loaded
# What was not placed is told so far back.
_REFUSALS_SINCE = timedelta(days=7)
# On all time lines together: to read more would take longer than a person waits for a page.
_CALLS_DRAWN = 12_000


def run(arguments: argparse.Namespace) -> int:
    """Write the page; say where it is and how large."""
    require_place("-o", arguments.output)
    scenarios = [_scenarios.load(path) for path in arguments.scenarios]
    store = open_history(arguments)
    content = page(_overview(store, scenarios, now())).encode()
    store.close()
    _write(Path(arguments.output), content)
    say(f"wrote {arguments.output} ({len(content) / 1000:,.0f} kB)")
    return FINE


def _overview(store: Store, scenarios: Sequence[Scenario], at: datetime) -> Overview:
    known = read_reputation(store)
    worst = [one for one in by_caller(known.standings) if one.whole.standing in IN_TROUBLE][:MOST_IN_FULL]
    calls = _CALLS_DRAWN // max(len(worst), 1)
    return Overview(
        made_at=at,
        standings=known.standings,
        troubles=[profile(store, known, one, calls=calls) for one in worst],
        signals=known.signals,
        untested=_untested(store, scenarios, known, at),
        labels={**known.labels, **_labels(scenarios)},
        began=known.began,
    )


def _labels(scenarios: Iterable[Scenario]) -> dict[str, str]:
    """Name caller IDs as the files name them today."""
    return {
        caller.number: ", ".join(filter(None, (caller.label, caller.campaign)))
        for scenario in scenarios
        for caller in scenario.callers
        if caller.label
    }


def _untested(store: Store, scenarios: Sequence[Scenario], known: Reputation, at: datetime) -> Untested:
    since = at - _REFUSALS_SINCE
    return Untested(
        since=since,
        refused=tuple(
            NotPlaced(rule=one.rule, calls=one.calls, why=one.why, at=one.at) for one in store.refused_by_rule(since)
        ),
        rounds=store.rounds(since),
        never_called=tuple(one for scenario in scenarios for one in _never_called(scenario, known)),
        scenarios=tuple(scenario.name for scenario in scenarios),
    )


def _never_called(scenario: Scenario, known: Reputation) -> Iterator[NeverCalled]:
    for caller in scenario.callers:
        called = known.called.get(caller.number, frozenset())
        missing = tuple(_named(one) for one in scenario.destinations if one.number not in called)
        if missing:
            yield NeverCalled(
                caller=caller.number, label=caller.label, destinations=missing, planned=len(scenario.destinations)
            )


def _named(destination: Destination) -> str:
    return f"{destination.number} ({destination.network})" if destination.network else destination.number


def _write(path: Path, content: bytes) -> None:
    """Write all or nothing: whoever reads the page meanwhile has the old one or the new one, never a half."""
    place = path.resolve()
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        if place.exists() and not place.is_file():  # a pipe or a device, whose name has to stay what it is
            place.write_bytes(content)
            return
        beside.write_bytes(content)
        beside.replace(place)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ScenarioError(f"-o: {path} cannot be written ({error.strerror}).") from error
