"""A child that does not answer its parent is found whether it has calls or not; one that does is left alone."""

import asyncio
import signal
import time
from collections.abc import Iterator

import pytest
from agent.conftest import agent_on, request, trunk, within
from agent.far_end import FarEnd, reply

from probe.agent import process
from probe.call import CallRecord, Ending
from probe.sip import Request


def refuses(asked: Request) -> Iterator[bytes]:
    if asked.method == "INVITE":
        yield reply(asked, "603 Decline")


def rings(asked: Request) -> Iterator[bytes]:
    if asked.method == "INVITE":
        yield reply(asked, "180 Ringing")


def test_a_child_that_hangs_in_a_call_is_found_within_five_seconds_of_its_last_word():
    async def hang(far: FarEnd) -> tuple[CallRecord, float]:
        async with agent_on(trunk(far.port)) as agent:
            call = asyncio.create_task(agent.place(request(ring_limit_ms=60_000)))
            await asyncio.to_thread(far.wait_for, "INVITE")
            agent._children[0]._process.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            return await call, time.monotonic() - began

    with FarEnd(rings) as far:
        record, took = within(20, hang(far))

    assert (Ending.AGENT_FAILED, "The SIP user agent hung and was killed.") == (record.ending, record.detail)
    assert 2.9 < took < 5.5


def test_an_idle_child_that_hangs_costs_no_call(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "_PING_S", 0.1)

    async def hang(far: FarEnd) -> CallRecord:
        async with agent_on(trunk(far.port)) as agent:
            await agent.open()
            child = agent._children[0]
            child._process.send_signal(signal.SIGSTOP)
            await child.gone()
            return await agent.place(request())

    with FarEnd(refuses) as far:
        assert Ending.REFUSED is within(20, hang(far)).ending


def test_a_parent_that_stood_still_does_not_blame_its_child(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "_PING_S", 0.1)

    async def stand_still(far: FarEnd) -> tuple[bool, CallRecord]:
        async with agent_on(trunk(far.port)) as agent:
            await agent.open()
            child = agent._children[0]
            for _ in range(3):
                time.sleep(1)  # noqa: ASYNC251 - the loop stands still, as when the machine does
                await asyncio.sleep(0.05)
            return child.alive, await agent.place(request())

    with FarEnd(refuses) as far:
        alive, record = within(20, stand_still(far))

    assert (True, Ending.REFUSED) == (alive, record.ending)


def test_no_process_left_for_a_child_is_told_in_words(monkeypatch: pytest.MonkeyPatch):
    def no_process() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(process, "start_process", no_process)

    async def start() -> CallRecord:
        async with agent_on(trunk(9)) as agent:
            return await agent.place(request())

    record = within(10, start())
    words = "The SIP user agent could not be started: Too many open files; raise that limit."
    assert (Ending.AGENT_FAILED, words) == (record.ending, record.detail)
