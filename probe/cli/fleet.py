"""`probe fleet status`: who works at which site, what is planned there and how far it is, and who plans."""

import argparse
from collections.abc import Iterator
from typing import Any

from probe.cli.history import open_history
from probe.cli.machines import queues_beside
from probe.cli.main import FINE
from probe.cli.outside import print_json, tell
from probe.documents import timestamp
from probe.store import Store


def run(arguments: argparse.Namespace) -> int:
    """Tell how the fleet of this store stands."""
    store = open_history(arguments)
    try:
        document = _document(store)
    finally:
        store.close()
    if arguments.json:
        print_json(document)
    else:
        for line in _page(document):
            tell(line)
    return FINE


def _document(store: Store) -> dict[str, Any]:
    queues, holder = queues_beside(store), store.plans.holder()
    jobs = store.plans.read(queues.count_jobs)
    return {
        "now": timestamp(store.plans.now()),
        "planned_by": {"name": holder.name, "since": timestamp(holder.since)} if holder else None,
        "workers": [
            {
                "name": one.name,
                "site": one.site,
                "trunks": list(one.trunks),
                "calls": one.calls,
                "since": timestamp(one.since),
                "seen_at": timestamp(one.seen_at),
            }
            for one in store.plans.workers()
        ],
        "queues": [
            {
                "site": one.site,
                "trunk": one.trunk,
                "calls": one.states,
                "lines_in_use": one.lines,
                "oldest_due_at": timestamp(one.oldest_due_at) if one.oldest_due_at else None,
                "jobs": jobs.get(queues.queue_of(one.site, one.trunk), {}),
            }
            for one in store.plans.queues()
        ],
    }


def _page(document: dict[str, Any]) -> Iterator[str]:
    planner = document["planned_by"]
    yield f"planned by  {planner['name'] if planner else 'nobody; `probe run` plans where a file names sites'}"
    for number, one in enumerate(document["workers"]):
        calls = f"{one['calls']} call{'' if one['calls'] == 1 else 's'}"
        yield f"{'workers' if number == 0 else '':<10}  {one['name']}  {calls} under way  last seen {one['seen_at']}"
    if not document["workers"]:
        yield "workers     none; start one with `probe worker --site NAME SCENARIO`"
    for number, one in enumerate(document["queues"]):
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(one["calls"].items()))
        since = f"  the oldest due since {one['oldest_due_at']}" if one["oldest_due_at"] else ""
        where = f"{one['site']}.{one['trunk']}"
        yield f"{'calls' if number == 0 else '':<10}  {where}  {states}  {one['lines_in_use']} lines in use{since}"
    if not document["queues"]:
        yield "calls       none planned"
