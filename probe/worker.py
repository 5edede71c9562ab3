"""A worker of a site: what it takes from the ledger it places, on the same road as every other call.

Nothing that matters is kept in memory but the calls under way. A worker that is killed leaves their rows `placing`;
nobody dials these again, and they are found to be lost.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Protocol

from probe.call import CallRecord, CallRequest, Ending
from probe.errors import StoreError
from probe.judged import JudgedCall
from probe.ledger import Ledger
from probe.rounds import Road, add_card, follow

_LOOK_S: Final = 2.0  # so often is looked without being woken: a job may have died with its worker
_AFTER_ERROR_S: Final = 1.0
_OTHERS_S: Final = 0.01  # for the other workers of the site to be woken
# An attempt counts for so long as if its INVITE were still to come (`Attempt.counts_from`); later it must not leave.
_LEAVES_WITHIN_S: Final = 10.0


class Taken(Protocol):
    """What the ledger gives: calls with the seconds to wait before each, refusals, and when to look again."""

    @property
    def calls(self) -> Sequence[tuple[CallRequest, float]]: ...
    @property
    def refused(self) -> Sequence[JudgedCall]: ...
    @property
    def again_s(self) -> float | None: ...
    @property
    def more(self) -> bool: ...


class Listener(Protocol):
    """Who is told what happens."""

    def called(self, judged: JudgedCall) -> None: ...
    def failed(self, error: BaseException) -> None: ...
    def recovered(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class Post:
    """A trunk that a worker serves: `look` takes calls from the ledger, `roads` are those of its scenarios by name."""

    look: Callable[[], Taken]
    roads: Mapping[str, Road]
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: set["asyncio.Task[None]"] = field(default_factory=set)
    _waiting: list["asyncio.Future[None]"] = field(default_factory=list)

    async def wake(self) -> None:
        """Have the ledger looked into, and wait until it was."""
        looked = asyncio.get_running_loop().create_future()
        self._waiting.append(looked)
        self.awake.set()
        await looked

    def begin_look(self) -> "list[asyncio.Future[None]]":
        """Take note of those who wait for this look."""
        self.awake.clear()
        waiting, self._waiting = self._waiting, []
        return waiting


async def work(post: Post, ledger: Ledger, listener: Listener, stopping: asyncio.Event) -> None:
    """Look, place what was taken, and sleep until woken, until the worker is to stop."""
    while not stopping.is_set():
        waiting = post.begin_look()
        pause_s = await _look(post, ledger, listener)
        _tell(waiting)
        await _sleep(post.awake, stopping, pause_s)
    _tell(post.begin_look())


def _tell(waiting: "Iterable[asyncio.Future[None]]") -> None:
    for one in waiting:
        if not one.done():
            one.set_result(None)


async def _look(post: Post, ledger: Ledger, listener: Listener) -> float:
    """Give how long to sleep if nobody wakes us."""
    looked_at = time.monotonic()
    try:
        taken = await asyncio.to_thread(_take, post, ledger)
    except StoreError as error:
        # What the ledger may have taken for us is not dialled: it is found to be lost.
        listener.failed(error)
        return _AFTER_ERROR_S
    listener.recovered()
    for judged in taken.refused:
        listener.called(judged)
    for request, wait_s in taken.calls:
        task = asyncio.create_task(_place(post, listener, request, looked_at, wait_s))
        post.under_way.add(task)
        task.add_done_callback(post.under_way.discard)
    if taken.more and (taken.calls or taken.refused):
        return _OTHERS_S
    return min(_LOOK_S, taken.again_s if taken.again_s is not None else _LOOK_S)


def _take(post: Post, ledger: Ledger) -> Taken:
    ledger.write_kept()  # nothing is dialled while the end of another call cannot be written
    return post.look()


async def _place(post: Post, listener: Listener, request: CallRequest, looked_at: float, wait_s: float) -> None:
    try:
        await asyncio.sleep(wait_s)
        road = post.roads[request.scenario or ""]
        # The ledger gave each its moment; after a standstill they are over, and all would leave at once.
        await road.pace.wait(road.calls_per_second)
        stood_still = time.monotonic() - looked_at > _LEAVES_WITHIN_S
        judged = await follow(request, replace(road, agent=_TooLate()) if stood_still else road)
        listener.called(judged)
        post.awake.set()  # its line is free
        await add_card(judged, road)
    except Exception as error:  # noqa: BLE001 - a fault of ours: the call will be found to be lost
        listener.failed(error)
    finally:
        post.awake.set()


class _TooLate:
    """Places nothing: the limits were asked for an INVITE that would have left long ago."""

    async def place(self, request: CallRequest) -> CallRecord:
        now = datetime.now(UTC)
        why = "This worker stood still for too long after it had taken the call, and did not dial it."
        return CallRecord(request=request, started_at=now, ended_at=now, ending=Ending.AGENT_FAILED, detail=why)


async def _sleep(awake: asyncio.Event, stopping: asyncio.Event, seconds: float) -> None:
    events = [asyncio.create_task(one.wait()) for one in (awake, stopping)]
    try:
        await asyncio.wait(events, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in events:
            one.cancel()
