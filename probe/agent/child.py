"""The child process that holds the SIP stack: orders come in on stdin, reports go out on stdout.

It obeys and decides nothing, but for one thing: when its parent is gone (stdin ends) or stands still (it pings every
second), it cancels what rings and ends what is answered. So neither a killed parent nor one that was stopped by Ctrl-Z,
or waits for a log that nobody reads, leaves a phone ringing.
"""

import os
import select
import signal
import sys
import time

from probe.agent.line import (
    Deserted,
    Dial,
    Failed,
    HangUp,
    Obeyed,
    Options,
    Order,
    Ping,
    Pong,
    Ready,
    Report,
    Start,
    decode,
    encode,
)
from probe.pjsip import VERSION, Stack
from probe.private import leave_no_core
from probe.stack import Change, Happening, Phase

_BUSY_TURN_MS = 5
_IDLE_WAIT_S = 0.02
# An INVITE without any answer cannot be cancelled (RFC 3261 s9.1). It is repeated for 32 s (timer B), and a
# late 180 must still be answered by CANCEL: so long a child outlives its parent, and no longer.
_DRAIN_S = 33.0
_UNREGISTER_S = 0.5
_ALONE_S = 10.0


class _Orders:
    """The lines on stdin. `ended` once the parent has gone."""

    def __init__(self) -> None:
        self.ended = False
        self.heard_at = time.monotonic()
        self._rest = b""
        os.set_blocking(0, False)

    def take(self, wait_s: float) -> list[Order]:
        if self.ended:
            time.sleep(min(wait_s, _IDLE_WAIT_S))
            return []
        if not select.select([0], [], [], wait_s)[0]:
            return []
        chunk = os.read(0, 1 << 20)
        self.ended, self.heard_at = not chunk, time.monotonic()
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [decode(line) for line in lines]


class _Reports:
    """The lines on what was stdout. The library prints on fd 1 before any log level holds, so it gets another.

    A parent that reads nothing does not hold us up: what the pipe does not take waits here.
    """

    def __init__(self) -> None:
        self._fd = os.dup(1)
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
        os.set_blocking(self._fd, False)
        self._left = bytearray()

    def send(self, *reports: Report) -> None:
        for report in reports:
            self._left += encode(report)
        self.flush()

    def flush(self) -> None:
        """Write what the pipe takes."""
        try:
            while self._left:
                del self._left[: os.write(self._fd, self._left)]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._left.clear()  # the parent has gone; stdin says so too


def _start(orders: _Orders, reports: _Reports) -> Stack | None:
    received: list[Order] = []
    while not received and not orders.ended:
        received = orders.take(1.0)
    if not received or not isinstance(received[0], Start):
        return None
    try:
        stack = Stack(received[0].setup, received[0].account)
    except RuntimeError as error:
        reports.send(Failed(call_id=None, why=str(error)))
        return None
    limits = stack.limits
    reports.send(
        Ready(calls=limits.calls, starts_per_second=limits.starts_per_second, local=stack.local, version=VERSION)
    )
    return stack


def _obey(stack: Stack, order: Order, reports: _Reports) -> None:
    match order:
        case Dial():
            try:
                stack.dial(order.call_id, order.target, order.caller, order.headers)
            except RuntimeError as error:
                reports.send(Failed(call_id=order.call_id, why=str(error)))
        case HangUp():
            stack.hang_up(order.call_id)
            reports.send(Obeyed(call_id=order.call_id))
        case Options():
            stack.send_options(order.target)
        case Ping():
            reports.send(Pong())


def _is_end(happening: Happening) -> bool:
    return isinstance(happening, Change) and happening.phase is Phase.ENDED


def _serve(stack: Stack, orders: _Orders, reports: _Reports) -> None:
    while not orders.ended:
        for order in orders.take(0.0 if stack.busy else _IDLE_WAIT_S):
            # What came before the order is to be known first, such as the end of a connection; and where there are
            # many orders, no answer is to wait for the last of them: its time would be told wrong.
            stack.turn(0)
            _obey(stack, order, reports)
            _report(stack, reports)
        stack.turn(_BUSY_TURN_MS if stack.busy else 0)
        _report(stack, reports)
        if time.monotonic() > orders.heard_at + _ALONE_S:
            _hang_up_all(stack, reports)
            orders.heard_at = time.monotonic()


def _hang_up_all(stack: Stack, reports: _Reports) -> None:
    for call_id in stack.calls:
        reports.send(Deserted(call_id=call_id))
        stack.hang_up(call_id)


def _report(stack: Stack, reports: _Reports) -> None:
    reports.flush()
    if stack.happenings:
        # The end of a call goes last: whoever hears of it has all of the call's messages.
        reports.send(*sorted(stack.happenings, key=_is_end))
        stack.happenings.clear()


def _drain(stack: Stack) -> None:
    began = time.monotonic()
    stack.leave()
    while time.monotonic() < began + (_DRAIN_S if stack.busy else _UNREGISTER_S if stack.registered else 0):
        stack.turn(_BUSY_TURN_MS)
        stack.happenings.clear()


def main() -> None:
    """Serve one parent until it goes."""
    leave_no_core()
    # Ctrl-C reaches the whole process group; it is the parent who decides what is cancelled.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    orders, reports = _Orders(), _Reports()
    stack = _start(orders, reports)
    if stack is not None:
        _serve(stack, orders, reports)
        _drain(stack)
    sys.stderr.flush()
    os._exit(0)  # libDestroy() would take a second, and aborts if a call is still alive


if __name__ == "__main__":
    main()
