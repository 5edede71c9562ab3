"""`probe status`: what is scheduled, what ran, what was refused and why, what waits for delivery."""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from probe import schedule
from probe.cli.history import is_stopped, open_history, stop_file
from probe.cli.main import FINE
from probe.cli.outside import now, print_json, tell
from probe.cli.scenarios import load
from probe.documents import timestamp
from probe.event import DeliveryState
from probe.store import Store

_SINCE = timedelta(days=1)


def run(arguments: argparse.Namespace) -> int:
    """Tell how the daemon of this store stands, over the last 24 hours."""
    store = open_history(arguments)
    document = _document(store, arguments.scenarios)
    if arguments.json:
        print_json(document)
    else:
        for line in _page(document):
            tell(line)
    store.close()
    return FINE


def _document(store: Store, paths: list[str]) -> dict[str, object]:
    since = now() - _SINCE
    waiting = store.outbox.deliveries(state=DeliveryState.WAITING)
    return {
        "daemon": store.holder(now()) or _planner(store),
        "stop_file": str(stop_file()) if is_stopped() else None,
        "paused": [{"kind": one.kind.value, "name": one.name, "why": one.why} for one in store.pauses()],
        "scheduled": [_scheduled(path) for path in paths],
        "rounds": [
            {"id": one.id, "state": one.state.value, "planned": one.planned, "why": one.why}
            for one in store.rounds(since)
        ],
        "refused": _refused(store),
        "incidents": [{"kind": one.kind, "at": timestamp(one.at)} for one in store.incidents(since)],
        "deliveries_waiting": len(waiting),
        "deliveries_failed_last": sorted({one.reason for one in waiting if one.reason}),
    }


def _planner(store: Store) -> str | None:
    """Name the daemon that plans for the workers of several sites."""
    holder = store.plans.holder() if store.plans.conninfo else None
    return holder.name if holder else None


def _scheduled(path: str) -> dict[str, str | None]:
    scenario = load(path)
    start = schedule.next_start(scenario.schedule, now()) if scenario.schedule else None
    return {"scenario": scenario.name, "next_round_at": timestamp(start) if start else None}


def _refused(store: Store) -> list[dict[str, object]]:
    refusals = store.refusals(now() - _SINCE)
    counts = Counter(refusal.rule for refusal in refusals)
    latest = {refusal.rule: refusal.why for refusal in reversed(refusals)}
    return [{"rule": rule, "calls": count, "latest": latest[rule]} for rule, count in counts.most_common()]


def _page(document: dict[str, object]) -> Iterator[str]:
    yield f"daemon               {document['daemon'] or 'none runs on this store'}"
    if document["stop_file"]:
        yield f"STOPPED              by {document['stop_file']}: nothing is dialled until it is removed"
    for title, key in (
        ("paused", "paused"),
        ("scheduled", "scheduled"),
        ("rounds, 24 h", "rounds"),
        ("refused, 24 h", "refused"),
        ("incidents, 24 h", "incidents"),
    ):
        rows = document[key]
        assert isinstance(rows, list)
        for number, row in enumerate(rows or ["none"]):
            words = row if isinstance(row, str) else "  ".join(str(value) for value in row.values() if value)
            yield f"{title if number == 0 else '':<19}  {words}"
    yield f"deliveries waiting   {document['deliveries_waiting']}"
    for reason in document["deliveries_failed_last"] or ():  # type: ignore[attr-defined] # a list of texts, see above
        yield f"{'':<19}  {reason}"
