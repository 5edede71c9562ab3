"""The carrier simulator, dialled by the user agent as a user would."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agent.conftest import agent_on, place, request, said, trunk, within
from sim.conftest import simulator

from probe.call import CallRecord, Ending
from probe.judged import judge_call
from probe.sim import ANALYTICS, NUMBERS, ORDINARY

ORDINARY_NUMBER = "+12025550190"
FOR_EVER = "+12025550194"
SILENT_NUMBER = "+12025550195"


def test_every_number_reads_as_its_table_says():
    """All of them at once over eight lines; ringing for ever is cut short by our own ring limit."""

    async def dial(port: int) -> dict[str, str]:
        limits = {FOR_EVER: 4_500, SILENT_NUMBER: 4_500}
        calls = [request(callee, ring_limit_ms=limits.get(callee, 20_000), hold_ms=3_000) for callee in NUMBERS]
        calls += [request(ORDINARY_NUMBER, caller=caller, ring_limit_ms=20_000) for caller in ANALYTICS]
        async with agent_on(trunk(port, lines=8)) as agent:
            records = await asyncio.gather(*(agent.place(call) for call in calls))
        return {_key(record): judge_call(record).verdict.disposition for record in records}

    with simulator() as (_, port):
        found = within(60, dial(port))

    expected = {f"to {callee}": script.reads_as for callee, script in NUMBERS.items()}
    expected |= {f"from {caller}": script.reads_as for caller, script in ANALYTICS.items()}
    assert expected == found


def _key(record: CallRecord) -> str:
    asked = record.request
    return f"from {asked.caller}" if asked.caller in ANALYTICS else f"to {asked.callee}"


def test_any_other_number_rings_and_answers():
    with simulator() as (_, port):
        record = place(trunk(port), callee="+12025550200")

    assert ORDINARY.reads_as == judge_call(record).verdict.disposition
    assert ["INVITE", "100 Trying", "180 Ringing", "PRACK", "200 OK", "200 OK", "ACK", "BYE", "200 OK"] == said(record)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_silent_number_says_nothing_at_all(transport: str):
    with simulator() as (_, port):
        record = place(trunk(port, transport=transport), callee=SILENT_NUMBER, ring_limit_ms=600)

    assert (Ending.NO_RESPONSE, {"INVITE"}) == (record.ending, set(said(record)))


def test_it_speaks_tcp_too():
    with simulator() as (_, port):
        record = place(trunk(port, transport="tcp"), callee="+12025550193", hold_ms=4_000)

    assert ["BYE", "200 OK"] == said(record)[-2:]
    assert "subscriber_blocked" == judge_call(record).verdict.disposition


def test_it_speaks_ipv6():
    with simulator("--bind", "::1") as (_, port):
        record = place(trunk(port, "::1"), callee="+12025550120")

    assert "analytics_blocked" == judge_call(record).verdict.disposition


def test_it_holds_more_calls_at_once_than_one_process_of_the_library():
    async def nine(port: int) -> list[CallRecord]:
        async with agent_on(trunk(port, lines=9)) as agent:
            calls = (agent.place(request(ORDINARY_NUMBER, hold_ms=2_500, ring_limit_ms=8_000)) for _ in range(9))
            return list(await asyncio.gather(*calls))

    with simulator() as (_, port):
        records = within(30, nine(port))

    assert [Ending.ANSWERED] * 9 == [record.ending for record in records]
    answered = max(record.started_at for record in records)
    assert all(answered < record.ended_at for record in records)


def test_it_stops_after_the_calls_that_it_was_given_and_leaves_no_worker():
    with simulator("--calls", "2") as (process, port):
        workers = _children(process)
        first = place(trunk(port), callee="+12025550180")
        assert process.poll() is None
        second = place(trunk(port), callee="+12025550181")

        assert 0 == process.wait(3)

    assert (["486 Busy Here", "ACK"], ["480 Temporarily Unavailable", "ACK"]) == (said(first)[-2:], said(second)[-2:])
    assert workers
    _assert_gone(workers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_stops_it_and_its_workers(number: signal.Signals):
    with simulator() as (process, _):
        workers = _children(process)
        process.send_signal(number)

        assert (-number if number == signal.SIGKILL else 0) == process.wait(3)

    assert workers
    _assert_gone(workers)


def test_a_port_that_is_taken_is_told_in_a_sentence():
    with simulator() as (_, port):
        command = [sys.executable, "-m", "probe", "sim", "--port", str(port)]
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)

    assert 2 == second.returncode
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in second.stderr


def _children(process: "subprocess.Popen[bytes]") -> list[int]:
    tasks = Path(f"/proc/{process.pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _assert_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}/exe").exists() for pid in pids):
        time.sleep(0.01)
    assert [] == [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()]
