"""The daemon's tick: which rounds start, which of their calls are due, which rounds are over; the road places them.

Nothing that matters is kept in memory: a daemon that is killed and started again finds in the store what was planned,
what was begun and what was refused, and goes on with the rest.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from probe.call import CallRecord, CallRequest
from probe.health.evidence import Evidence, evidence_of
from probe.judged import JudgedCall, judge_call
from probe.ledger import Ledger
from probe.ledger import Store as LedgerStore
from probe.reminders import Store as ReminderStore
from probe.reminders import tell_what_lasts
from probe.rounds import Road, add_card, names_card, place_call, standings_after
from probe.scenario.guard import Refusal, reach
from probe.scenario.history import DAY, History
from probe.scenario.plan import closes_at, due, may_start
from probe.scenario.round import OpenRound, RoundRecord, RoundState
from probe.scenario.scenario import Scenario, Schedule
from probe.verdict import Disposition

LATE = timedelta(seconds=30)
"""A start that is noticed later than this was missed: it is recorded, and not caught up."""

_MOST_MISSED = 500  # rounds recorded as missed after one outage; the words of the first stand for those before it
_LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=31))
_SWEEP = timedelta(seconds=10)  # so often is looked for calls whose process died
_TELL = timedelta(minutes=1)  # so often is looked for numbers that stay blocked
_SOON_S = 1.0  # what may leave later than this is found again by the next tick
_SURE = frozenset({Evidence.BLOCKED, Evidence.THROUGH})


class Store(LedgerStore, ReminderStore, Protocol):
    """What the daemon asks of the store, beside what the road does."""

    def rounds(self, since: datetime) -> tuple[RoundRecord, ...]: ...
    def open_rounds(self, scenario: str) -> tuple[OpenRound, ...]: ...
    def history(self, now: datetime, reach: timedelta) -> History: ...
    def refuse_all(self, refusals: Sequence[Refusal], now: datetime) -> int: ...
    def record_round(self, round_id: str, scenario: str, planned_at: datetime, state: RoundState, why: str) -> bool: ...
    def begin_round(  # noqa: PLR0913 - what a round is
        self,
        round_id: str,
        scenario: str,
        started_at: datetime,
        planned: int,
        *,
        planned_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> bool: ...
    def calls(self, *, round: str | None = None) -> Iterable[CallRecord]: ...  # noqa: A002 - the word of CallRequest
    def mark_lost(self, now: datetime) -> tuple[CallRecord, ...]: ...


class Planner(Protocol):
    """What hands calls to the workers of other sites, and knows what they have in hand. Its clock is that of all."""

    def plan(self, requests: Sequence[CallRequest], until: datetime) -> int: ...
    def give_up(self) -> Sequence[Refusal]: ...
    def under_way(self, round_ids: Collection[str]) -> Collection[str]: ...
    def now(self) -> datetime: ...


class Clock(Protocol):
    """What knows when rounds start."""

    def next_start(self, schedule: Schedule, after: datetime) -> datetime | None: ...
    def starts_between(
        self, schedule: Schedule, after: datetime, until: datetime, most: int
    ) -> tuple[datetime, ...]: ...


class Listener(Protocol):
    """Who is told what happens."""

    def called(self, judged: JudgedCall) -> None: ...
    def refused(self, refusal: Refusal) -> None: ...
    def round_changed(self, scenario: str, round_id: str, state: RoundState, why: str) -> None: ...
    def failed(self, error: BaseException) -> None: ...


@dataclass(slots=True)
class Watched:
    """One scenario under watch. `seen` is up to when its starts were looked at; `next_at` is the next of them."""

    scenario: Scenario
    road: Road
    seen: datetime
    next_at: datetime | None

    @property
    def schedule(self) -> Schedule:
        assert self.scenario.schedule is not None  # `probe run` takes no other
        return self.scenario.schedule


@dataclass(slots=True, kw_only=True)
class Daemon:
    """The parts that every scenario shares, and the calls under way.

    `pace` says for each trunk when its next call may start (time.monotonic(), in seconds). Calls of scenarios that name
    sites go to `planner`, all others leave from here.
    """

    store: Store
    clock: Clock
    listener: Listener
    new_id: Callable[[], str]
    planner: Planner | None = None
    ledger: Ledger = field(init=False)
    under_way: dict["asyncio.Task[None]", CallRequest] = field(default_factory=dict)
    fetching: set["asyncio.Task[JudgedCall]"] = field(default_factory=set)
    pace: dict[str, float] = field(default_factory=dict)
    swept_at: datetime | None = None
    told_at: datetime | None = None
    leaving: bool = False

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.store, self.listener.failed)

    def fetch_card(self, judged: JudgedCall, road: Road) -> None:
        """Have the card of a call fetched, if it may be, apart from the call: its line and its phone are free."""
        if not names_card(judged, road.cards):
            return
        task = asyncio.get_running_loop().create_task(add_card(judged, road))
        self.fetching.add(task)
        task.add_done_callback(self._fetched)

    def _fetched(self, task: "asyncio.Task[JudgedCall]") -> None:
        self.fetching.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.listener.failed(error)

    def ended(self, task: "asyncio.Task[None]") -> None:
        """Forget a call that is over. What it raised is a fault of ours; its attempt will be found to be lost."""
        del self.under_way[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.listener.failed(error)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one scenario wants to dial now."""

    one: Watched
    requests: tuple[CallRequest, ...]


