"""`probe worker`: places the calls that are planned for one site, beside others who do, until SIGTERM."""

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from probe import announce
from probe.agent.pool import Agent
from probe.call import CallRequest, Ending
from probe.cli.cards import read_cards
from probe.cli.history import is_stopped, new_event_id, new_id, open_history
from probe.cli.log import start_log
from probe.cli.machines import queues_beside
from probe.cli.main import FINE
from probe.cli.outside import now
from probe.cli.scenarios import load
from probe.errors import ProbeError, ScenarioError, StoreError
from probe.judged import JudgedCall, judge_call
from probe.ledger import Gate, Ledger
from probe.report.tables import what_happened
from probe.rounds import Pace, Road, gate
from probe.scenario.guard import allowed_by, reach
from probe.scenario.scenario import Scenario
from probe.store import Served, Store
from probe.trunk import Trunk
from probe.worker import Post, work

_SWEEP_S = 10.0
_GREET_S = 5.0
_TIDY_S = 3600.0
_CALLS_END_S = 4.0  # ringing ones by CANCEL, answered ones by BYE
_GONE_S = 9.0


def run(arguments: argparse.Namespace) -> int:
    """Take and place calls until a signal comes."""
    scenarios = [_of_site(load(path), arguments.site) for path in arguments.scenarios]
    store = open_history(arguments)
    try:
        asyncio.run(Working(arguments, store, scenarios).until_stopped())
    finally:
        store.close()
    return FINE


def _of_site(scenario: Scenario, site: str) -> Scenario:
    if site in scenario.sites:
        return scenario
    there = ", ".join(scenario.sites) or "the machine that runs `probe run` alone"
    raise ScenarioError(
        f"{scenario.path} is not called from the site {site} but from {there}; name {site} under `sites:` there."
    )


