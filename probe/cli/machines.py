"""What the commands share that let several machines work on one store."""

import importlib
from collections.abc import Sequence
from datetime import datetime
from types import ModuleType

from probe.call import CallRequest
from probe.errors import ScenarioError
from probe.store import Store


def queues_beside(store: Store) -> ModuleType:
    """Load `probe.fleet`, whose queues stand beside the ledger. ScenarioError where there is no PostgreSQL for them."""
    if store.plans.conninfo is None:
        raise ScenarioError(
            "Several machines share a PostgreSQL database; name it with --store postgresql://USER@HOST/DATABASE."
        )
    try:
        return importlib.import_module("probe.fleet")
    except ModuleNotFoundError as error:
        raise ScenarioError(
            f"Several machines need {error.name}, which is not installed; pip install 'probe[fleet]'."
        ) from error


class Planner:
    """The ledger of a store with the queues beside it, for a daemon that plans and does not dial."""

    def __init__(self, store: Store) -> None:
        """ScenarioError where several machines cannot work on this store."""
        self._wake = queues_beside(store).wake
        self._plans = store.plans
        self._plans.prepare(queues_beside(store).make_ready)
        self.give_up = self._plans.give_up
        self.under_way = self._plans.under_way
        self.now = self._plans.now

    def plan(self, requests: Sequence[CallRequest], until: datetime) -> int:
        """Write what is due, and wake the workers of its sites."""
        return self._plans.plan(requests, until, self._wake)
