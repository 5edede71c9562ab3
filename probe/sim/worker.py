"""One process of the simulator: a SIP stack that answers calls by the table of numbers.

Started by `probe.sim.front` with its address and the contact to state; says on stdout where it listens, how many
calls it holds and how many it can begin in a second, and then the Call-ID of each call that has ended.
"""

import heapq
import itertools
import os
import select
import signal
import sys
import time
from collections.abc import Callable

from probe.pjsip import Stack
from probe.sim.invite import read_invite
from probe.sim.numbers import Bye, Say, Step, script_for
from probe.stack import Account, Change, Incoming, Phase, Setup
from probe.trunk import Transport

_TURN_MS = 5


class _Exchange:
    """Plays the scripts: what is to be done when, for which call."""

    def __init__(self, stack: Stack, say: Callable[[str], None]) -> None:
        self._stack = stack
        self._say = say
        self._agenda: list[tuple[float, int, str, Step]] = []
        self._order = itertools.count()
        self._byes: dict[str, Bye] = {}

    def take(self) -> None:
        for happening in self._stack.happenings:
            match happening:
                case Incoming():
                    self._begin(happening)
                case Change(phase=Phase.ANSWERED):
                    self._answered(happening.call_id)
                case Change(phase=Phase.ENDED):
                    self._byes.pop(happening.call_id, None)
                    self._say(f"ended {happening.call_id}")
        self._stack.happenings.clear()

    def act(self) -> None:
        while self._agenda and self._agenda[0][0] <= time.monotonic():
            _, _, call_id, step = heapq.heappop(self._agenda)
            match step:
                case Say():
                    self._stack.answer(call_id, step.status, step.phrase, step.headers)
                case Bye():
                    self._stack.hang_up_with(call_id, step.headers)

    def _begin(self, incoming: Incoming) -> None:
        invite = read_invite(incoming.raw)
        if invite is None:
            return
        due = time.monotonic()
        for step in script_for(invite.caller, invite.callee).steps:
            if isinstance(step, Bye):
                self._byes[incoming.call_id] = step
                continue
            due += step.after_ms / 1000
            self._plan(due, incoming.call_id, step)

    def _answered(self, call_id: str) -> None:
        bye = self._byes.pop(call_id, None)
        if bye is not None:
            self._plan(time.monotonic() + bye.after_ms / 1000, call_id, bye)

    def _plan(self, due: float, call_id: str, step: Step) -> None:
        heapq.heappush(self._agenda, (due, next(self._order), call_id, step))


def main() -> None:
    """Answer calls until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    transport, bind, rtp_port, contact = sys.argv[1:]
    # The library prints on fd 1 before any log level holds.
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    setup = Setup(
        transport=Transport(transport),
        bind=bind,
        media_bind="127.0.0.1" if bind == "::1" else bind,
        ipv6=":" in bind,
        rtp_port=int(rtp_port),
        takes_calls=True,
        user_agent="probe sim",
    )
    stack = Stack(setup, Account(uri="sip:sim@sim.example.com", contact=contact or None))

    def say(line: str) -> None:
        print(line, file=out)

    say(f"{stack.local} {stack.limits.calls} {stack.limits.starts_per_second}")
    exchange = _Exchange(stack, say)
    while not select.select([0], [], [], 0)[0]:
        stack.turn(_TURN_MS)
        exchange.take()
        exchange.act()
    os._exit(0)


if __name__ == "__main__":
    main()
