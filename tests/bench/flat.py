"""A million calls (FLAT_CALLS), in rounds of ten thousand; out: by how much the memory grows after the first tenth.

Parent and children, each call recorded and judged in one SQLite file; the far end is a SIPp that answers 603.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from probe.agent.build import ask_build
from probe.agent.pool import Agent
from probe.rounds import Plan, run_round
from probe.store import open_store
from probe.trunk import Trunk
from tests.bench import native
from tests.bench.figure import Figure

CALLS = int(os.environ.get("FLAT_CALLS", "1000000"))
ROUND = 10_000


def measure() -> Iterator[Figure]:
    sizes = native.sizes_for(ask_build())
    with native._far_end("refuse", CALLS) as port, tempfile.TemporaryDirectory() as folder:
        megabytes = asyncio.run(_rounds(port, sizes.lines, f"sqlite:///{Path(folder) / 'probe.db'}"))
    settled, last = megabytes[len(megabytes) // 10], megabytes[-1]
    yield Figure(
        what=f"growth of memory over {CALLS:,} calls, after the first tenth",
        value=(last / settled - 1) * 100,
        unit="%",
        beside=f"{settled:.0f} MB then, {last:.0f} MB at the end",
        other=100.0,
        wanted="at most 5 %",
    )


async def _rounds(port: int, lines: int, url: str) -> list[float]:
    store = open_store(url)
    agent = Agent(Trunk(name="far", host="127.0.0.1", port=port, lines=lines))
    await agent.open()
    megabytes = []
    try:
        for number in range(CALLS // ROUND):
            plan = Plan(id=f"flat-{number}", scenario="bench", requests=tuple(native._requests(ROUND)))
            result = await run_round(
                plan, native._road(agent, store, lines), stopping=asyncio.Event(), on_call=native._forget
            )
            native._all_refused(result)
            del plan, result
            megabytes.append(sum(map(native._mb, native._processes(agent))))
    finally:
        await agent.close()
        store.close()
    return megabytes