def watch(scenario: Scenario, road: Road, daemon: Daemon, now: datetime) -> Watched:
    """Begin to watch a scenario: from its last known round on, so that what was missed meanwhile is told."""
    assert scenario.schedule is not None
    seen = _last_planned(scenario.name, daemon.store, now) or now
    next_at = daemon.clock.next_start(scenario.schedule, seen)
    return Watched(scenario=scenario, road=road, seen=seen, next_at=next_at)


def change(one: Watched, scenario: Scenario, road: Road, daemon: Daemon, now: datetime) -> None:
    """Go on with the scenario as its file says now; a new schedule begins now."""
    assert scenario.schedule is not None
    if scenario.schedule != one.schedule:
        one.seen = max(one.seen, now)
        one.next_at = daemon.clock.next_start(scenario.schedule, one.seen)
    one.scenario, one.road = scenario, road


def _last_planned(scenario: str, store: Store, now: datetime) -> datetime | None:
    for back in _LOOK_BACK:
        planned = (one.planned_at for one in store.rounds(now - back) if one.scenario == scenario)
        found = max((at for at in planned if at is not None and at <= now), default=None)
        if found is not None:
            return found
    return None


async def tick(watched: Sequence[Watched], daemon: Daemon, now: datetime) -> None:
    """Do what this second asks for; the store is asked apart from the event loop, which has calls to follow.

    StoreError if the store cannot be read or written: then nothing was dialled by this tick.
    """
    for wanted in await asyncio.to_thread(_look, watched, daemon, now):
        _place(wanted, watched, daemon)


def _look(watched: Sequence[Watched], daemon: Daemon, now: datetime) -> list[_Wanted]:
    daemon.ledger.write_kept()
    _sweep(daemon, now)
    for refusal in daemon.planner.give_up() if daemon.planner else ():
        daemon.listener.refused(refusal)
    # What is over is closed before the next round asks whether it would overlap.
    wanted = [_Wanted(one, _go_on(one, daemon, now)) for one in watched]
    for one in watched:
        _start_rounds(one, daemon, now)
    _remind(watched, daemon, now)
    return wanted


def _sweep(daemon: Daemon, now: datetime) -> None:
    if daemon.swept_at is not None and daemon.swept_at <= now < daemon.swept_at + _SWEEP:
        return
    for record in daemon.store.mark_lost(daemon.planner.now() if daemon.planner else now):
        daemon.listener.called(judge_call(record))
    daemon.swept_at = now


def _remind(watched: Sequence[Watched], daemon: Daemon, now: datetime) -> None:
    """Look once a minute for what is to be told again; while there is more of it, with every tick."""
    if daemon.told_at is not None and daemon.told_at <= now < daemon.told_at + _TELL:
        return
    if not tell_what_lasts([(one.scenario, one.road) for one in watched], daemon.store, now):
        daemon.told_at = now


def _start_rounds(one: Watched, daemon: Daemon, now: datetime) -> None:
    # After a step back of the clock there is nothing new until the old time has come again.
    if one.next_at is None or one.next_at > now:
        return
    starts = daemon.clock.starts_between(one.schedule, one.seen, now, _MOST_MISSED)
    for start in starts:
        before = ", nor at the times before" if len(starts) == _MOST_MISSED and start == starts[0] else ""
        _start_round(one, daemon, start, now, before)
        one.seen = start
    one.next_at = daemon.clock.next_start(one.schedule, one.seen)


def _start_round(one: Watched, daemon: Daemon, start: datetime, now: datetime, before: str) -> None:
    name = one.scenario.name
    round_id = f"{name}@{start:%Y-%m-%dT%H:%M:%SZ}"
    if now - start > LATE:
        why = f"the daemon was not running at that time{before}, or the clock was set past it"
        _record(daemon, name, round_id, start, RoundState.MISSED, why)
    elif daemon.store.open_rounds(name):
        _record(daemon, name, round_id, start, RoundState.SKIPPED, "the round before it was still under way")
    else:
        ends_at = daemon.clock.next_start(one.schedule, start) or start + timedelta(days=1)
        planned = one.scenario.calls_a_round
        if daemon.store.begin_round(round_id, name, now, planned, planned_at=start, ends_at=ends_at):
            daemon.listener.round_changed(name, round_id, RoundState.OPEN, f"{planned} calls")


def _record(daemon: Daemon, name: str, round_id: str, start: datetime, state: RoundState, why: str) -> None:  # noqa: PLR0913, PLR0917 - the columns of the row
    if daemon.store.record_round(round_id, name, start, state, why):
        daemon.listener.round_changed(name, round_id, state, why)


