"""One worker of the fleet that `tests.bench.fleet` measures: no limits, no pace, the agent on a SIPp on loopback."""

import asyncio
import sys
from argparse import Namespace

from probe.cli.worker import Working
from probe.scenario.scenario import Caller, Destination, Scenario
from probe.store import open_store
from probe.trunk import Trunk
from tests.bench.native import CALLERS, NO_PACE

SITE = "bench"


def callee(number: int) -> str:
    return f"+1202{5_560_000 + number}"


def scenario(port: int, lines: int, calls: int) -> Scenario:
    return Scenario(
        name="bench",
        path="bench.yaml",
        trunk=Trunk(name="far", host="127.0.0.1", port=port, lines=lines, calls_per_second=NO_PACE),
        callers=tuple(Caller(number=number) for number in sorted(CALLERS)),
        destinations=tuple(Destination(number=callee(number), consent="on loopback") for number in range(calls)),
        ring_limit_ms=60_000,
        limits=None,
        sites=(SITE,),
    )


def main() -> None:
    url, port, lines, calls = sys.argv[1:]
    store = open_store(url)
    arguments = Namespace(site=SITE, full_numbers=False)
    asyncio.run(Working(arguments, store, [scenario(int(port), int(lines), int(calls))]).until_stopped())
    store.close()


if __name__ == "__main__":
    main()
