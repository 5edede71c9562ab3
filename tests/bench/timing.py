"""Calls and a capture of them in, out: how far the times we report are from the times of the packets.

Needs tcpdump and the right to capture on the loopback interface.
"""

import asyncio
import contextlib
import json
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.agent.pool import Agent
from probe.call import CallRecord, CallRequest
from probe.trunk import Trunk
from tests.bench.figure import Figure

_CALLS = 100
_LINES = 4
_RINGS_THEN_REFUSES = "+12025550122"
_CAPTURED_S = 0.5  # for the capture to be handed over
_HEADERS = 14 + 20 + 8  # Ethernet, IPv4 without options, UDP: what stands before the SIP message


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """The difference between a message's `at_ms` and its packet's, in milliseconds."""

    messages: int
    median_ms: float
    p99_ms: float


def measure_timing(calls: int = _CALLS) -> Accuracy:
    """Place calls to the simulator under tcpdump and compare message by message, counted from each INVITE."""
    with _simulator() as port:
        return compare(port, lambda: asyncio.run(_place(port, calls)))


def compare(port: int, place: Callable[[], Sequence[CallRecord]]) -> Accuracy:
    """Place calls to a port under tcpdump and compare message by message, counted from each INVITE."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "lo.pcap"
        records = _captured(capture, port, place)
        sent_at = {payload: at for at, payload in _packets(capture.read_bytes())}
    differences = sorted(_differences(records, sent_at))
    p99 = differences[min(len(differences) - 1, len(differences) * 99 // 100)]
    return Accuracy(messages=len(differences), median_ms=statistics.median(differences), p99_ms=p99)


@contextlib.contextmanager
def _simulator() -> Iterator[int]:
    simulator = subprocess.Popen(
        [sys.executable, "-m", "probe", "sim", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    )
    assert simulator.stdout is not None
    try:
        yield int(json.loads(simulator.stdout.readline())["listening"].rpartition(":")[2])
    finally:
        simulator.terminate()
        simulator.communicate()


def _captured(capture: Path, port: int, place: Callable[[], Sequence[CallRecord]]) -> Sequence[CallRecord]:
    sniffer = subprocess.Popen(
        ["tcpdump", "-i", "lo", "-s", "0", "-B", "65536", "-w", str(capture), "udp", "port", str(port)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert sniffer.stderr is not None
    try:
        sniffer.stderr.readline()  # "listening on lo"
        records = place()
        time.sleep(_CAPTURED_S)
        return records
    finally:
        sniffer.terminate()
        sniffer.communicate()


async def _place(port: int, calls: int) -> list[CallRecord]:
    agent = Agent(Trunk(name="sim", host="127.0.0.1", port=port, lines=_LINES))
    try:
        return list(await asyncio.gather(*(agent.place(_request()) for _ in range(calls))))
    finally:
        await agent.close()


def _request() -> CallRequest:
    fresh = uuid.uuid4().hex
    return CallRequest(id=fresh, plan_key=fresh, trunk="sim", caller="+12025550101", callee=_RINGS_THEN_REFUSES)


def _packets(capture: bytes) -> Iterator[tuple[float, bytes]]:
    """Read a capture as tcpdump writes it: little-endian, microseconds, Ethernet (pcap-savefile(5))."""
    offset = 24
    while offset < len(capture):
        seconds, micros, length, _ = struct.unpack_from("<IIII", capture, offset)
        offset += 16
        yield seconds * 1000 + micros / 1000, capture[offset + _HEADERS : offset + length]
        offset += length


def _differences(records: Sequence[CallRecord], sent_at: dict[bytes, float]) -> Iterator[float]:
    for record in records:
        zero = sent_at.get(record.messages[0].raw)
        for message in record.messages[1:]:
            at = sent_at.get(message.raw)
            if zero is not None and at is not None:
                yield abs(message.at_ms - (at - zero))


def measure() -> Iterator[Figure]:
    """Give the median and the 99th percentile, beside the whole millisecond in which times are told."""
    accuracy = measure_timing()
    for what, value, wanted in (
        ("reported time against the packet's, median", accuracy.median_ms, "within 5 ms"),
        ("reported time against the packet's, 99th percentile", accuracy.p99_ms, ""),
    ):
        yield Figure(what=what, value=value, unit="ms", beside="the unit of our JSON", other=1.0, wanted=wanted)
