"""The simulator's front: one port for the far end, any number of worker processes behind it.

A process of the library holds only so many calls, and begins only so many in a second. So each call (over UDP)
or each connection (over TCP) goes to a worker that has room, and a new worker is started where none has. The front
relays bytes; it reads who calls whom only to keep a number whose script is silence from a worker, which would say
100 Trying.
"""

import asyncio
import contextlib
import itertools
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from probe.errors import ScenarioError
from probe.sim.invite import read_call_id, read_invite
from probe.sim.numbers import script_for
from probe.trunk import Transport

_RTP_PORTS = range(30_000, 32_000, 40)
_LENGTH = re.compile(rb"^(?:Content-Length|l)[ \t]*:[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)
_CONTACT = re.compile(
    rb"^((?:Contact|m)[ \t]*:[^\r\n]*?sips?:(?:[^@>\r\n]*@)?)[^;>\r\n]+", re.IGNORECASE | re.MULTILINE
)
_PACED_S = 0.5  # so long the library keeps what a call has used
_LAST_WORDS_S = 0.2  # the end of a call is known before its last messages are relayed
_END_OF_HEAD = b"\r\n\r\n"

Address = tuple[str, int]


@dataclass(slots=True, eq=False)
class _Worker:
    """A process that answers calls. `calls` are those it holds, `begun` says when the last ones began.

    `most` is how many it takes at once: none, if it has a connection over TCP to itself.
    """

    process: subprocess.Popen[bytes]
    address: Address
    most: int
    starts_per_second: float
    calls: set[str] = field(default_factory=set)
    begun: deque[float] = field(default_factory=deque)

    def has_room(self, now: float) -> bool:
        while self.begun and self.begun[0] < now - _PACED_S:
            self.begun.popleft()
        return len(self.calls) < self.most and len(self.begun) < self.starts_per_second * _PACED_S

    def begin(self, call_id: str, now: float) -> None:
        self.calls.add(call_id)
        self.begun.append(now)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes, Address], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._take(data, addr[:2])


class Front:
    """The carrier simulator on one address, over UDP and TCP."""

    def __init__(self, bind: str, port: int, calls: int | None) -> None:
        """Listen on `bind`:`port` (0 takes a free one); `calls` is how many to answer before it is done."""
        self._bind = bind
        self._port = port
        self._left = calls
        self.done = asyncio.Event()
        self._workers: list[_Worker] = []
        self._worker_of: dict[str, _Worker] = {}
        self._peer_of: dict[str, Address] = {}
        self._silent: set[str] = set()
        self._starting = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._rtp_ports = itertools.cycle(_RTP_PORTS)

    async def open(self) -> str:
        """Start to listen, with one worker ready; gives `host:port`. ScenarioError if the port is taken."""
        loop = asyncio.get_running_loop()
        try:
            self._tcp = await asyncio.start_server(self._connected, self._bind, self._port)
            self._port = self._tcp.sockets[0].getsockname()[1]
            outer, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._from_peer), local_addr=(self._bind, self._port)
            )
        except OSError as error:
            raise ScenarioError(
                f"Cannot listen on {self._bind}:{self._port}: {os.strerror(error.errno or 0)}."
            ) from error
        inner, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._from_worker), local_addr=(self._bind, 0)
        )
        self._outer = outer
        self._inner = inner
        self._workers.append(await self._start_worker(Transport.UDP))
        return _endpoint(self._bind, self._port)

    def close(self) -> None:
        """Stop listening and let the workers go."""
        self._tcp.close()
        self._outer.close()
        self._inner.close()
        for worker in self._workers:
            worker.close()

    # UDP: one call, one worker.

    def _from_peer(self, data: bytes, peer: Address) -> None:
        call_id = read_call_id(data)
        self._peer_of[call_id] = peer
        worker = self._worker_of.get(call_id)
        if worker is not None:
            self._inner.sendto(data, worker.address)
        elif not self._is_silent(call_id, data):
            self._spawn(self._admit(call_id, data))

    def _from_worker(self, data: bytes, _worker: Address) -> None:
        peer = self._peer_of.get(read_call_id(data))
        if peer is not None:
            self._outer.sendto(data, peer)

    async def _admit(self, call_id: str, data: bytes) -> None:
        async with self._starting:
            worker = self._worker_of.get(call_id)
            if worker is None:
                worker = await self._worker_with_room()
                self._worker_of[call_id] = worker
                worker.begin(call_id, time.monotonic())
        self._inner.sendto(data, worker.address)

    async def _worker_with_room(self) -> _Worker:
        now = time.monotonic()
        worker = next((worker for worker in self._workers if worker.has_room(now)), None)
        if worker is None:
            worker = await self._start_worker(Transport.UDP)
            self._workers.append(worker)
        return worker

    def _is_silent(self, call_id: str, data: bytes) -> bool:
        if call_id in self._silent:
            return True
        invite = read_invite(data)
        if invite is None or script_for(invite.caller, invite.callee).steps:
            return False
        self._silent.add(call_id)
        self._count()
        return True

    # TCP: one connection, one worker.

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        worker = await self._start_worker(Transport.TCP)
        self._workers.append(worker)
        inner_reader, inner_writer = await asyncio.open_connection(*worker.address)
        # The worker is to send its BYE over the connection that it has, not over one to the caller.
        host, port = inner_writer.get_extra_info("sockname")[:2]
        here = rb"\g<1>" + _endpoint(host, port).encode()
        back = asyncio.create_task(_pipe(inner_reader, writer))
        try:
            while message := await _read_message(reader):
                if not self._is_silent(read_call_id(message), message):
                    inner_writer.write(_CONTACT.sub(here, message, count=1))
        finally:
            back.cancel()
            inner_writer.close()
            writer.close()
            worker.close()
            self._workers.remove(worker)

    # Workers.

    async def _start_worker(self, transport: Transport) -> _Worker:
        suffix = "" if transport is Transport.UDP else f";transport={transport}"
        contact = f"<sip:sim@{_endpoint(self._bind, self._port)}{suffix}>"
        process = subprocess.Popen(  # noqa: ASYNC220 - starting our own program does not wait
            [sys.executable, "-m", "probe.sim.worker", transport, self._bind, str(next(self._rtp_ports)), contact],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdout is not None
        said = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(said), process.stdout)
        address, most, starts_per_second = (await said.readline()).decode().split()
        host, port = address.rsplit(":", 1)
        room = int(most) if transport is Transport.UDP else 0
        worker = _Worker(process, (host.strip("[]"), int(port)), room, float(starts_per_second))
        self._spawn(self._listen(worker, said))
        return worker

    async def _listen(self, worker: _Worker, said: asyncio.StreamReader) -> None:
        async for line in said:
            call_id = line.decode().split()[-1]
            worker.calls.discard(call_id)
            self._count()
        await asyncio.to_thread(worker.process.wait)

    def _count(self) -> None:
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                asyncio.get_running_loop().call_later(_LAST_WORDS_S, self.done.set)

    def _spawn(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _endpoint(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(1 << 16):
        writer.write(chunk)


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """Read one SIP message off a stream (RFC 3261 s18.3); empty at its end."""
    with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        head = await reader.readuntil(_END_OF_HEAD)
        found = _LENGTH.search(head)
        return head + await reader.readexactly(int(found[1]) if found else 0)
    return b""
