"""The side that strangers see: where a child listens, what it answers them, and that they cost no call in progress."""

import asyncio
import contextlib
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from agent.conftest import SCENARIOS, agent_on, missing, request, said, trunk, within
from agent.far_end import FarEnd, reply

from probe.agent.pool import Agent
from probe.call import CallRecord, Ending
from probe.judged import judge_call
from probe.sip import Request
from probe.stack import Build
from probe.verdict import Disposition

needs_proc = pytest.mark.skipif(not Path("/proc/net/udp").exists(), reason="reads Linux's tables of sockets")
LISTENING, UNCONNECTED = "0A", "07"
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}


def stranger(method: str, target: str, *headers: str, to: str = "", number: int = 1, body: str = "") -> bytes:
    lines = (
        f"{method} sip:probe@{target} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK-{method}-{number}",
        "Max-Forwards: 70",
        f"From: <sip:+12025550166@127.0.0.1>;tag={method}{number}",
        f"To: <sip:probe@{target}>{to}",
        f"Call-ID: stranger-{method}-{number}",
        f"CSeq: {number} {method}",
        "Contact: <sip:stranger@127.0.0.1:9>",
        *headers,
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", body]).encode()


def child_address(agent: Agent) -> tuple[str, int]:
    ready = agent._children[0].ready
    assert ready is not None
    host, _, port = ready.local.rpartition(":")
    return host.strip("[]"), int(port)


def ask(agent: Agent, *requests: bytes) -> list[str]:
    """Send as a stranger; give the status lines that came before the answer to a last OPTIONS."""
    host, port = child_address(agent)
    heard = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
        outside.settimeout(0.5)
        for message in requests:
            outside.sendto(message, (host, port))
        for _ in range(10):  # in a flood not every one is answered
            outside.sendto(stranger("OPTIONS", f"{host}:{port}", number=99), (host, port))
            with contextlib.suppress(TimeoutError):
                while b"CSeq: 99 OPTIONS" not in (raw := outside.recv(65_535)):
                    heard.append(raw.split(b"\r\n")[0].decode())
                return heard
    raise AssertionError("the child does not answer")


def rings_for_ever(asked: Request) -> Iterator[bytes]:
    if asked.method == "INVITE":
        yield reply(asked, "180 Ringing")
    elif asked.method == "CANCEL":
        yield reply(asked, "200 OK")
        yield reply(asked, "487 Request Terminated").replace(b"CANCEL", b"INVITE")


def in_a_call(work: Callable[[Agent], object]) -> tuple[object, CallRecord]:
    """Do something with an agent while a call rings; give what came of it, and the call."""

    async def ring(far: FarEnd) -> tuple[object, CallRecord]:
        async with agent_on(trunk(far.port)) as agent:
            call = asyncio.create_task(agent.place(request(ring_limit_ms=1_000)))
            await asyncio.to_thread(far.wait_for, "INVITE")
            return await asyncio.to_thread(work, agent), await call

    with FarEnd(rings_for_ever) as far:
        found: tuple[object, CallRecord] = within(20, ring(far))
    return found


OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
ANSWERS = (
    (("INVITE", ("Content-Type: application/sdp",), "", OFFER), ["SIP/2.0 403 Forbidden"]),
    (("INVITE", (), "", ""), ["SIP/2.0 403 Forbidden"]),
    (("REFER", ("Refer-To: <sip:+12025550177@127.0.0.1:9>",), "", ""), ["SIP/2.0 403 Forbidden"]),
    (("SUBSCRIBE", ("Event: presence", "Expires: 60"), "", ""), ["SIP/2.0 403 Forbidden"]),
    (("MESSAGE", ("Content-Type: text/plain",), "", "hello"), ["SIP/2.0 403 Forbidden"]),
    (("NOTIFY", ("Event: message-summary", "Subscription-State: active"), "", ""), ["SIP/2.0 403 Forbidden"]),
    (("REGISTER", (), "", ""), ["SIP/2.0 403 Forbidden"]),
    (("UNHEARD-OF", (), "", ""), ["SIP/2.0 403 Forbidden"]),
    (("OPTIONS", (), "", ""), ["SIP/2.0 200 OK"]),
    # What claims to belong to a call of which we know nothing (RFC 3261 s12.2.2).
    (("BYE", (), ";tag=guessed", ""), ["SIP/2.0 481 Call/Transaction Does Not Exist"]),
    (("INVITE", (), ";tag=guessed", ""), ["SIP/2.0 481 Call/Transaction Does Not Exist"]),
    (("CANCEL", (), "", ""), ["SIP/2.0 481 Call/Transaction Does Not Exist"]),
    (("ACK", (), "", ""), []),
    (("ACK", (), ";tag=guessed", ""), []),
)


def test_what_strangers_ask_is_answered_and_dropped():
    def all_of_them(agent: Agent) -> list[tuple[str, list[str]]]:
        local = "{}:{}".format(*child_address(agent))
        return [
            (method, ask(agent, stranger(method, local, *headers, to=tag, number=number, body=body)))
            for number, ((method, headers, tag, body), _) in enumerate(ANSWERS)
        ]

    heard, record = in_a_call(all_of_them)

    assert [(asked[0], answers) for asked, answers in ANSWERS] == heard
    assert Ending.RING_LIMIT is record.ending
    assert ["INVITE", "180 Ringing", "CANCEL", "200 OK", "487 Request Terminated", "ACK"] == said(record)


def test_what_is_no_sip_is_dropped_without_a_word():
    noise = (b"", b"\r\n\r\n", b"\0" * 900, b"GET / HTTP/1.0\r\n\r\n", b"INVITE sip:x SIP/2.0\r\n\r\n", b"\xff" * 1400)

    heard, record = in_a_call(lambda agent: ask(agent, *noise))

    assert [] == heard
    assert Ending.RING_LIMIT is record.ending
    assert ["INVITE", "180 Ringing", "CANCEL", "200 OK", "487 Request Terminated", "ACK"] == said(record)


def test_strangers_who_call_take_no_line_from_us(build: Build):
    """An INVITE that became a call would take one of the few that the library holds, and two of its handles."""

    def call_us(agent: Agent) -> int:
        local = "{}:{}".format(*child_address(agent))
        many = (stranger("INVITE", local, number=number) for number in range(100, 250))
        return len(ask(agent, *many))

    async def full(far: FarEnd) -> tuple[list[CallRecord], set[int]]:
        lines = min(build.limits.calls, 8)
        async with agent_on(trunk(far.port, lines=lines)) as agent:
            await agent.open()
            assert (
                0 < await asyncio.to_thread(call_us, agent) <= 200
            )  # it answers a hundred a second, and drops the rest
            calls = [asyncio.create_task(agent.place(request(ring_limit_ms=1_500))) for _ in range(lines)]
            await asyncio.to_thread(far.wait_for, "INVITE", count=lines)
            await asyncio.to_thread(call_us, agent)
            return list(await asyncio.gather(*calls)), {child._process.pid for child in agent._children}

    with FarEnd(rings_for_ever) as far:
        records, pids = within(20, full(far))

    assert {(Ending.RING_LIMIT, None)} == {(record.ending, record.detail) for record in records}
    assert 1 == len(pids)


# Where it listens.


def sockets_of(pid: int) -> dict[str, set[str]]:
    """The local addresses, as the kernel writes them, of a process's sockets that anybody may send to."""
    links = (str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    found = {}
    for table, state in (("udp", UNCONNECTED), ("udp6", UNCONNECTED), ("tcp", LISTENING), ("tcp6", LISTENING)):
        rows = (line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:])
        found[table] = {row[1].partition(":")[0] for row in rows if row[9] in inodes and row[3] == state}
    return found


@needs_proc
@pytest.mark.skipif(os.geteuid() != 0, reason="a child shows its files to root only")
@pytest.mark.parametrize(
    ("host", "transport", "tables"),
    [("127.0.0.1", "udp", {"udp"}), ("127.0.0.1", "tcp", {"udp", "tcp"}), ("::1", "udp", {"udp", "udp6"})],
)
def test_a_child_is_bound_to_the_address_that_faces_the_trunk_and_to_no_other(host, transport, tables):
    async def look(far: FarEnd) -> dict[str, set[str]]:
        async with agent_on(trunk(far.port, host, transport)) as agent:
            call = asyncio.create_task(agent.place(request(ring_limit_ms=500)))
            await asyncio.to_thread(far.wait_for, "INVITE")  # which offers RTP
            found = sockets_of(agent._children[0]._process.pid)
            await call
            return found

    with FarEnd(rings_for_ever, transport, host=host) as far:
        found = within(20, look(far))

    assert tables == {table for table, addresses in found.items() if addresses}
    assert LOOPBACK >= set().union(*found.values())


# A flood.


def flood(agent: Agent, calls: int, folder: Path) -> "subprocess.Popen[bytes]":
    """Send six requests a call, each of another kind, 2,000 a second."""
    program = shutil.which("sipp")
    if program is None:
        missing("SIPp is not installed; on Debian: apt-get install sip-tester")
    target = "{}:{}".format(*child_address(agent))
    command = [program, target, "-sf", str(SCENARIOS / "flood.xml"), "-i", "127.0.0.1", "-nostdin"]
    return subprocess.Popen(
        [*command, "-r", "334", "-m", str(calls)], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


BY_CALLEE = {"0": "603 Decline", "1": "486 Busy Here", "2": "404 Not Found", "3": "503 Service Unavailable"}


def by_callee(asked: Request) -> Iterator[bytes]:
    if asked.method == "INVITE":
        yield reply(asked, BY_CALLEE[asked.uri.partition("@")[0][-1]])


@pytest.mark.sipp
def test_a_flood_from_outside_changes_no_verdict(tmp_path: Path):
    async def verdicts(agent: Agent) -> list[Disposition]:
        callees = [f"+1202555019{number % 4}" for number in range(24)]
        records = await asyncio.gather(*(agent.place(request(callee)) for callee in callees))
        assert not [message for record in records for message in record.messages if b"stranger" in message.raw]
        return [judge_call(record).verdict.disposition for record in records]

    async def both(far: FarEnd) -> tuple[list[Disposition], list[Disposition], set[int], int]:
        async with agent_on(trunk(far.port, lines=4)) as agent:
            quiet = await verdicts(agent)
            pids = {child._process.pid for child in agent._children}
            storm = flood(agent, 500, tmp_path)
            loud = []
            while storm.poll() is None:
                loud += await verdicts(agent)
            return quiet, loud, pids ^ {child._process.pid for child in agent._children}, storm.returncode

    with FarEnd(by_callee) as far:
        quiet, loud, changed, code = within(60, both(far))

    assert 4 == len(set(quiet))
    assert quiet * (len(loud) // len(quiet)) == loud
    assert len(loud) >= len(quiet)
    assert (set(), 0) == (changed, code)


# What is left behind.


def test_no_process_of_ours_leaves_a_core():
    """Neither a file, nor what the kernel hands to a program that collects cores; children say it for themselves."""
    before = resource.getrlimit(resource.RLIMIT_CORE)

    async def child_limits() -> str:
        async with agent_on(trunk(9)) as agent:
            await agent.open()
            return await asyncio.to_thread(Path(f"/proc/{agent._children[0]._process.pid}/limits").read_text)

    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))  # what a child would inherit
    try:
        told = within(20, child_limits())
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    (line,) = (line for line in told.splitlines() if "core file" in line)
    assert ["0", "0"] == line.split()[4:6]
    ask_both = (
        "import ctypes, resource, sys; import probe.__main__ as main; sys.argv = ['probe', '--version']\n"
        "try: main.main()\n"
        "except SystemExit: print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", ask_both], capture_output=True, text=True, check=True)
    assert "(0, 0) 0" == done.stdout.splitlines()[-1]
