"""What the tests of the user agent share: call requests, agents that are closed again, far ends, SIPp."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from probe.agent.build import ask_build
from probe.agent.pool import Agent
from probe.call import CallRecord, CallRequest, Direction
from probe.stack import Build
from probe.trunk import Transport, Trunk

_TRIES = 5
SCENARIOS = Path(__file__).parents[1] / "data" / "sipp"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("agent")


def missing(words: str) -> NoReturn:
    """A part of the machine is missing: a failure in CI, a skip elsewhere."""
    if os.environ.get("CI") == "true":
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def build() -> Build:
    """The build of the library that is installed: what it can do decides what is right."""
    return ask_build()


def trunk(port: int | None, host: str = "127.0.0.1", transport: str = "udp", **given: Any) -> Trunk:
    return Trunk(
        name="far",
        host=host,
        port=port,
        transport=Transport(transport),
        **{"lines": 4, "transport_given": True} | given,
    )


def request(callee: str = "+12025550199", **asked: Any) -> CallRequest:
    """A call with limits short enough for a test."""
    limits = {"ring_limit_ms": 3_000, "hold_ms": 300}
    fresh = uuid.uuid4().hex
    given = limits | asked
    return CallRequest(
        id=fresh, plan_key=fresh, trunk="far", caller=given.pop("caller", "+12025550101"), callee=callee, **given
    )


@contextlib.asynccontextmanager
async def agent_on(trunk: Trunk) -> AsyncIterator[Agent]:
    agent = Agent(trunk)
    try:
        yield agent
    finally:
        await agent.close()


def place(trunk: Trunk, **asked: Any) -> CallRecord:
    """Place one call with an agent of its own."""

    async def once() -> CallRecord:
        async with agent_on(trunk) as agent:
            return await agent.place(request(**asked))

    return asyncio.run(once())


def within(seconds: float, work: Coroutine[Any, Any, Any]) -> Any:
    """Run a test's coroutine under a hard limit."""

    async def limited() -> Any:
        async with asyncio.timeout(seconds):
            return await work

    return asyncio.run(limited())


def said(record: CallRecord, direction: Direction | None = None) -> list[str]:
    """The first line of each message, without the version and the URI: `INVITE`, `180 Ringing`."""
    lines = (
        message.raw.split(b"\r\n")[0].decode()
        for message in record.messages
        if direction is None or message.direction is direction
    )
    return [line.removeprefix("SIP/2.0 ") if line.startswith("SIP/2.0 ") else line.split()[0] for line in lines]


def invite_of(record: CallRecord) -> str:
    return record.messages[0].raw.decode()


def headers_of(raw: str, name: str) -> list[str]:
    lines = raw.partition("\r\n\r\n")[0].split("\r\n")[1:]
    return [line.partition(":")[2].strip() for line in lines if line.partition(":")[0].lower() == name.lower()]


@dataclass(frozen=True)
class Sipp:
    """A SIPp that plays one scenario file. It ends with 0 only if every call went as the file says."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    def ended_well(self, seconds: float = 15) -> bool:
        code = self.process.wait(seconds)
        said = "".join(log.read_text(errors="replace") for log in self.folder.glob("*errors.log"))
        assert code in {0, 1}, said  # 1: a call did not go as written
        return code == 0


@pytest.fixture
def sipp(tmp_path: Path) -> Iterator[Callable[..., Sipp]]:
    with sipp_in(tmp_path) as start:
        yield start


@contextlib.contextmanager
def sipp_in(folder: Path) -> Iterator[Callable[..., Sipp]]:
    """Give what starts a SIPp that plays a scenario; they write into `folder`, and all are ended in the end."""
    program = shutil.which("sipp")
    if program is None:
        missing("SIPp is not installed; on Debian: apt-get install sip-tester")
    running: list[subprocess.Popen[bytes]] = []

    def start(scenario: str, *, calls: int = 1, options: Sequence[str] = ()) -> Sipp:
        for _ in range(_TRIES):
            port, media = _free_port(), _free_port()
            command = [program, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", "127.0.0.1", "-p", str(port)]
            # No keyboard, no control port that others may hold; its own ports for RTP.
            command += ["-m", str(calls), "-nostdin", "-cp", str(_free_port()), "-mp", str(media)]
            process = subprocess.Popen(
                [*command, "-trace_err", "-timeout", "25", *options],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            running.append(process)
            if _is_bound(process, {port, media, media + 2}):  # the last is for video
                return Sipp(process, port, folder)
        pytest.fail(f"SIPp found no free ports, {_TRIES} times")

    try:
        yield start
    finally:
        for process in running:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_bound(process: subprocess.Popen[bytes], ports: Collection[int]) -> bool:
    """Wait until SIPp has its ports; False says that it has ended, for somebody else was sooner with one of them."""
    wanted = [f"0100007F:{port:04X}" for port in ports]
    for _ in range(500):
        bound = Path("/proc/net/udp").read_text(encoding="ascii")
        if process.poll() is not None:
            return False
        if all(port in bound for port in wanted):
            return True
        time.sleep(0.01)
    pytest.fail(f"SIPp did not listen on the ports {sorted(ports)}")
