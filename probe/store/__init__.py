"""Calls, rounds and events in, the same out again later: the database behind `--store`."""

from probe.store.lease import this_process
from probe.store.opening import open_store
from probe.store.outbox import Outbox
from probe.store.pruning import Keep, Pruned
from probe.store.store import Store

__all__ = ["Keep", "Outbox", "Pruned", "Store", "open_store", "this_process"]