class Working:
    """The worker: it joins the ledger, the queue that wakes it, the agents and the road."""

    def __init__(self, arguments: argparse.Namespace, store: Store, scenarios: Sequence[Scenario]) -> None:
        self._site: str = arguments.site
        self._name = f"{self._site}/{socket.gethostname()}/{os.getpid()}/{new_id()[-6:]}"
        self._store = store
        self._fleet = queues_beside(store)
        self._log = start_log(full_numbers=arguments.full_numbers)
        self._stopping = asyncio.Event()
        self._wrong: str | None = None
        self._ledger = Ledger(store, self.failed)
        self._agents: dict[Trunk, Agent] = {}
        self._posts = {trunk: self._post(trunk, theirs) for trunk, theirs in _by_trunk(scenarios)}
        self._queues = {self._fleet.queue_of(self._site, trunk): post for trunk, post in self._posts.items()}

    async def until_stopped(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        conninfo = self._store.plans.conninfo
        assert conninfo is not None  # or there were no library
        await asyncio.to_thread(self._store.plans.prepare, self._fleet.make_ready)
        listening = [
            asyncio.create_task(self._fleet.listen(conninfo, list(self._queues), self._wake, self.failed)),
            asyncio.create_task(self._every(_GREET_S, self._greet)),
            asyncio.create_task(self._every(_SWEEP_S, self._sweep)),
            asyncio.create_task(self._every(_TIDY_S, self._store.plans.tidy)),
        ]
        for task in listening:
            task.add_done_callback(self._ended)
        self._log.info("started", worker=self._name, site=self._site, trunks=sorted(self._posts))
        await asyncio.gather(*map(self._open, self._agents.values()))
        await asyncio.gather(*(work(post, self._ledger, self, self._stopping) for post in self._posts.values()))
        self._must_be_gone()
        await self._end_calls()
        for task in listening:
            task.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
        self._log.info("stopped")

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Tell of a fault of ours; calls are still found without being woken for them, every few seconds."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.failed(error)

    async def _open(self, agent: Agent) -> None:
        """Start a user agent ahead of its first calls, which would leave all at once when it is ready."""
        try:
            await agent.open()
        except ProbeError as error:  # each call will say so, too
            self.failed(error)

    def _post(self, trunk: str, scenarios: Sequence[Scenario]) -> Post:
        # Where the files of a trunk differ, the least holds.
        lines = min(scenario.trunk.lines for scenario in scenarios)
        pace, calls_per_second = Pace(), min(scenario.trunk.calls_per_second for scenario in scenarios)
        roads = {one.name: replace(self._road(one), pace=pace, calls_per_second=calls_per_second) for one in scenarios}
        reaches = [far for scenario in scenarios if (far := reach(scenario.limits)) is not None]
        served = Served(
            worker=self._name,
            site=self._site,
            trunk=trunk,
            scenarios=tuple(sorted(roads)),
            lines=lines,
            calls_per_second=calls_per_second,
            reach=max(reaches, default=None),
        )

        def gate_of(request: CallRequest, at: Any) -> Gate:  # noqa: ANN401 - a datetime
            return gate(request, roads[request.scenario or ""], at)

        return Post(look=partial(self._store.plans.take, served, gate_of, self._fleet.wake), roads=roads)

    def _road(self, scenario: Scenario) -> Road:
        if scenario.trunk not in self._agents:
            self._agents[scenario.trunk] = Agent(scenario.trunk)
        return Road(
            agent=self._agents[scenario.trunk],
            store=self._ledger,
            allowed=allowed_by(scenario),
            new_id=new_event_id,
            now=now,
            announce=announce,
            stopped=is_stopped,
            endpoint=scenario.endpoint,
            cards=read_cards(scenario.card_rules),
        )

    async def _wake(self, queue: str) -> None:
        if not self._stopping.is_set():
            await self._queues[queue].wake()

    async def _every(self, seconds: float, work: Any) -> None:  # noqa: ANN401 - a function without arguments
        while True:
            try:
                await asyncio.to_thread(work)
            except StoreError as error:
                self.failed(error)
            await asyncio.sleep(seconds)

    def _greet(self) -> None:
        self._store.plans.greet(self._name, self._site, sorted(self._posts))

    def _sweep(self) -> None:
        """Mark as lost what must be over, whoever dialled it: its worker is dead, or cannot reach the store."""
        for record in self._store.mark_lost(self._store.plans.now()):
            self.called(judge_call(record))

    async def _end_calls(self) -> None:
        """Cancel what rings and end what is answered."""
        for agent in self._agents.values():
            agent.stop()
        under_way = [task for post in self._posts.values() for task in post.under_way]
        if under_way:
            await asyncio.wait(under_way, timeout=_CALLS_END_S)
        for agent in self._agents.values():
            await agent.close()
        with contextlib.suppress(StoreError):  # what cannot be written is found to be lost
            await asyncio.to_thread(self._ledger.write_kept)
            await asyncio.to_thread(self._store.plans.part, self._name)

    def _must_be_gone(self) -> None:
        """Leave in time whatever happens: the store holds all that is to be gone on with."""
        timer = threading.Timer(_GONE_S, os._exit, (FINE,))
        timer.daemon = True
        timer.start()

    # What is told.

    def called(self, judged: JudgedCall) -> None:
        request = judged.record.request
        told = self._log.warning if judged.record.ending is Ending.GUARDED else self._log.info
        told(
            "refused" if judged.record.ending is Ending.GUARDED else "called",
            scenario=request.scenario,
            caller=request.caller,
            callee=request.callee,
            disposition=judged.verdict.disposition.value,
            happened=what_happened(judged),
            id=request.id,
        )

    def failed(self, error: BaseException) -> None:
        why = str(error) if isinstance(error, ProbeError) else repr(error)
        if why != self._wrong:
            self._log.error("failed", why=why)
        self._wrong = why

    def recovered(self) -> None:
        if self._wrong is not None:
            self._log.info("recovered", from_=self._wrong)
        self._wrong = None


def _by_trunk(scenarios: Iterable[Scenario]) -> Iterable[tuple[str, list[Scenario]]]:
    by_trunk: dict[str, list[Scenario]] = {}
    for scenario in scenarios:
        by_trunk.setdefault(scenario.trunk.name, []).append(scenario)
    return by_trunk.items()
