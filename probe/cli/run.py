"""`probe run`: the daemon, until SIGTERM. SIGHUP reads the scenario files again."""

import argparse
import asyncio
import contextlib
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Coroutine
from datetime import datetime, timedelta
from typing import Any

from probe import announce, schedule
from probe.agent.pool import Agent
from probe.call import Ending
from probe.cli.cards import read_cards
from probe.cli.history import is_stopped, new_event_id, new_id, open_history
from probe.cli.log import start_log
from probe.cli.machines import Planner, queues_beside
from probe.cli.main import FINE
from probe.cli.outside import now
from probe.cli.scenarios import load
from probe.daemon import Daemon, change, tick, watch
from probe.errors import ProbeError, ScenarioError, StoreError
from probe.event import Endpoint
from probe.judged import JudgedCall
from probe.metrics import Metrics, serve
from probe.report.tables import what_happened
from probe.rounds import Pace, Road
from probe.scenario.guard import Refusal, allowed_by
from probe.scenario.round import RoundState
from probe.scenario.scenario import Scenario
from probe.store import Keep, Pruned, Scheduling, Store, this_process
from probe.trunk import Trunk
from probe.webhook.delivery import deliver_pending

_LEASE = timedelta(seconds=30)
_RENEW = timedelta(seconds=10)
_DELIVER_EVERY_S = 2.0
_CALLS_END_S = 4.0  # ringing ones by CANCEL, answered ones by BYE
_DELIVERIES_END_S = 3.0
_PRUNE_EVERY_S = 24 * 60 * 60.0
_PRUNE_PAUSE_S = 0.5  # between two steps, for the calls
# Gone within 10 s of SIGTERM, even where a store that is locked keeps us waiting.
_GONE_S = 9.0
_UNHEALTHY_S = 15.0
_PORTS = range(65_536)


def run(arguments: argparse.Namespace) -> int:
    """Watch the scenarios until a signal comes."""
    address = _address(arguments.http)
    scenarios = _load_all(arguments.scenarios)
    store = open_history(arguments)
    try:
        scheduling = _stand_ready(store, scenarios)
        asyncio.run(_Running(arguments, address, store, scenarios, scheduling).until_stopped())
    finally:
        with contextlib.suppress(StoreError):  # the lease ends by itself
            store.release(this_process())
        store.close()
    return FINE


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) not in _PORTS:
        raise ScenarioError(f"--http {text!r} is no address; write it as 127.0.0.1:9616.")
    return host.strip("[]"), int(port)


def _load_all(paths: list[str]) -> list[Scenario]:
    scenarios = [_load(path) for path in paths]
    names = [scenario.name for scenario in scenarios]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ScenarioError(
            f"Two scenario files are named {twice[0]}; rounds and limits go by that name, so rename one."
        )
    return scenarios


def _load(path: str) -> Scenario:
    scenario = load(path)
    if scenario.schedule is None:
        raise ScenarioError(f"{path} has no schedule; give it a `schedule:` with cron, every or calendar.")
    return scenario


def _stand_ready(store: Store, scenarios: list[Scenario]) -> Scheduling | None:
    """Be the one daemon of this store; or, where workers of several sites dial, one of those that take turns."""
    if any(scenario.sites for scenario in scenarios):
        queues_beside(store)
        return store.plans.scheduling()
    _take_the_lease(store)
    return None


def _take_the_lease(store: Store) -> None:
    if not store.hold(this_process(), now(), now() + _LEASE):
        raise StoreError(
            f"Another daemon works on this store: {_holder(store)}; stop it first, or name another store with --store."
        )


def _holder(store: Store) -> str:
    """Say who holds the lease, in words that `kill` and `ps` understand."""
    realm, _, process = (store.holder(now()) or "").partition("/")
    pid = process.partition("/")[0] or "unknown"
    here = realm == this_process().partition("/")[0]
    return f"process {pid}" if here else f"process {pid} of another machine or container"


