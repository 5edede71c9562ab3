"""Calls, rounds and events in, the same out again later: the database behind `--store`."""

from probe.store.lease import this_process
from probe.store.opening import open_store
from probe.store.outbox import Outbox
from probe.store.plans import Plans, QueueCount, Served, Taken, WorkerSeen
from probe.store.pruning import Keep, Pruned
from probe.store.scheduling import Holder, Scheduling
from probe.store.store import Store

__all__ = [
    "Holder",
    "Keep",
    "Outbox",
    "Plans",
    "Pruned",
    "QueueCount",
    "Scheduling",
    "Served",
    "Store",
    "Taken",
    "WorkerSeen",
    "open_store",
    "this_process",
]
