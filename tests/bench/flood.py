"""What 2,000 requests a second from strangers do to the calls in progress: their verdicts, and the times they report.

The same calls are placed twice, in a quiet run and in a run under a flood that SIPp sends to the port of the child that
holds them: an INVITE, REFER, SUBSCRIBE, MESSAGE, NOTIFY and OPTIONS in turn. Needs SIPp.
"""

import asyncio
import math
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from probe.agent.build import ask_build
from probe.agent.pool import Agent
from probe.call import CallRecord
from probe.judged import judge_call
from probe.trunk import Trunk
from tests.bench.figure import Figure
from tests.bench.native import SCENARIOS, _far_end, _free_port, _requests

SECONDS = 10
RATE = 2000  # requests a second
KINDS = 6  # of requests, one after another in the scenario
RINGS = "ring_1s_refuse"
MOST_LINES = 100
SHARE = 0.8  # of the lines, that ring on the average
SETTLED_S = 0.5  # between the first call and the flood


def measure() -> Iterator[Figure]:
    build = ask_build()
    lines = min(build.limits.calls, MOST_LINES)
    name = "native" if build.native else "wheel"
    quiet, loud = _run(lines, rate=0), _run(lines, rate=RATE)
    changed = (Counter(map(_verdict, loud)) - Counter(map(_verdict, quiet))).total()
    yield Figure(
        what=f"{name}: verdicts changed by {RATE:,} requests a second",
        value=float(changed),
        unit="calls",
        beside="of calls in progress",
        other=float(len(loud)),
        wanted="not one",
    )
    for words, share in (("median", 0.5), ("99th percentile", 0.99), ("largest", 1.0)):
        yield Figure(
            what=f"{name}: time to the final response then, {words}",
            value=_percentile(loud, share),
            unit="ms",
            beside="in the quiet run",
            other=_percentile(quiet, share),
            wanted="within 20 ms",
        )


def _run(lines: int, rate: int) -> list[CallRecord]:
    calls = lines * (SECONDS - 1)
    with _far_end(RINGS, calls) as port:
        return asyncio.run(_place(port, lines, calls, rate))


async def _place(port: int, lines: int, calls: int, rate: int) -> list[CallRecord]:
    agent = Agent(Trunk(name="far", host="127.0.0.1", port=port, lines=lines))
    await agent.open()
    pid = agent._children[0]._process.pid
    flood = await asyncio.to_thread(_flood, agent, rate) if rate else None
    # Not all at once: what is measured is the flood, and not how many calls the far end answers in a moment.
    placed = []
    began = time.monotonic()
    for number, request in enumerate(_requests(calls)):
        await asyncio.sleep(began + number / lines / SHARE - time.monotonic())
        placed.append(asyncio.create_task(agent.place(request)))
    records = list(await asyncio.gather(*placed))
    if flood is not None:
        assert await asyncio.to_thread(flood.wait) == 0
    assert [pid] == [child._process.pid for child in agent._children], "the child died"
    await agent.close()
    return records


def _flood(agent: Agent, rate: int) -> "subprocess.Popen[bytes]":
    ready = agent._children[0].ready
    assert ready is not None
    calls = math.ceil(rate / KINDS)
    command = ["sipp", ready.local, "-sf", str(SCENARIOS / "flood.xml"), "-i", "127.0.0.1", "-p", str(_free_port())]
    command += ["-cp", str(_free_port()), "-nostdin", "-r", str(calls), "-m", str(calls * SECONDS)]
    folder = Path(tempfile.gettempdir())
    flood = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(SETTLED_S)
    return flood


def _verdict(record: CallRecord) -> tuple[str, str]:
    judged = judge_call(record)
    return str(record.ending), str(judged.verdict.disposition)


def _percentile(records: Sequence[CallRecord], share: float) -> float:
    finals = sorted(final for final in map(_final_ms, records) if final is not None)
    return finals[min(len(finals) - 1, int(len(finals) * share))]


def _final_ms(record: CallRecord) -> float | None:
    return judge_call(record).conversation.timing.final_ms