class _Running:
    """The daemon at work: it joins the tick, the agents, the deliveries and those who watch it."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        address: tuple[str, int],
        store: Store,
        scenarios: list[Scenario],
        scheduling: Scheduling | None,
    ) -> None:
        self._paths: list[str] = arguments.scenarios
        self._address = address
        self._store = store
        self._scheduling = scheduling
        self._plans: bool | None = None
        self._log = start_log(full_numbers=arguments.full_numbers)
        self._metrics = Metrics()
        self._stopping = asyncio.Event()
        self._calls_over = asyncio.Event()
        self._agents: dict[Trunk, Agent] = {}
        self._paces = defaultdict[str, Pace](Pace)
        self._background: set[asyncio.Task[None]] = set()
        self._deliveries: dict[str, asyncio.Task[None]] = {}
        self._renewed_at = now()
        self._ticked = time.monotonic()
        self._wrong: str | None = None
        # The kinds of trouble since the last good tick: one line and one row each is enough.
        self._troubled: set[str] = set()
        self._unrecorded: list[tuple[str, datetime]] = []
        self._daemon = Daemon(
            store=store, clock=schedule, listener=self, new_id=new_id, planner=Planner(store) if scheduling else None
        )
        self._watched = [watch(scenario, self._road(scenario), self._daemon, now()) for scenario in scenarios]

    async def until_stopped(self) -> None:
        self._on_signals()
        async with self._answering() as address, self._delivering():
            self._log.info("started", scenarios=[one.scenario.name for one in self._watched], http=address)
            self._in_background(self._prune_daily())
            await schedule.tick_until(self._stopping, self._tick, self._trouble)
            self._daemon.leaving = True
            self._must_be_gone()
            await self._end_calls()
        self._log.info("stopped")

    async def _tick(self) -> None:
        try:
            if await asyncio.to_thread(self._is_our_turn):
                await tick(self._watched, self._daemon, now())
        except StoreError as error:
            # Nothing is dialled that could not be recorded; the next tick tries again.
            self.failed(error)
            self._hear_of("tick_failed", now(), str(error))
        else:
            await self._all_is_well()
        self._metrics.under_way.set(len(self._daemon.under_way))

    async def _all_is_well(self) -> None:
        if self._wrong is not None:
            self._log.info("recovered", from_=self._wrong)
        self._wrong = None
        await self._record_troubles()
        self._troubled.clear()
        self._ticked = time.monotonic()
        self._metrics.last_tick.set_to_current_time()
        for one in self._watched:
            self._metrics.next_round.labels(one.scenario.name).set(one.next_at.timestamp() if one.next_at else 0)

    def _is_our_turn(self) -> bool:
        """Say whether this daemon is to work, or to stand ready for when another one dies."""
        if self._scheduling is None:
            self._renew()
            return True
        mine = self._scheduling.hold()
        if mine is not self._plans:
            self._log.info("plans" if mine else "stands_ready", why="" if mine else "another daemon plans")
        self._plans = mine
        return mine

    def _renew(self) -> None:
        """Renew the lease; after a standstill it may be somebody else's."""
        moment = now()
        if self._renewed_at <= moment < self._renewed_at + _RENEW:
            return
        if not self._store.hold(this_process(), moment, moment + _LEASE):
            raise StoreError(
                f"Another daemon took this store over: {_holder(self._store)}; nothing is dialled here, so stop one"
            )
        self._renewed_at = moment

    def _road(self, scenario: Scenario) -> Road:
        if scenario.trunk not in self._agents:
            self._agents[scenario.trunk] = Agent(scenario.trunk)
        return Road(
            agent=self._agents[scenario.trunk],
            store=self._daemon.ledger,
            allowed=allowed_by(scenario),
            new_id=new_event_id,
            now=now,
            announce=announce,
            stopped=is_stopped,
            endpoint=scenario.endpoint,
            cards=read_cards(scenario.card_rules),
            lines=scenario.trunk.lines,
            calls_per_second=scenario.trunk.calls_per_second,
            pace=self._paces[scenario.trunk.name],
        )

    # Signals.

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _reload(self) -> None:
        """Read every file again; one bad file leaves all that was in force."""
        try:
            self._change_all(_load_all(self._paths))
        except ProbeError as error:
            self._log.error("reload_refused", why=str(error), in_force="the files as they were read before")
        else:
            self._log.info("reloaded", scenarios=[one.scenario.name for one in self._watched])

    def _change_all(self, scenarios: list[Scenario]) -> None:
        if self._scheduling is None and any(scenario.sites for scenario in scenarios):
            raise ScenarioError("A file names sites, and none did when this daemon was started; start it again.")
        # A file keeps its path, and with it its name; so each is known already.
        known = {one.scenario.name: one for one in self._watched}
        for scenario in scenarios:
            change(known[scenario.name], scenario, self._road(scenario), self._daemon, now())
        for trunk in self._agents.keys() - {scenario.trunk for scenario in scenarios}:
            self._in_background(self._retire(self._agents.pop(trunk)))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _retire(self, agent: Agent) -> None:
        """Let an agent go whose trunk no file names any more, when its calls are over."""
        under_way = tuple(self._daemon.under_way)
        if under_way:
            await asyncio.wait(under_way)
        await agent.close()

    async def _end_calls(self) -> None:
        """Cancel what rings and end what is answered."""
        for task in self._background:
            task.cancel()
        for agent in self._agents.values():
            agent.stop()
        if self._daemon.under_way:
            await asyncio.wait(tuple(self._daemon.under_way), timeout=_CALLS_END_S)
        for agent in self._agents.values():
            await agent.close()
        with contextlib.suppress(StoreError):  # what cannot be written is found to be lost
            await asyncio.to_thread(self._daemon.ledger.write_kept)
        if self._scheduling is not None:
            self._scheduling.drop()
        self._calls_over.set()

    def _must_be_gone(self) -> None:
        """Leave in time whatever happens: the store holds all that is to be gone on with."""
        timer = threading.Timer(_GONE_S, os._exit, (FINE,))
        timer.daemon = True
        timer.start()

    # Deliveries: tasks of their own, so that no receiver delays a call, and none another receiver.

    @contextlib.asynccontextmanager
    async def _delivering(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._deliver())
        yield
        await asyncio.wait({task})
        late = set(self._deliveries.values())
        if late:
            _, late = await asyncio.wait(late, timeout=_DELIVERIES_END_S)
        for one in late:
            one.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _deliver(self) -> None:
        """Look for what waits, until the last call is over and once more."""
        while not self._calls_over.is_set():
            self._deliver_once()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._calls_over.wait(), _DELIVER_EVERY_S)
        self._deliver_once()

    def _deliver_once(self) -> None:
        endpoints = {one.scenario.endpoint for one in self._watched if one.scenario.endpoint}
        for endpoint in endpoints:
            if endpoint.name not in self._deliveries:
                task = asyncio.get_running_loop().create_task(self._deliver_to(endpoint))
                self._deliveries[endpoint.name] = task

    async def _deliver_to(self, endpoint: Endpoint) -> None:
        try:
            await self._deliver_what_waits(endpoint)
        except ProbeError as error:
            self.failed(error)
        finally:
            del self._deliveries[endpoint.name]

    async def _deliver_what_waits(self, endpoint: Endpoint) -> None:
        outbox = self._store.outbox
        waiting = await asyncio.to_thread(outbox.waiting, endpoint.name)
        self._metrics.waiting.labels(endpoint.name).set(waiting)
        # To open a client takes 30 ms, so it is not done for nothing.
        if not waiting or not await asyncio.to_thread(outbox.pending, endpoint.name, now()):
            return
        done = await deliver_pending(outbox, endpoint, now=now)
        self._metrics.waiting.labels(endpoint.name).set(done.waiting)
        self._metrics.count_deliveries(endpoint.name, done.taken, done.failed)
        if done.taken:
            self._log.info("delivered", endpoint=endpoint.name, taken=done.taken, waiting=done.waiting)
        for reason in dict.fromkeys(done.reasons):
            self._log.warning("not_delivered", endpoint=endpoint.name, why=reason, waiting=done.waiting)
        if done.disabled:
            self._log.error("endpoint_disabled", endpoint=endpoint.name, why="it answered 410 Gone")

    # Old messages.

    async def _prune_daily(self) -> None:
        """Drop the raw messages of old calls, once a day; what fails is tried again the next day."""
        while True:
            try:
                done = await self._prune()
            except StoreError as error:
                self.failed(error)
            else:
                self._log.info("pruned", calls=done.calls, bytes=done.bytes, held=done.held)
            await asyncio.sleep(_PRUNE_EVERY_S)

    async def _prune(self) -> Pruned:
        keep, moment = Keep(), now()
        done = await asyncio.to_thread(self._store.prune, keep, moment)
        while done.last is not None:
            await asyncio.sleep(_PRUNE_PAUSE_S)
            done = done.plus(await asyncio.to_thread(self._store.prune, keep, moment, done.last))
        return done

    # Those who watch.

    @contextlib.asynccontextmanager
    async def _answering(self) -> AsyncIterator[str]:
        server = serve(self._metrics, *self._address, self._what_is_wrong)
        try:
            yield "{}:{}".format(*server.server_address[:2])
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()

    def _what_is_wrong(self) -> str | None:
        silent = time.monotonic() - self._ticked
        return self._wrong or (f"no tick for {silent:.0f} s" if silent > _UNHEALTHY_S else None)

    def _trouble(self, kind: str, at: datetime, why: str = "") -> None:
        """Hear of a tick that was late, overlapped or failed."""
        self._hear_of(kind, at, why)
        self._in_background(self._record_troubles())

    def _hear_of(self, kind: str, at: datetime, why: str) -> None:
        self._metrics.count_trouble(kind)
        if kind not in self._troubled:
            self._troubled.add(kind)
            self._unrecorded.append((kind, at))
            self._log.warning(kind, planned_at=at.isoformat(), why=why)

    async def _record_troubles(self) -> None:
        """Write a row for each trouble; what the store does not take now it gets after the next good tick."""
        while self._unrecorded:
            kind, at = self._unrecorded.pop(0)
            try:
                await asyncio.to_thread(self._store.record_incident, kind, at, now())
            except StoreError:
                self._unrecorded.insert(0, (kind, at))
                return

    def called(self, judged: JudgedCall) -> None:
        self._metrics.count_call(judged)
        request = judged.record.request
        story = {
            "scenario": request.scenario,
            "caller": request.caller,
            "callee": request.callee,
            "disposition": judged.verdict.disposition.value,
            "happened": what_happened(judged),
            "id": request.id,
        }
        if judged.record.ending is Ending.GUARDED:
            self._log.warning("refused", **story)
        else:
            self._log.info("called", **story)

    def refused(self, refusal: Refusal) -> None:
        self._metrics.count_refusal(refusal.request.scenario or "", refusal.rule)
        request = refusal.request
        self._log.info("not_placed", caller=request.caller, callee=request.callee, rule=refusal.rule, why=refusal.why)

    def round_changed(self, scenario: str, round_id: str, state: RoundState, why: str) -> None:
        self._metrics.count_round(scenario, state.value)
        self._log.info("round", scenario=scenario, round=round_id, state=state.value, why=why)

    def failed(self, error: BaseException) -> None:
        why = str(error) if isinstance(error, ProbeError) else repr(error)
        if why != self._wrong:
            self._log.error("failed", why=why)
        self._wrong = why
