"""The parent's side of one child process: orders go down, reports come up, and its death is told to its calls."""

import asyncio
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO

from probe.agent.line import Deserted, Dial, Failed, Obeyed, Order, Ping, Pong, Ready, Report, Start, decode, encode
from probe.agent.start import start_process
from probe.errors import AgentError
from probe.stack import Change, Wire

_DIALS_AHEAD = 32
_MOST_LEAKED = 4  # the share of its calls, one in so many, from which on a child is replaced
_WORDS_KEPT = 2_000
_LIVING: set["asyncio.Task[None]"] = set()
_START_S = 15.0
_PING_S = 1.0
_MOST_UNANSWERED = 4  # pings in a row: a child that hangs is found within 5 s


class _Lines(asyncio.Protocol):
    """Lines that come through a pipe, each told at once, without a task that would have to be woken; and their end.

    Whoever is killed may leave a line unfinished: `unfinished` says whether that is told, too.
    """

    def __init__(self, *, unfinished: bool) -> None:
        self._unfinished = unfinished
        self.ended = asyncio.get_running_loop().create_future()
        self._tell: Callable[[bytes], None] | None = None
        self._rest = b""

    def tell(self, tell: Callable[[bytes], None]) -> None:
        """Say who is told, of what has come already, too."""
        self._tell = tell
        self.data_received(b"")

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if self._tell is not None:
            *lines, self._rest = self._rest.split(b"\n")
            for line in lines:
                self._tell(line)

    def connection_lost(self, _: Exception | None) -> None:
        if self._tell is not None and self._rest and self._unfinished:
            self._tell(self._rest)
        if not self.ended.done():
            self.ended.set_result(None)


@dataclass(frozen=True, slots=True)
class _Pipes:
    orders: asyncio.WriteTransport
    reports: _Lines
    words: _Lines
    readers: tuple[asyncio.ReadTransport, ...]

    def close(self) -> None:
        self.orders.close()
        for reader in self.readers:
            reader.close()


