"""Many calls at once over a pool of child processes."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent.conftest import Sipp, agent_on, request, said, trunk, within
from agent.far_end import FarEnd, reply

from probe.call import CallRecord, Direction, Ending
from probe.sip import Request
from probe.stack import Build


def refuses(asked: Request) -> Iterator[bytes]:
    if asked.method == "INVITE":
        yield reply(asked, "603 Decline")


def _at_most(records: list[CallRecord]) -> int:
    """How many calls were under way at once, by what stands in the records."""
    steps = [(record.started_at, 1) for record in records] + [(record.ended_at, -1) for record in records]
    under_way = most = 0
    for _, step in sorted(steps):
        under_way += step
        most = max(most, under_way)
    return most


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.sipp
def test_32_lines_ring_at_once_and_no_child_holds_more_than_its_share(sipp: Callable[..., Sipp], build: Build):
    far = sipp("ring", calls=32)

    async def all_at_once() -> tuple[list[CallRecord], list[int]]:
        async with agent_on(trunk(far.port, lines=32)) as agent:
            calls = asyncio.gather(*(agent.place(request(ring_limit_ms=5_000)) for _ in range(32)))
            while len(agent._flights) < 32:
                await asyncio.wait([calls], timeout=0.02)
            held = [len(child.calls) for child in agent._children]
            return list(await calls), held

    records, held = within(30, all_at_once())

    assert ([32] if build.limits.calls >= 32 else [4] * 8) == held
    assert far.ended_well()
    assert {Ending.RING_LIMIT} == {record.ending for record in records}
    assert 32 == _at_most(records)


@pytest.mark.sipp
def test_sixty_immediate_refusals_in_a_row_keep_their_child_alive(sipp: Callable[..., Sipp]):
    far = sipp("refuse", calls=60)

    async def row() -> tuple[list[CallRecord], set[int], set[int]]:
        async with agent_on(trunk(far.port, lines=1)) as agent:
            await agent.open()
            before = {child._process.pid for child in agent._children}
            records = [await agent.place(request()) for _ in range(60)]
            return records, before, {child._process.pid for child in agent._children}

    records, before, after = within(40, row())

    assert {Ending.REFUSED} == {record.ending for record in records}
    assert before == after
    assert far.ended_well()


def test_two_hundred_calls_leak_no_file_descriptor_and_no_process():
    async def many(far: FarEnd) -> tuple[int, int]:
        async with agent_on(trunk(far.port, lines=8)) as agent:
            await asyncio.gather(*(agent.place(request()) for _ in range(16)))
            before = _open_files()
            records = await asyncio.gather(*(agent.place(request()) for _ in range(184)))
            assert {Ending.REFUSED} == {record.ending for record in records}
            after = _open_files()
        return before, after

    known = _children(os.getpid())
    with FarEnd(refuses) as far:
        before, after = within(40, many(far))

    assert after <= before
    assert known == _children(os.getpid())


def test_close_leaves_no_process_after_a_second():
    async def leave(far: FarEnd) -> list[int]:
        async with agent_on(trunk(far.port)) as agent:
            await agent.place(request())
            return [child._process.pid for child in agent._children]

    with FarEnd(refuses) as far:
        pids = within(10, leave(far))

    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and _alive(pids):
        time.sleep(0.01)
    assert [] == _alive(pids)


def _alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_no_call_waits_for_the_machine_to_look_itself_up():
    async def timed(far: FarEnd) -> float:
        async with agent_on(trunk(far.port)) as agent:
            await agent.open()
            began = time.monotonic()
            await agent.place(request())
            return time.monotonic() - began

    with FarEnd(refuses) as far:
        assert within(10, timed(far)) < 1


@pytest.mark.sipp
def test_every_ringing_call_of_a_full_child_is_cancelled_at_a_stop(sipp: Callable[..., Sipp], build: Build):
    """A child with hundreds of orders to hang up is busy, not hung: it is waited for, and never killed."""
    calls = min(build.limits.calls, 400)
    far = sipp("ring", calls=calls)

    async def stopped() -> list[CallRecord]:
        async with agent_on(trunk(far.port, lines=calls)) as agent:
            placed = [asyncio.create_task(agent.place(request(ring_limit_ms=60_000))) for _ in range(calls)]
            while len(agent._flights) < calls:
                await asyncio.wait(placed, timeout=0.05)
            assert 1 == len(agent._children)
            agent.stop()
            return list(await asyncio.gather(*placed))

    records = within(60, stopped())

    assert {Ending.STOPPED} == {record.ending for record in records}
    assert {"CANCEL"} == {line for record in records for line in said(record, Direction.SENT)} - {"INVITE", "ACK"}
    assert all("ACK" in said(record) for record in records)
    assert far.ended_well()


def test_calls_without_an_answer_do_not_cost_the_child_that_has_room_for_others(build: Build):
    """A call that nobody answers may keep its place in the library; only a child full of such calls is replaced."""

    def silent(_: Request) -> Iterator[bytes]:
        yield from ()

    async def three(far: FarEnd) -> list[int]:
        pids = []
        async with agent_on(trunk(far.port, lines=1)) as agent:
            for _ in range(3):
                record = await agent.place(request(ring_limit_ms=300))
                assert Ending.NO_RESPONSE is record.ending
                pids += [child._process.pid for child in agent._children if not child.retired]
        return pids

    with FarEnd(silent) as far:
        pids = within(30, three(far))

    assert ([3, 1] if build.limits.calls >= 12 else [0, 0]) == [len(pids), len(set(pids))]
