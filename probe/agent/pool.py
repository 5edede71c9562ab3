"""The SIP user agent of one trunk: call requests in, call records out, over a pool of child processes.

`place` never raises for what happens to a call: what went wrong stands in the record.
"""

import asyncio
import contextlib
import os
import random
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

from probe import __version__
from probe.agent.dialling import Route, account, invite, security, setup
from probe.agent.flight import Course, Flight, Stop, begin_flight, record_of
from probe.agent.line import Failed, Report, Start
from probe.agent.process import Child, start_child
from probe.agent.resolve import local_address, next_hop
from probe.call import CallRecord, CallRequest, Ending
from probe.errors import AgentError, TrunkError
from probe.stack import Registered
from probe.trunk import Transport, Trunk

_RTP_PORTS = range(10_000, 16_000, 100)  # below the ephemeral ports; each child starts at another
_REGISTER_S = 8.0
_LEAVING_S = 0.3

_CHANCE = random.Random()  # noqa: S311 - seeded by the system; unique is enough, nobody has to be kept from guessing
os.register_at_fork(after_in_child=_CHANCE.seed)  # or two processes would go on with the same Call-IDs

_T = TypeVar("_T")


class _Stopped(Exception):  # noqa: N818 - no error: the program was told to stop
    pass


class Agent:
    """Places calls on one trunk, at most `trunk.lines` at once."""

    def __init__(self, trunk: Trunk, first: "subprocess.Popen[bytes] | None" = None) -> None:
        """`first` is a child process that was started ahead of time."""
        self._trunk = trunk
        self._first = first
        self._route: Route | None = None
        self._children: list[Child] = []
        self._flights: dict[str, Course] = {}
        self._lines = asyncio.Semaphore(trunk.lines)
        self._places = count()
        self._wanted = 0  # calls that have a line, or wait for a child to have one
        self._starting = 0
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()

    @property
    def _trunk_is_a_stream(self) -> bool:
        return self._route is not None and self._route.hop.transport is not Transport.UDP

    async def open(self) -> None:
        """Resolve the trunk and start the first child. TrunkError or AgentError if that fails."""
        with contextlib.suppress(_Stopped):
            await self._grow()

    async def place(self, request: CallRequest) -> CallRecord:
        """Place one call and follow it to its end."""
        try:
            async with self._lines, self._child() as child:
                return await self._fly(child, request)
        except _Stopped:
            return _unplaced(request, Ending.STOPPED, "probe was told to stop")
        except TrunkError as error:
            return _unplaced(request, Ending.NO_RESPONSE, str(error))
        except AgentError as error:
            return _unplaced(request, Ending.AGENT_FAILED, str(error))

    def stop(self) -> None:
        """Place no more calls; cancel what rings, end what is answered."""
        self._stopping.set()
        self._notify()
        for course in tuple(self._flights.values()):
            course.take(Stop())

    async def close(self) -> None:
        """Let the children go. They end by themselves; one that still has a call to cancel may take its time."""
        self.stop()
        leaving = [asyncio.create_task(child.gone()) for child in self._children]
        for child in self._children:
            child.close()
        if leaving:
            await asyncio.wait(leaving, timeout=_LEAVING_S)

    async def _fly(self, child: Child, request: CallRequest) -> CallRecord:
        if self._stopping.is_set():
            child.dials.release()
            raise _Stopped
        assert self._route is not None
        call_id = _new_call_id()
        flight = begin_flight(request, call_id, time.monotonic())
        course = Course(flight, child.order, lambda: child.quiet_s)
        child.calls[call_id] = course.take
        self._flights[call_id] = course
        try:
            child.order(invite(self._route, request, call_id))
            await course.over()
        finally:
            self._land(flight, child)
        if flight.child_died:
            flight.trouble = child.how_it_died
        return record_of(flight, datetime.now(UTC), security(self._route))

    def _land(self, flight: Flight, child: Child) -> None:
        del self._flights[flight.call_id]
        child.calls.pop(flight.call_id, None)
        child.dialled(flight.call_id)
        if flight.leaked:
            child.leak()
            # What came too long, or never to its end, stands in the way of what follows on the same connection.
            child.retired |= self._trunk_is_a_stream
        if flight.hung:
            child.kill()

    @asynccontextmanager
    async def _child(self) -> AsyncIterator[Child]:
        """A child with room for one more call, started if need be."""
        self._wanted += 1
        place = f"place {next(self._places)}"
        try:
            child = await self._take_place(place)
            while not child.alive:  # it died while we kept the pace
                child = await self._take_place(place)
            child.calls.pop(place)
            yield child
        finally:
            self._wanted -= 1
            self._sweep()
            self._notify()

    async def _take_place(self, place: str) -> Child:
        while (child := self._pick()) is None:
            if self._stopping.is_set():
                raise _Stopped
            if self._may_grow():
                await self._grow()
            else:
                await self._changed.wait()
        child.calls[place] = lambda _report: None
        await _pace(child)
        await child.dials.acquire()
        if not child.alive:
            child.dials.release()  # for the next that waits, to find the same
        return child

    def _pick(self) -> Child | None:
        free = [child for child in self._children if child.free > 0]
        return min(free, key=lambda child: child.next_start, default=None)

    def _may_grow(self) -> bool:
        """Whether the calls under way need more children than run or are being started."""
        known = [child.ready.calls for child in self._children if child.ready]
        if self._starting and not known:
            return False  # the first child will say how many calls one holds
        room = sum(child.room for child in self._children) + self._starting * max(known, default=0)
        return room < self._wanted

    def _sweep(self) -> None:
        for child in tuple(self._children):
            if not child.alive or (child.retired and not child.calls):
                child.close()
                self._children.remove(child)

    def _notify(self) -> None:
        """Wake whoever waits for room, to look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _grow(self) -> None:
        self._starting += 1
        try:
            self._children.append(await self._unless_stopped(self._start()))
        finally:
            self._starting -= 1
            self._notify()

    async def _start(self) -> Child:
        if self._route is None:
            hop = await next_hop(self._trunk)
            self._route = Route(trunk=self._trunk, hop=hop, local=local_address(hop))
        rtp_port = random.choice(_RTP_PORTS)  # noqa: S311 - spreads ports, guards nothing
        start = Start(
            setup=setup(self._route, rtp_port, f"probe/{__version__}"),
            account=account(self._route),
        )
        registered: asyncio.Future[Registered] = asyncio.get_running_loop().create_future()

        def take(report: Report) -> None:
            if isinstance(report, Registered) and not registered.done():
                registered.set_result(report)
            elif isinstance(report, Failed):
                self._sweep()

        first, self._first = self._first, None
        child = await start_child(start, take, first)
        if self._trunk.register:
            try:
                await _await_registration(registered, self._trunk.name)
            except (TrunkError, asyncio.CancelledError):
                child.close()
                raise
        return child

    async def _unless_stopped(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do the work, but drop it when the program is told to stop."""
        working, stopped = asyncio.create_task(work), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise _Stopped
        finally:
            for task in (working, stopped):
                task.cancel()


