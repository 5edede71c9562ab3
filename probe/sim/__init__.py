"""The carrier simulator: a SIP far end that answers by the number dialled and by the caller ID."""

import asyncio
import signal
from collections.abc import Callable

from probe.sim.front import Front
from probe.sim.numbers import ANALYTICS, NUMBERS, ORDINARY, Script

__all__ = ["ANALYTICS", "NUMBERS", "ORDINARY", "Front", "Script", "run"]


async def run(bind: str, port: int, calls: int | None, announce: Callable[[str], None]) -> None:
    """Answer calls until a signal comes or `calls` calls have ended; `announce` gets the address."""
    front = Front(bind, port, calls)
    address = await front.open()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, front.done.set)
    announce(address)
    await front.done.wait()
    front.close()
