"""Calls that ask to be let in, and calls that have ended, one by one, in; whole transactions of them out.

What comes while one is written goes into the next: a thousand calls a second wait for the disk a few dozen times.
The store is asked in a thread: no call under way waits for the disk, or for another process that holds the store.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from probe.call import CallRequest, Card
from probe.errors import StoreError
from probe.event import Event
from probe.health import Change, Standing, Tally
from probe.judged import JudgedCall
from probe.scenario.guard import Refusal
from probe.scenario.history import AlreadyPlanned, History

_MOST: Final = 200  # in one transaction: no call that is about to leave waits for long

Gate = Callable[[History], Refusal | None]
"""The past in, the guard's answer out."""
Asked = tuple[CallRequest, datetime, Gate, timedelta | None]
"""What is asked for, when, whom to ask, and how far back that one looks (None: at no attempt)."""
Answer = Refusal | AlreadyPlanned | None
Tell = Callable[[Sequence[Change], Sequence[JudgedCall]], Sequence[Event]]
"""Standings that changed, and the calls behind them, in; the events that tell of them out."""
Ended = tuple[JudgedCall, Tell, str | None]
"""A call that has ended, what makes events of it, and the endpoint that they are for."""
Outcome = tuple[Change, ...] | StoreError

_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


class Store(Protocol):
    """What remembers: the attempts before the INVITE, the facts and the events after."""

    def admit_all(self, asked: Sequence[Asked]) -> Sequence[Answer]: ...
    def finish_all(self, ended: Sequence[Ended]) -> Sequence[Outcome]: ...
    def refuse(self, judged: JudgedCall) -> bool: ...
    def keep_card(self, call_id: str, card: Card) -> None: ...
    def standings(self, callers: Collection[str]) -> tuple[Standing, ...]: ...
    def tallies(self, callers: Collection[str]) -> tuple[Tally, ...]: ...
    def begin_round(self, round_id: str, scenario: str, started_at: datetime, planned: int) -> bool: ...
    def finish_round(
        self, round_id: str, ended_at: datetime, counts: Mapping[str, Any], events: Sequence[tuple[Event, str]]
    ) -> None: ...


class Together(Generic[_Item, _Done]):
    """Asked for one by one, done together: each waits for what came before it, and then for its own."""

    def __init__(self, do: Callable[[Sequence[_Item]], Sequence[_Done]]) -> None:
        self._do = do
        self._waiting: deque[tuple[_Item, asyncio.Future[_Done]]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def ask(self, item: _Item) -> _Done:
        """Give what comes of it. A StoreError meets all that were in the same transaction."""
        answer: asyncio.Future[_Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await answer

    async def _work(self) -> None:
        while self._waiting:
            some = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST))]
            try:
                done = await asyncio.to_thread(self._do, [item for item, _ in some])
            except Exception as error:  # noqa: BLE001 - whoever asked hears of it, whatever it is
                _tell(some, error)
                continue
            for (_, answer), one in zip(some, done, strict=True):
                if not answer.done():
                    answer.set_result(one)


def _tell(some: Sequence[tuple[_Item, "asyncio.Future[_Done]"]], error: Exception) -> None:
    for _, answer in some:
        if not answer.done():
            answer.set_exception(error)


class Ledger:
    """The store, as calls under way see it.

    With `on_error`, the end of a call that cannot be written is kept until it can be, and nothing is let in meanwhile.
    """

    def __init__(self, store: Store, on_error: Callable[[BaseException], None] | None = None) -> None:
        self._store = store
        self._on_error = on_error
        self._kept: list[Ended] = []
        self._writing = threading.Lock()  # the daemon's tick writes what was kept, too, in another thread
        self._admitting = Together(self._admit_all)
        self._finishing = Together(store.finish_all)
        self.standings = store.standings
        self.tallies = store.tallies
        self.begin_round = store.begin_round
        self.finish_round = store.finish_round

    async def admit(self, request: CallRequest, at: datetime, gate: Gate, reach: timedelta | None) -> Answer:
        """Ask the gate, and write the attempt if it lets the call in: None says that it may leave."""
        return await self._admitting.ask((request, at, gate, reach))

    async def refuse(self, judged: JudgedCall) -> bool:
        """Write a call that was never placed."""
        return await asyncio.to_thread(self._store.refuse, judged)

    async def finish(self, judged: JudgedCall, tell: Tell, endpoint: str | None) -> tuple[Change, ...]:
        """Write what happened; give the standings that it changed."""
        try:
            outcome = await self._finishing.ask((judged, tell, endpoint))
        except StoreError as error:
            if self._on_error is None:
                raise
            self._kept.append((judged, tell, endpoint))
            self._on_error(error)
            return ()
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    async def keep_card(self, call_id: str, card: Card) -> None:
        """Write what came of the card of a call. With `on_error`, what cannot be written is told, and let go."""
        try:
            await asyncio.to_thread(self._store.keep_card, call_id, card)
        except StoreError as error:
            if self._on_error is None:
                raise
            self._on_error(error)

    def write_kept(self) -> None:
        """Write what was kept; StoreError if the store still takes nothing."""
        with self._writing:
            while some := self._kept[:_MOST]:
                self._store.finish_all(some)
                del self._kept[: len(some)]

    def _admit_all(self, asked: Sequence[Asked]) -> Sequence[Answer]:
        self.write_kept()  # nothing is dialled while the end of another call cannot be written
        return self._store.admit_all(asked)