def _new_call_id() -> str:
    """Make a Call-ID, unique over machines (RFC 3261 s8.1.1.4). To ask the system for each would take far longer."""
    return uuid.UUID(int=_CHANCE.getrandbits(128), version=4).hex


async def _await_registration(registered: "asyncio.Future[Registered]", trunk: str) -> None:
    try:
        answer = await asyncio.wait_for(registered, _REGISTER_S)
    except TimeoutError:
        raise TrunkError(f"The trunk {trunk} did not answer our REGISTER within {_REGISTER_S:.0f} s.") from None
    if answer.status // 100 != 2:  # noqa: PLR2004 - 2xx
        said = f"{answer.status} {answer.phrase}" if answer.status else answer.trouble
        raise TrunkError(f"The trunk {trunk} did not take our registration: {said}.")


async def _pace(child: Child) -> None:
    """Keep call starts of one child apart: a ready build of the library aborts when it runs out of handles."""
    assert child.ready is not None
    now = time.monotonic()
    begin = max(now, child.next_start)
    child.next_start = begin + 1 / child.ready.starts_per_second
    await asyncio.sleep(begin - now)


def _unplaced(request: CallRequest, ending: Ending, detail: str) -> CallRecord:
    now = datetime.now(UTC)
    return CallRecord(request=request, started_at=now, ended_at=now, ending=ending, detail=detail)
