"""A parent that stands still (Ctrl-Z, a log that nobody reads, a machine without memory) leaves no phone ringing."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from agent.conftest import agent_on, request, said, trunk, within
from agent.far_end import FarEnd, answer, reply

from probe.agent import process
from probe.call import CallRecord, Ending
from probe.judged import judge_call
from probe.sip import Request
from probe.verdict import Disposition

IMPATIENT = "from probe.agent import child; child._ALONE_S = 1.5; child.main()"  # in place of ten seconds
PATIENT = {"ring_limit_ms": 60_000, "hold_ms": 60_000}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a child wait for a shorter time than it does."""

    def start() -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", IMPATIENT], stdin=pipe, stdout=pipe, stderr=pipe)

    monkeypatch.setattr(process, "start_process", start)


def ends(asked: Request) -> Iterator[bytes]:
    if asked.method == "CANCEL":
        yield reply(asked, "200 OK")
        yield reply(asked, "487 Request Terminated").replace(b"CANCEL", b"INVITE")
    elif asked.method == "BYE":
        yield reply(asked, "200 OK")


def rings(asked: Request) -> Iterator[bytes]:
    yield from ends(asked)
    if asked.method == "INVITE":
        yield reply(asked, "180 Ringing")


def rings_loudly(asked: Request) -> Iterator[bytes]:
    """Says more than the pipe to the parent takes."""
    yield from ends(asked)
    if asked.method == "INVITE":
        yield reply(asked, "180 Ringing")
        time.sleep(0.5)  # until the parent stands still
        for _ in range(60):
            time.sleep(0.002)
            yield reply(asked, "180 Ringing", "X-Pad: " + "a" * 3_000)


def call_and_stand_still(far: FarEnd, heard: str, *, of: str) -> tuple[CallRecord, CallRecord]:
    """Stand still in a call until the far end has heard of its end; go on, and place another."""

    async def stand_still() -> tuple[CallRecord, CallRecord]:
        async with agent_on(trunk(far.port)) as agent:
            call = asyncio.create_task(agent.place(request(**PATIENT)))
            await asyncio.to_thread(far.wait_for, of)
            await asyncio.sleep(0.3)  # what was on its way is heard
            far.wait_for(heard, 8)  # the loop stands still meanwhile, as when the process is stopped
            time.sleep(0.2)  # noqa: ASYNC251 - the loop stands still
            pids = {child._process.pid for child in agent._children}
            first = await call
            second = await agent.place(request(ring_limit_ms=300, hold_ms=0))
            assert pids == {child._process.pid for child in agent._children}
            return first, second

    records: tuple[CallRecord, CallRecord] = within(20, stand_still())
    return records


@pytest.mark.parametrize("script", [rings, rings_loudly])
def test_what_rings_is_cancelled_by_the_child_itself(script):
    with FarEnd(script) as far:
        record, after = call_and_stand_still(far, "CANCEL", of="INVITE")

    assert (Ending.STOPPED, "probe stood still, so its user agent hung up") == (record.ending, record.detail)
    assert Disposition.INCONCLUSIVE == judge_call(record).verdict.disposition
    assert "CANCEL" in said(record)
    assert Ending.RING_LIMIT == after.ending


def test_what_is_answered_is_ended_by_the_child_itself():
    def answers(asked: Request) -> Iterator[bytes]:
        yield from ends(asked)
        if asked.method == "INVITE":
            yield answer(asked, far.port)

    with FarEnd(answers) as far:
        record, after = call_and_stand_still(far, "BYE", of="ACK")

    assert (Ending.ANSWERED, ["INVITE", "200 OK", "ACK", "BYE", "200 OK"]) == (record.ending, said(record))
    assert record.messages[3].at_ms < 8_000
    assert Ending.ANSWERED == after.ending


def test_a_parent_that_is_heard_decides_for_itself():
    """The child hears its pings, however long the call."""
    with FarEnd(rings) as far:

        async def wait() -> CallRecord:
            async with agent_on(trunk(far.port)) as agent:
                return await agent.place(request(ring_limit_ms=3_000))

        record = within(15, wait())

    assert Ending.RING_LIMIT == record.ending
    assert record.messages[-1].at_ms > 2_900
