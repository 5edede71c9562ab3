"""The parent's side of one child process: orders go down, reports come up, and its death is told to its calls."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from probe.agent.line import Failed, Order, Ready, Report, Start, decode, encode
from probe.errors import AgentError
from probe.stack import Change, Wire

_LINE_LIMIT = 1 << 24
_WORDS_KEPT = 2_000
_START_S = 10.0


@dataclass(frozen=True, slots=True)
class _Pipes:
    orders: asyncio.WriteTransport
    reports: asyncio.StreamReader
    words: asyncio.StreamReader


class Child:
    """A running child. `calls` maps each Call-ID to whoever listens for its reports."""

    def __init__(self, process: subprocess.Popen[bytes], pipes: "_Pipes", on_other: Callable[[Report], None]) -> None:
        self._process = process
        self._pipes = pipes
        self._on_other = on_other
        self._words = b""
        self.calls: dict[str, Callable[[Report | None], None]] = {}
        self.ready: Ready | None = None
        self.retired = False
        self.alive = True
        self.next_start = 0.0
        self._reading = asyncio.create_task(self._read())
        self._listening = asyncio.create_task(self._listen())

    @property
    def free(self) -> int:
        """How many more calls it can hold now."""
        if self.retired or not self.alive or self.ready is None:
            return 0
        return self.ready.calls - len(self.calls)

    def order(self, order: Order) -> None:
        """Send an order. A child that has died tells its calls so by itself."""
        if self.alive:
            self._pipes.orders.write(encode(order))

    def kill(self) -> None:
        """End it at once: only for a child that does not answer."""
        self._process.kill()

    def close(self) -> None:
        """Let it go: it hangs up what is left and ends by itself. Nobody waits for it."""
        self.retired = True
        self._pipes.orders.close()

    async def _read(self) -> None:
        async for line in self._pipes.reports:
            self._take(decode(line))
        self.alive = False
        await asyncio.to_thread(self._process.wait)
        for tell in tuple(self.calls.values()):
            tell(None)
        self._on_other(Failed(call_id=None, why=self.last_words))

    def _take(self, report: Report) -> None:
        if isinstance(report, Ready):
            self.ready = report
        tell = self.calls.get(report.call_id or "") if isinstance(report, Wire | Change | Failed) else None
        if tell is None:
            self._on_other(report)
        else:
            tell(report)

    async def _listen(self) -> None:
        async for line in self._pipes.words:
            self._words = (self._words + line)[-_WORDS_KEPT:]

    @property
    def last_words(self) -> str:
        """What it said on stderr, such as the assertion that aborted it."""
        said = self._words.decode("utf-8", "replace").strip().splitlines()
        return said[-1] if said else "it ended without a word"


async def start_child(start: Start, on_other: Callable[[Report], None]) -> Child:
    """Start a child and its stack. AgentError when it cannot start."""
    # Not asyncio's own subprocess: that kills a child whose transport is dropped, and a child must be left alone
    # to cancel what still rings. Its own session: a signal from the terminal is the parent's to answer.
    process = subprocess.Popen(  # noqa: ASYNC220 - our own program; starting it does not wait
        [sys.executable, "-m", "probe.agent.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    pipes = await _connect(process)
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
    return _Pipes(orders, await _reader(process.stdout), await _reader(process.stderr))


async def _reader(pipe: IO[bytes]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=_LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader
