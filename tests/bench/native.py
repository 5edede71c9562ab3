"""What the user agent does in a second and at once, with whichever build of the library is installed.

Beside it, on the same machine in the same run: a loop on bare pjsua2 that keeps nothing, and SIPp's own caller. The far
end is a SIPp that answers 603. Needs SIPp.
"""

import asyncio
import contextlib
import itertools
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import probe.announce
from probe.agent.build import ask_build
from probe.agent.pool import Agent
from probe.call import CallRecord, CallRequest, Ending
from probe.judged import JudgedCall
from probe.ledger import Ledger
from probe.rounds import Plan, Road, RoundResult, run_round
from probe.scenario.guard import Allowed
from probe.stack import Build
from probe.store import Store, open_store
from probe.trunk import Trunk
from tests.bench import timing
from tests.bench.figure import Figure
from tests.bench.idle import cpu_s

SCENARIOS = Path(__file__).parents[1] / "data" / "sipp"
SECONDS = 10  # about so long each measurement places calls
NATIVE_GUESS = 1000  # calls a second on the road; decides only how many calls are placed
BARE_GUESS = 2000
NO_PACE = 1e9
RATE = 200  # calls a second, where times are compared with a capture
DESTINATIONS = 3_000  # more than ring at once: a destination takes one call at a time
CALLERS = frozenset(f"+1202555{number:04}" for number in range(100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much each build is given to do."""

    lines: int
    calls: int
    ringing: int
    wanted_ringing: str
    wanted_share: str


def sizes_for(build: Build) -> Sizes:
    if build.native:
        return Sizes(
            lines=200,
            calls=SECONDS * NATIVE_GUESS,
            ringing=1500,
            wanted_ringing="1,500 in 500 MB",
            wanted_share="at least 0.25 of bare pjsua2, aim 0.5",
        )
    return Sizes(
        lines=16,
        calls=SECONDS * 100,
        ringing=200,
        wanted_ringing="at least 64, aim 200",
        wanted_share="at least 0.8 of bare wheels, aim 0.95",
    )


def measure() -> Iterator[Figure]:
    build = ask_build()
    sizes = sizes_for(build)
    yield from _throughput(build, sizes)
    yield from _ringing(build, sizes)
    yield from _processor_time(build)
    yield from _reported_time(build)


def _throughput(build: Build, sizes: Sizes) -> Iterator[Figure]:
    ours = _on_the_road("refuse", sizes.calls, sizes.lines)
    name = "native" if build.native else "wheel"
    for beside, other, wanted in (
        ("bare pjsua2", _bare(build, sizes), sizes.wanted_share),
        ("SIPp's own caller", _sipp_alone(SECONDS * BARE_GUESS), ""),
    ):
        yield Figure(
            what=f"{name}: calls a second, each recorded and judged",
            value=ours.calls / ours.seconds,
            unit="/s",
            beside=beside,
            other=other,
            wanted=wanted,
        )


def _ringing(build: Build, sizes: Sizes) -> Iterator[Figure]:
    rung = asyncio.run(_ring_at_once(sizes.ringing))
    name = "native" if build.native else "wheel"
    yield Figure(
        what=f"{name}: calls ringing at once",
        value=float(rung.ringing),
        unit="calls",
        beside="what one process holds",
        other=float(build.limits.calls),
        wanted=sizes.wanted_ringing,
    )
    yield Figure(
        what=f"{name}: memory for them, parent and children",
        value=rung.mb,
        unit="MB",
        beside="the parent alone",
        other=rung.parent_mb,
        wanted="at most 500 MB" if build.native else "",
    )


def _processor_time(build: Build) -> Iterator[Figure]:
    calls = min(400, 16 * build.limits.calls)
    ours = _on_the_road("ring_10s_refuse", calls, calls)
    with _far_end("ring_10s_refuse", calls) as port:
        bare = _bare_process(port, calls, min(calls, build.limits.calls))
    yield Figure(
        what=f"{'native' if build.native else 'wheel'}: processor time a call, ringing 10 s, refused",
        value=ours.cpu_s / calls * 1000,
        unit="ms",
        beside="bare pjsua2",
        other=bare["cpu_s"] / calls * 1000,
        wanted="at most 3 times, aim 1.5",
    )


def _reported_time(build: Build) -> Iterator[Figure]:
    with _far_end("refuse", RATE * SECONDS) as port:
        accuracy = timing.compare(port, lambda: asyncio.run(_at_rate(port, RATE * SECONDS)))
    name = "native" if build.native else "wheel"
    for what, value, wanted in (
        ("median", accuracy.median_ms, "at most 3 ms, aim 1"),
        ("99th percentile", accuracy.p99_ms, "at most 10 ms, aim 4"),
    ):
        yield Figure(
            what=f"{name}: reported time against the packet's at {RATE} calls a second, {what}",
            value=value,
            unit="ms",
            beside="the unit of our JSON",
            other=1.0,
            wanted=wanted,
        )


async def _at_rate(port: int, calls: int) -> list[CallRecord]:
    agent = Agent(Trunk(name="far", host="127.0.0.1", port=port, lines=RATE))
    await agent.open()
    began, placed = time.monotonic(), list[asyncio.Task[CallRecord]]()
    for number, request in enumerate(_requests(calls)):
        await asyncio.sleep(began + number / RATE - time.monotonic())
        placed.append(asyncio.create_task(agent.place(request)))
    records = await asyncio.gather(*placed)
    await agent.close()
    return records


# Our own.


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A round: how many calls, how long it took, and the processor time of this process and its children."""

    calls: int
    seconds: float
    cpu_s: float


def _on_the_road(scenario: str, calls: int, lines: int) -> Done:
    with _far_end(scenario, calls) as port, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_round(port, calls, lines, f"sqlite:///{Path(folder) / 'probe.db'}"))


async def _round(port: int, calls: int, lines: int, url: str) -> Done:
    store = open_store(url)
    agent = Agent(Trunk(name="far", host="127.0.0.1", port=port, lines=lines))
    await agent.open()
    began, used = time.monotonic(), _cpu_s(agent)
    try:
        result = await run_round(
            Plan(id="bench", scenario="bench", requests=tuple(_requests(calls))),
            _road(agent, store, lines),
            stopping=asyncio.Event(),
            on_call=_forget,
        )
        done = Done(calls=calls, seconds=time.monotonic() - began, cpu_s=_cpu_s(agent) - used)
    finally:
        await agent.close()
        store.close()
    _all_refused(result)
    return done


def _all_refused(result: RoundResult) -> None:
    endings = [call.record.ending for call in result.calls]
    assert result.planned == endings.count(Ending.REFUSED), {ending: endings.count(ending) for ending in set(endings)}


def _forget(_: JudgedCall) -> None:
    return


def _road(agent: Agent, store: Store, lines: int) -> Road:
    return Road(
        agent=agent,
        store=Ledger(store),
        allowed=Allowed(limits=None, trunk_on_loopback=True, callers=CALLERS, consent="a far end on loopback"),
        new_id=lambda: uuid.uuid4().hex,
        now=lambda: datetime.now(UTC),
        announce=probe.announce,
        lines=lines,
        calls_per_second=NO_PACE,
    )


def _requests(calls: int) -> Iterator[CallRequest]:
    callers = sorted(CALLERS)
    for number in range(calls):
        fresh = uuid.uuid4().hex
        yield CallRequest(
            id=fresh,
            plan_key=fresh,
            trunk="far",
            caller=callers[number % len(callers)],
            callee=f"+1202{5_560_000 + number % DESTINATIONS}",
            ring_limit_ms=60_000,
        )


def _cpu_s(agent: Agent) -> float:
    return sum(map(cpu_s, _processes(agent)))


def _processes(agent: Agent) -> list[int]:
    return [os.getpid(), *(child._process.pid for child in agent._children)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """How many calls rang at once, and the memory that they took in all processes, and in the parent."""

    ringing: int
    mb: float
    parent_mb: float


async def _ring_at_once(calls: int) -> Rung:
    with _far_end("ring", calls) as port:
        agent = Agent(Trunk(name="far", host="127.0.0.1", port=port, lines=calls))
        await agent.open()
        placed = [asyncio.create_task(agent.place(request)) for request in _requests(calls)]
        await _until_all_dialled(agent, calls)
        mb, parent_mb = sum(map(_mb, _processes(agent))), _mb(os.getpid())
        agent.stop()
        records: list[CallRecord] = await asyncio.gather(*placed)
        await agent.close()
    return Rung(ringing=sum(map(_rang, records)), mb=mb, parent_mb=parent_mb)


async def _until_all_dialled(agent: Agent, calls: int) -> None:
    deadline = time.monotonic() + 60
    while len(agent._flights) < calls and time.monotonic() < deadline:  # noqa: ASYNC110 - the agent tells nobody
        await asyncio.sleep(0.1)
    await asyncio.sleep(3)  # for the last of them to ring


def _rang(record: CallRecord) -> bool:
    """Say whether it rang until we cancelled it."""
    lines = [message.raw[:11] for message in record.messages]
    return b"SIP/2.0 180" in lines and Ending.STOPPED is record.ending


def _mb(pid: int) -> float:
    """Read the memory of a process, with its share of what several processes have in common (proc_pid_smaps(5))."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1]) / 1000


# What it is compared to.


def _bare(build: Build, sizes: Sizes) -> float:
    """Calls a second of pjsua2 alone, in as many processes as our own pool has; the wheel's are paced to stay alive."""
    processes = math.ceil(sizes.lines / build.limits.calls)
    calls = SECONDS * BARE_GUESS if build.native else sizes.calls
    each = calls // processes
    pace = NO_PACE if build.native else build.limits.starts_per_second
    with _far_end("refuse", each * processes) as port:
        running = [_start_bare(port, each, min(sizes.lines, build.limits.calls), pace) for _ in range(processes)]
        figures = [json.loads(process.communicate()[0]) for process in running]
    assert each * processes == sum(one["refused"] for one in figures), figures
    return each * processes / max(one["seconds"] for one in figures)


def _bare_process(port: int, calls: int, at_once: int) -> dict[str, float]:
    process = _start_bare(port, calls, at_once, NO_PACE)
    found: dict[str, float] = json.loads(process.communicate()[0])
    assert calls == found["refused"], found
    return found


def _start_bare(port: int, calls: int, at_once: int, pace: float) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.bench.bare", *map(str, (port, calls, at_once, pace))]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _sipp_alone(calls: int) -> float:
    with _far_end("refuse", calls) as port:
        began = time.monotonic()
        command = _sipp("place", _free_port(), calls, f"127.0.0.1:{port}")
        subprocess.run([*command, "-r", "50000", "-rp", "1000", "-l", "500"], check=True, stdout=subprocess.DEVNULL)
        return calls / (time.monotonic() - began)


@contextlib.contextmanager
def _far_end(scenario: str, calls: int) -> Iterator[int]:
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = _sipp(scenario, port, calls)
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            _wait_until_bound(port)
            try:
                yield port
            finally:
                process.kill()


def _sipp(scenario: str, port: int, calls: int, *remote: str) -> list[str]:
    options = {"-i": "127.0.0.1", "-p": port, "-cp": _free_port(), "-mp": _free_port(), "-m": calls}
    given = itertools.chain.from_iterable((name, str(value)) for name, value in options.items())
    return ["sipp", *remote, "-sf", str(SCENARIOS / f"{scenario}.xml"), *given, "-nostdin", "-buff_size", "4000000"]


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_until_bound(port: int) -> None:
    wanted = f"0100007F:{port:04X}"
    deadline = time.monotonic() + 5
    while wanted not in Path("/proc/net/udp").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
