"""The road of a call: guard, begin, place, finish, judge, assess, queue. There is no other way to ring a phone.

A call request comes in; a judged call goes out, and everything that happened to it stands in the store by then.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Any, Final, Protocol

from probe.call import CallRecord, CallRequest, Card, Ending
from probe.event import STANDING_CHANGED, Endpoint, Event
from probe.health import Change, Standing, Tally
from probe.judged import JudgedCall, judge_call
from probe.ledger import Answer, Gate, Tell
from probe.scenario.guard import Allowed, Refusal, check, reach, refused_record
from probe.scenario.history import AlreadyPlanned
from probe.verdict import may_be_fetched


async def _no_patience(_until: datetime) -> bool:
    return False


# To find the signals of more takes seconds, in which no call would start; `probe standing` and the page have them.
_MOST_WITH_SIGNALS: Final = 200


class Agent(Protocol):
    """What places a call: it never raises for what happens to one."""

    async def place(self, request: CallRequest) -> CallRecord: ...


class Store(Protocol):
    """What remembers, as calls under way see it (`probe.ledger`): the attempt before the INVITE, the facts after it."""

    async def admit(self, request: CallRequest, at: datetime, gate: Gate, reach: timedelta | None) -> Answer: ...
    async def finish(self, judged: JudgedCall, tell: Tell, endpoint: str | None) -> tuple[Change, ...]: ...
    async def refuse(self, judged: JudgedCall) -> bool: ...
    async def keep_card(self, call_id: str, card: Card) -> None: ...
    def standings(self, callers: Collection[str]) -> tuple[Standing, ...]: ...
    def tallies(self, callers: Collection[str]) -> tuple[Tally, ...]: ...
    def begin_round(self, round_id: str, scenario: str, started_at: datetime, planned: int) -> bool: ...
    def finish_round(
        self, round_id: str, ended_at: datetime, counts: Mapping[str, Any], events: Sequence[tuple[Event, str]]
    ) -> None: ...


class Cards(Protocol):
    """What fetches the signed card of a 608, and checks it: `probe.cards`. It never raises for what it meets."""

    async def fetch(self, uri: str) -> Card: ...


class Announcer(Protocol):
    """What makes events of facts: `probe.announce`. It comes in because it is heavy, and no call has to wait for it."""

    def is_blocked(self, judged: JudgedCall) -> bool: ...
    def call_blocked(self, judged: JudgedCall, *, event_id: str, now: datetime) -> Event: ...
    def standing_changed(
        self, change: Change, calls: Sequence[JudgedCall], *, event_id: str, now: datetime
    ) -> Event: ...
    def with_signals(self, standings: Sequence[Standing], tallies: Iterable[Tally]) -> tuple[Standing, ...]: ...
    def round_completed(  # noqa: PLR0913 - what a round is
        self,
        calls: Sequence[JudgedCall],
        standings: Sequence[Standing],
        *,
        round_id: str,
        scenario: str,
        planned: int,
        started_at: datetime,
        ended_at: datetime,
        event_id: str,
    ) -> Event: ...


class Pace:
    """When the next INVITE may leave over a trunk. What shares the trunk shares it."""

    def __init__(self) -> None:
        self._next = 0.0  # time.monotonic(), in seconds

    async def wait(self, calls_per_second: float) -> None:
        """Wait for one's turn: what waited for the store together does not leave together."""
        now = time.monotonic()
        begin = max(now, self._next)
        self._next = begin + 1 / calls_per_second
        if begin > now:
            await asyncio.sleep(begin - now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """What the calls of one trunk share.

    `new_id` makes ids, `now` gives the time in UTC, `stopped` says whether the stop file is there. A call that a limit
    refuses waits for its turn by `wait_until`, which says whether the moment came that was waited for. `cards` is there
    if the file lets the cards of 608s be fetched.
    """

    agent: Agent
    store: Store
    allowed: Allowed
    new_id: Callable[[], str]
    now: Callable[[], datetime]
    announce: Announcer
    stopped: Callable[[], bool] = bool
    endpoint: Endpoint | None = None
    lines: int = 1
    calls_per_second: float = 1.0
    pace: Pace = field(default_factory=Pace)
    wait_until: Callable[[datetime], Awaitable[bool]] = _no_patience
    cards: Cards | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The calls of one round."""

    id: str
    scenario: str
    requests: tuple[CallRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResult:
    """What a round found. Fewer calls than planned means that it was stopped."""

    planned: int
    calls: tuple[JudgedCall, ...]
    standings: tuple[Standing, ...]


async def place_call(request: CallRequest, road: Road) -> JudgedCall | None:
    """Ring one phone, if the guard lets it. None: this planned call was placed before and is never dialled again."""
    answer = await _admit_in_time(request, road)
    if isinstance(answer, AlreadyPlanned):
        return None
    if answer is not None:
        return await _refuse(answer, road)
    await road.pace.wait(road.calls_per_second)
    return await follow(request, road)


async def follow(request: CallRequest, road: Road) -> JudgedCall:
    """Place a call whose attempt the guard has let into the store; judge it, and write what it brought."""
    judged = judge_call(await road.agent.place(request))
    await road.store.finish(judged, partial(_events, judged, road), _endpoint_name(road))
    return judged


def names_card(judged: JudgedCall, cards: Cards | None) -> bool:
    """Say whether there is a card to be fetched for a call, and the file allows it."""
    return cards is not None and judged.notice is not None and may_be_fetched(judged.notice)


async def add_card(judged: JudgedCall, road: Road) -> JudgedCall:
    """Fetch the card that a 608 names, if it may be fetched, and write what came of it.

    The call is over, recorded and off its line by then: no call waits for whoever is to answer.
    """
    if road.cards is None or judged.notice is None or not names_card(judged, road.cards):
        return judged
    card = await road.cards.fetch(judged.notice.call_info or "")
    await road.store.keep_card(judged.record.request.id, card)
    return judge_call(replace(judged.record, card=card))


async def _admit_in_time(request: CallRequest, road: Road) -> Answer:
    """Ask again when a limit that refuses has room, as long as the road has patience."""
    answer = await _admit(request, road)
    while isinstance(answer, Refusal) and answer.until is not None and await road.wait_until(answer.until):
        answer = await _admit(request, road)
    return answer


async def _admit(request: CallRequest, road: Road) -> Answer:
    """Ask the guard and write the attempt, in one transaction, so that nothing counted changes in between."""
    now = road.now()
    return await road.store.admit(request, now, gate(request, road, now), reach(road.allowed.limits))


def gate(request: CallRequest, road: Road, now: datetime) -> Gate:
    """Give the guard's question about a call, to be put to the past inside the transaction that writes the attempt."""
    stopped = road.stopped()
    return lambda history: check(request, allowed=road.allowed, history=history, now=now, stopped=stopped)


async def run_round(
    plan: Plan, road: Road, *, stopping: asyncio.Event, on_call: Callable[[JudgedCall], None]
) -> RoundResult:
    """Place every call of a round, within the trunk's lines and calls per second; `on_call` hears of each."""
    started_at = road.now()
    road.store.begin_round(plan.id, plan.scenario, started_at, len(plan.requests))
    calls = await _place_all(plan.requests, road, stopping, on_call)
    standings = standings_after(calls, road)
    ended_at = road.now()
    event = road.announce.round_completed(
        calls,
        standings,
        round_id=plan.id,
        scenario=plan.scenario,
        planned=len(plan.requests),
        started_at=started_at,
        ended_at=ended_at,
        event_id=road.new_id(),
    )
    road.store.finish_round(plan.id, ended_at, event.data["counts"], _addressed(event, road))
    return RoundResult(planned=len(plan.requests), calls=tuple(calls), standings=standings)


async def _refuse(refusal: Refusal, road: Road) -> JudgedCall:
    judged = judge_call(refused_record(refusal, road.now()))
    await road.store.refuse(judged)
    return judged


def standings_after(calls: Iterable[JudgedCall], road: Road) -> tuple[Standing, ...]:
    """Give how the caller IDs stand that were called with, and what ties their blocks together, if they are not many.

    What the guard refused is no call.
    """
    callers = {call.record.request.caller for call in calls if call.record.ending is not Ending.GUARDED}
    standings = road.store.standings(callers)
    if len(callers) > _MOST_WITH_SIGNALS:
        return standings
    return road.announce.with_signals(standings, road.store.tallies(callers))


def _events(
    judged: JudgedCall, road: Road, changes: Sequence[Change], calls: Sequence[JudgedCall]
) -> tuple[Event, ...]:
    events = []
    if _wanted("call.blocked", road) and road.announce.is_blocked(judged):
        events.append(road.announce.call_blocked(judged, event_id=road.new_id(), now=road.now()))
    if _wanted(STANDING_CHANGED, road):
        events += tell_standings(road, changes, calls)
    return tuple(events)


def tell_standings(road: Road, changes: Sequence[Change], calls: Sequence[JudgedCall]) -> tuple[Event, ...]:
    """Make the event of each change of standing, with those of the calls that are behind it."""
    tell = road.announce.standing_changed
    return tuple(tell(change, calls, event_id=road.new_id(), now=road.now()) for change in changes)


def _addressed(event: Event, road: Road) -> tuple[tuple[Event, str], ...]:
    return ((event, road.endpoint.name),) if road.endpoint and _wanted(event.type, road) else ()


def _wanted(event_type: str, road: Road) -> bool:
    return road.endpoint is not None and event_type in road.endpoint.types


def _endpoint_name(road: Road) -> str | None:
    return road.endpoint.name if road.endpoint else None


class _Queue:
    """The calls of a round that wait, in their order; a destination is rung by one call at a time."""

    def __init__(self, requests: Sequence[CallRequest]) -> None:
        self._requests = requests
        self._of_callee = defaultdict[str, deque[int]](deque)
        for place, request in enumerate(requests):
            self._of_callee[request.callee].append(place)
        # The place of the next call to each destination that is not being rung.
        self._next = [places.popleft() for places in self._of_callee.values()]
        heapify(self._next)

    def take(self) -> CallRequest | None:
        """Take the first call whose destination is free."""
        return self._requests[heappop(self._next)] if self._next else None

    def free(self, callee: str) -> None:
        """Note that a destination is not being rung any more."""
        if self._of_callee[callee]:
            heappush(self._next, self._of_callee[callee].popleft())


class _Under:
    """The calls under way, and when the next may start (time.monotonic(), in seconds)."""

    def __init__(self, queue: _Queue) -> None:
        self.way: dict[asyncio.Task[JudgedCall | None], CallRequest] = {}
        self.next_start = 0.0
        self.cards = set[asyncio.Task[JudgedCall]]()
        self._queue = queue
        self._over: list[asyncio.Task[JudgedCall | None]] = []
        self._woken = asyncio.Event()

    def start(self, request: CallRequest, road: Road) -> None:
        task = asyncio.create_task(place_call(request, road))
        self.way[task] = request
        task.add_done_callback(self._end)

    def _end(self, task: "asyncio.Task[JudgedCall | None]") -> None:
        self._over.append(task)
        self._woken.set()

    def start_card(self, judged: JudgedCall, road: Road) -> None:
        """Fetch the card of a call whose line is free again."""
        task = asyncio.create_task(add_card(judged, road))
        self.cards.add(task)
        task.add_done_callback(self.wake)

    def wake(self, _: object = None) -> None:
        """Look again, whatever happened."""
        self._woken.set()

    async def wait(self) -> None:
        """Wait until a call ends, or somebody wakes us."""
        await self._woken.wait()
        self._woken.clear()

    def ended(self) -> Iterator[JudgedCall]:
        """Give what has ended; an error of the store is raised here, and with it the round ends."""
        over, self._over = self._over, []
        for task in over:
            self._queue.free(self.way.pop(task).callee)
        yield from (judged for judged in (task.result() for task in over) if judged is not None)

    def with_cards(self) -> Iterator[JudgedCall]:
        """Give the calls whose cards have come, or will not."""
        over = {task for task in self.cards if task.done()}
        self.cards -= over
        yield from (task.result() for task in over)


async def _place_all(
    requests: Sequence[CallRequest],
    road: Road,
    stopping: asyncio.Event,
    on_call: Callable[[JudgedCall], None],
) -> list[JudgedCall]:
    queue, done = _Queue(requests), list[JudgedCall]()
    under = _Under(queue)
    stopped = asyncio.create_task(stopping.wait())
    stopped.add_done_callback(under.wake)
    try:
        while True:
            free = len(under.way) < road.lines and not stopping.is_set()
            request = queue.take() if free else None
            if request is not None:
                await _pace(road, under, stopping)
                under.start(request, road)
            elif under.way or under.cards:
                await under.wait()
            else:
                return done
            for judged in (*under.ended(), *under.with_cards()):
                if judged.record.card is None and names_card(judged, road.cards) and not stopping.is_set():
                    under.start_card(judged, road)
                    continue
                done.append(judged)
                on_call(judged)
    finally:
        # Only an error of the store leaves calls under way here: what cannot be recorded is not gone on with.
        tasks = (stopped, *under.way, *under.cards)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pace(road: Road, under: _Under, stopping: asyncio.Event) -> None:
    now = time.monotonic()
    begin = max(now, under.next_start)
    under.next_start = begin + 1 / road.calls_per_second
    if begin > now:
        try:
            await asyncio.wait_for(stopping.wait(), begin - now)
        except TimeoutError:
            return