class Child:
    """A running child. `calls` maps each Call-ID to whoever listens for its reports; None tells of its death."""

    def __init__(self, process: subprocess.Popen[bytes], pipes: "_Pipes", on_other: Callable[[Report], None]) -> None:
        self._process = process
        self._pipes = pipes
        self._on_other = on_other
        self._words = b""
        self.calls: dict[str, Callable[[Report | None], None]] = {}
        self.ready: Ready | None = None
        self.retired = False
        self._leaked = 0
        self.alive = True
        self.next_start = 0.0
        self.dials = asyncio.Semaphore(_DIALS_AHEAD)
        self._undialled: set[str] = set()
        self._orders = b""
        self._sending: asyncio.Handle | None = None
        self._heard_at = time.monotonic()
        self._heard = True
        self._unanswered = 0
        self._pinging: asyncio.Handle | None = None
        self._hung = False
        self._living = asyncio.create_task(self._live())
        # asyncio itself keeps no strong reference, and a child may outlive the pool that let it go.
        _LIVING.add(self._living)
        self._living.add_done_callback(_LIVING.discard)
        pipes.words.tell(self._listen)
        pipes.reports.tell(self._hear)

    @property
    def free(self) -> int:
        """How many more calls it can hold now."""
        return self.room - len(self.calls)

    @property
    def room(self) -> int:
        """How many calls it can hold at once; none, once it has died or is to take no more."""
        return 0 if self.retired or not self.alive or self.ready is None else self.ready.calls - self._leaked

    def leak(self) -> None:
        """Take note of a call that the library may still hold, with its place (pjproject issue 2992)."""
        assert self.ready is not None
        self._leaked += 1
        self.retired |= self._leaked * _MOST_LEAKED >= self.ready.calls

    @property
    def quiet_s(self) -> float:
        """For how long it has reported nothing, of whichever call."""
        return time.monotonic() - self._heard_at

    def dialled(self, call_id: str) -> None:
        """Take note that the child has come to an order to dial, or that nobody waits for it any more."""
        if call_id in self._undialled:
            self._undialled.remove(call_id)
            self.dials.release()

    def order(self, order: Order) -> None:
        """Send an order. A child that has died has told its calls so by itself.

        To dial takes one of `dials`: an order to hang up is not to wait behind a thousand orders to dial.
        """
        if isinstance(order, Dial):
            self._undialled.add(order.call_id)
        self._orders += encode(order)
        if self._sending is None:
            # Those of one turn of the loop go together.
            self._sending = asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._sending = None
        orders, self._orders = self._orders, b""
        if self.alive and not self._pipes.orders.is_closing():
            self._pipes.orders.write(orders)

    def kill(self) -> None:
        """End it at once: only for a child that does not answer. It takes no more calls while it dies."""
        self.retired = self._hung = True
        self._process.kill()

    def close(self) -> None:
        """Let it go: it hangs up what is left and ends by itself."""
        self.retired = True
        self._send()
        self._pipes.orders.close()

    def _ping(self) -> None:
        """Ask whether it is there. Pings are counted, not seconds: it is no fault of the child's if we stood still."""
        if not self.alive or self._pipes.orders.is_closing():
            return
        self._unanswered = 0 if self._heard else self._unanswered + 1
        self._heard = False
        if self._unanswered >= _MOST_UNANSWERED:
            self.kill()
            return
        self.order(Ping())
        self._pinging = asyncio.get_running_loop().call_later(_PING_S, self._ping)

    async def gone(self) -> None:
        """Wait for its end."""
        await asyncio.wait([self._living])

    async def _live(self) -> None:
        try:
            await self._pipes.reports.ended
            self.alive = False
            await self._pipes.words.ended
            await asyncio.to_thread(self._process.wait)
        finally:
            self._leave()
            for tell in tuple(self.calls.values()):
                tell(None)
            self._on_other(Failed(call_id=None, why=self.last_words))

    def _leave(self) -> None:
        self.alive = False
        if self._pinging is not None:
            self._pinging.cancel()
        self._pipes.close()
        if self._process.poll() is None:
            # Our own program ends, and the child cancels what still rings: it is to outlive us, and init reaps it.
            self._process.returncode = 0

    def _take(self, report: Report) -> None:
        if isinstance(report, Pong):
            return
        if isinstance(report, Ready):
            self.ready = report
            self._ping()
        of_call = report.call_id if isinstance(report, Wire | Change | Failed | Obeyed | Deserted) else None
        self.dialled(of_call or "")
        tell = self.calls.get(of_call or "")
        if tell is None:
            self._on_other(report)
        else:
            tell(report)

    def _hear(self, line: bytes) -> None:
        self._heard_at, self._heard = time.monotonic(), True
        self._take(decode(line))

    def _listen(self, line: bytes) -> None:
        self._words = (self._words + line + b"\n")[-_WORDS_KEPT:]

    @property
    def how_it_died(self) -> str:
        """Say in a sentence what its calls are to know."""
        if self._hung:
            return "The SIP user agent hung and was killed."
        return f"The SIP user agent died during the call: {self.last_words}."

    @property
    def last_words(self) -> str:
        """What it said on stderr, such as the assertion that aborted it."""
        said = self._words.decode("utf-8", "replace").strip().splitlines()
        return said[-1] if said else "it ended without a word"


async def start_child(
    start: Start, on_other: Callable[[Report], None], started: subprocess.Popen[bytes] | None = None
) -> Child:
    """Start a child's stack, in a process that was started before or a new one. AgentError when it cannot start."""
    try:
        process = started or start_process()
        pipes = await _connect(process)
    except OSError as error:  # no handle, no memory, no process left
        raise AgentError(f"The SIP user agent could not be started: {error.strerror}; raise that limit.") from error
    first: asyncio.Future[Report] = asyncio.get_running_loop().create_future()

    def take(report: Report) -> None:
        if not first.done():
            first.set_result(report)
        else:
            on_other(report)

    child = Child(process, pipes, take)
    child.order(start)
    try:
        report = await asyncio.wait_for(first, _START_S)
    except TimeoutError:
        child.kill()
        raise AgentError(f"The SIP user agent did not start within {_START_S:.0f} s.") from None
    except asyncio.CancelledError:
        child.close()
        raise
    if isinstance(report, Failed):
        child.close()
        raise AgentError(f"The SIP user agent could not start: {report.why}.")
    return child


async def _connect(process: subprocess.Popen[bytes]) -> _Pipes:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    loop = asyncio.get_running_loop()
    orders, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, process.stdin)
    reports, from_reports = await _reader(process.stdout, unfinished=False)
    words, from_words = await _reader(process.stderr, unfinished=True)
    return _Pipes(orders, reports, words, (from_reports, from_words))


async def _reader(pipe: IO[bytes], *, unfinished: bool) -> tuple[_Lines, asyncio.ReadTransport]:
    make = partial(_Lines, unfinished=unfinished)
    transport, lines = await asyncio.get_running_loop().connect_read_pipe(make, pipe)
    return lines, transport
