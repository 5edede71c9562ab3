"""The SIP user agent of one trunk: call requests in, call records out, over a pool of child processes.

`place` never raises for what happens to a call: what went wrong stands in the record.
"""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from probe import __version__
from probe.agent.dialling import Route, account, invite, setup
from probe.agent.flight import Flight, begin_flight, fly, record_of, stop
from probe.agent.line import Failed, Report, Start
from probe.agent.process import Child, start_child
from probe.agent.resolve import local_address, resolve
from probe.call import CallRecord, CallRequest, Ending
from probe.errors import AgentError, TrunkError
from probe.stack import Registered
from probe.trunk import Trunk

_MAX_CALLS = 2048  # asked for; the build clamps it
_RTP_PORTS = range(10_000, 30_000, 100)  # below the ephemeral ports; each child starts at another
_REGISTER_S = 10.0
_OK = 200


class Agent:
    """Places calls on one trunk, at most `trunk.lines` at once."""

    def __init__(self, trunk: Trunk) -> None:
        self._trunk = trunk
        self._route: Route | None = None
        self._children: list[Child] = []
        self._flights: dict[str, tuple[Flight, Child]] = {}
        self._change = asyncio.Condition()
        self._starting = 0
        self._stopping = False
        self._registered: asyncio.Future[Registered] | None = None

    async def open(self) -> None:
        """Resolve the trunk and start the first child. TrunkError or AgentError if that fails."""
        await self._grow()

    async def place(self, request: CallRequest) -> CallRecord:
        """Place one call and follow it to its end."""
        try:
            async with self._line() as child:
                return await self._fly(child, request)
        except TrunkError as error:
            return _unplaced(request, Ending.NO_RESPONSE, str(error))
        except AgentError as error:
            return _unplaced(request, Ending.AGENT_FAILED, str(error))

    def stop(self) -> None:
        """Place no more calls; cancel what rings, end what is answered."""
        self._stopping = True
        for flight, child in tuple(self._flights.values()):
            stop(flight, child.order)

    async def close(self) -> None:
        """Let the children go. They end by themselves."""
        self.stop()
        for child in self._children:
            child.close()

    async def _fly(self, child: Child, request: CallRequest) -> CallRecord:
        if self._stopping:
            return _unplaced(request, Ending.STOPPED, "probe was told to stop")
        assert self._route is not None
        call_id = uuid.uuid4().hex
        flight = begin_flight(request, call_id, time.monotonic())
        reports: asyncio.Queue[Report | None] = asyncio.Queue()
        child.calls[call_id] = reports.put_nowait
        self._flights[call_id] = flight, child
        try:
            await fly(flight, invite(self._route, request, call_id), child.order, reports)
        finally:
            self._land(flight, child)
        if flight.child_died:
            flight.trouble = f"The SIP user agent died during the call: {child.last_words}."
        return record_of(flight, datetime.now(UTC))

    def _land(self, flight: Flight, child: Child) -> None:
        self._flights.pop(flight.call_id)
        child.calls.pop(flight.call_id, None)
        # A call that the library still holds keeps its line (pjproject issue 2992): the child takes no other.
        if flight.leaked:
            child.retired = True

    @asynccontextmanager
    async def _line(self) -> AsyncIterator[Child]:
        async with self._change:
            child = self._pick()
            while child is None:
                await self._make_room()
                child = self._pick()
            child.calls[placeholder := uuid.uuid4().hex] = lambda _report: None
        try:
            await _pace(child)
            child.calls.pop(placeholder)
            yield child
        finally:
            child.calls.pop(placeholder, None)
            self._sweep()
            async with self._change:
                self._change.notify_all()

    def _pick(self) -> Child | None:
        free = [child for child in self._children if child.free > 0]
        return min(free, key=lambda child: child.next_start, default=None)

    async def _make_room(self) -> None:
        held = len(self._children) + self._starting
        if held == 0 or (sum(child.free for child in self._children) <= 0 and len(self._flights) < self._trunk.lines):
            self._starting += 1
            try:
                await self._grow()
            finally:
                self._starting -= 1
        else:
            await self._change.wait()

    def _sweep(self) -> None:
        for child in tuple(self._children):
            if not child.alive or (child.retired and not child.calls):
                child.close()
                self._children.remove(child)

    async def _grow(self) -> None:
        if self._route is None:
            self._route = await _route(self._trunk)
        rtp_port = random.choice(_RTP_PORTS)  # noqa: S311 - spreads ports, guards nothing
        start = Start(
            setup=setup(self._route, rtp_port, _MAX_CALLS, f"probe/{__version__}"), account=account(self._route)
        )
        self._registered = asyncio.get_running_loop().create_future()
        child = await start_child(start, self._other)
        if self._trunk.register:
            await self._await_registration(child)
        self._children.append(child)

    async def _await_registration(self, child: Child) -> None:
        assert self._registered is not None
        try:
            answer = await asyncio.wait_for(self._registered, _REGISTER_S)
        except TimeoutError:
            child.close()
            raise TrunkError(f"The trunk {self._trunk.name} did not answer our REGISTER.") from None
        if answer.status // 100 * 100 != _OK:
            child.close()
            said = f"{answer.status} {answer.phrase}" if answer.status else answer.trouble
            raise TrunkError(f"The trunk {self._trunk.name} did not take our registration: {said}.")

    def _other(self, report: Report) -> None:
        if isinstance(report, Registered) and self._registered is not None and not self._registered.done():
            self._registered.set_result(report)
        elif isinstance(report, Failed):
            self._sweep()


async def _route(trunk: Trunk) -> Route:
    transport = trunk.transport if trunk.transport_given else None
    hop = await resolve(trunk.host, trunk.port, transport, trunk.nameservers)
    return Route(trunk=trunk, hop=hop, local=local_address(hop))


async def _pace(child: Child) -> None:
    """Keep call starts of one child apart: the wheel aborts when it runs out of handles."""
    assert child.ready is not None
    now = time.monotonic()
    begin = max(now, child.next_start)
    child.next_start = begin + 1 / child.ready.starts_per_second
    await asyncio.sleep(begin - now)


def _unplaced(request: CallRequest, ending: Ending, detail: str) -> CallRecord:
    now = datetime.now(UTC)
    return CallRecord(request=request, started_at=now, ended_at=now, ending=ending, detail=detail)