def _go_on(one: Watched, daemon: Daemon, now: datetime) -> tuple[CallRequest, ...]:
    """Give what the open rounds want to dial now; record what they will not, and close those that are over."""
    rounds = daemon.store.open_rounds(one.scenario.name)
    if not rounds:
        return ()
    # First the calls under way, then the store: a call that ends in between is in one of them, not in neither.
    busy = {request.round for request in tuple(daemon.under_way.values())}
    past = daemon.store.history(now, reach(one.scenario.limits) or DAY)
    sure, stopped = _certainty(one.scenario, past), one.road.stopped()
    asked = due(one.scenario, past, rounds, now, new_id=daemon.new_id, certainty=sure, stopped=stopped)
    if asked.not_placed and daemon.store.refuse_all(asked.not_placed, now):
        for refusal in asked.not_placed:
            daemon.listener.refused(refusal)
    if one.scenario.sites:
        busy |= _hand_over(one, daemon, rounds, asked.requests)
    for over in rounds:
        if over.id in asked.finished and over.id not in busy:
            _finish(one, daemon, over, now)
    return () if one.scenario.sites else asked.requests


def _hand_over(
    one: Watched, daemon: Daemon, rounds: Sequence[OpenRound], requests: Sequence[CallRequest]
) -> set[str | None]:
    """Plan what is due for the workers of its sites; give the rounds of which they have calls in hand."""
    assert daemon.planner is not None  # `probe run` gives one where a file names sites
    for round_ in rounds:
        theirs = [request for request in requests if request.round == round_.id]
        if theirs:
            daemon.planner.plan(theirs, closes_at(round_, one.scenario))
    return set(daemon.planner.under_way([round_.id for round_ in rounds]))


def _certainty(scenario: Scenario, past: History) -> dict[tuple[str, str | None], float]:
    """Say how sure each caller's standing on each network is: the more calls of late that could tell, the surer."""
    networks = {destination.number: destination.network for destination in scenario.destinations}
    told = Counter(
        (attempt.caller, networks.get(attempt.callee))
        for attempts in past.callers.values()
        for attempt in attempts
        if attempt.disposition and evidence_of(Disposition(attempt.disposition)) in _SURE
    )
    return {pair: count / (count + 1) for pair, count in told.items()}


def _place(wanted: _Wanted, watched: Sequence[Watched], daemon: Daemon) -> None:
    """Start what the lines allow, apart from each other as the trunk's calls per second ask."""
    one, trunk = wanted.one, wanted.one.scenario.trunk.name
    begun = {request.plan_key for request in daemon.under_way.values()}
    for request in wanted.requests:
        start_at = max(time.monotonic(), daemon.pace.get(trunk, 0.0))
        late = start_at > time.monotonic() + _SOON_S
        if late or daemon.leaving or _free(trunk, watched, daemon) < 1:
            return
        if request.plan_key in begun or not may_start(request, daemon.under_way.values()):
            continue
        daemon.pace[trunk] = start_at + 1 / one.road.calls_per_second
        task = asyncio.get_running_loop().create_task(_place_one(one.road, daemon, request, start_at))
        daemon.under_way[task] = request
        task.add_done_callback(daemon.ended)


def _free(trunk: str, watched: Iterable[Watched], daemon: Daemon) -> int:
    """Count the lines of a trunk that are not in use; where its files differ, the fewest lines hold."""
    lines = min(one.scenario.trunk.lines for one in watched if one.scenario.trunk.name == trunk)
    return lines - sum(request.trunk == trunk for request in daemon.under_way.values())


async def _place_one(road: Road, daemon: Daemon, request: CallRequest, start_at: float) -> None:
    await asyncio.sleep(start_at - time.monotonic())
    if daemon.leaving:
        return
    # A StoreError goes to `ended`; the next tick meets the same store and dials nothing.
    judged = await place_call(request, road)
    if judged is not None:
        daemon.listener.called(judged)
        daemon.fetch_card(judged, road)


def _finish(one: Watched, daemon: Daemon, over: OpenRound, now: datetime) -> None:
    calls = [judge_call(record) for record in daemon.store.calls(round=over.id)]
    planned = one.scenario.calls_a_round
    event = one.road.announce.round_completed(
        calls,
        standings_after(calls, one.road),
        round_id=over.id,
        scenario=over.scenario,
        planned=planned,
        started_at=over.starts_at,
        ended_at=now,
        event_id=one.road.new_id(),
    )
    endpoint = one.road.endpoint
    addressed = ((event, endpoint.name),) if endpoint and event.type in endpoint.types else ()
    counts = event.data["counts"]
    daemon.store.finish_round(over.id, now, counts, addressed)
    words = f"{counts['placed']} of {planned} calls placed"
    daemon.listener.round_changed(over.scenario, over.id, RoundState.DONE, words)
