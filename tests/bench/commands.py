"""How long commands take from outside: to print, and to put an INVITE on the wire."""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure

RUNS = 15
PROBE = [sys.executable, "-m", "probe"]
REFUSED = b"SIP/2.0 603 Decline"
COPIED = (b"via:", b"from:", b"to:", b"call-id:", b"cseq:")


def measure() -> Iterator[Figure]:
    bare = median_ms([sys.executable, "-c", "pass"])
    for name, command, wanted in (
        ("probe --help", [*PROBE, "--help"], "at most 150 ms"),
        ("probe explain 603", [*PROBE, "explain", "603"], ""),
    ):
        yield Figure(what=name, value=median_ms(command), unit="ms", beside="python -c pass", other=bare, wanted=wanted)
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{Path(folder) / 'probe.db'}"
        first = invite_ms(store)
        later = statistics.median(invite_ms(store) for _ in range(RUNS))
    yield Figure(
        what="probe call, to the INVITE on the wire, first of a store",
        value=first,
        unit="ms",
        beside="python -c pass",
        other=bare,
        wanted="(one run)",
    )
    yield Figure(
        what="probe call, to the INVITE on the wire, each later one",
        value=later,
        unit="ms",
        beside="python -c pass",
        other=bare,
        wanted="at most 1,000 ms, aim 500",
    )


def median_ms(command: list[str]) -> float:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)  # the first run fills the caches
    return statistics.median(timed_ms(command) for _ in range(RUNS))


def timed_ms(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1000


def invite_ms(store: str) -> float:
    """Be the trunk: a socket that waits for the INVITE and refuses it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trunk:
        trunk.bind(("127.0.0.1", 0))
        trunk.settimeout(20)
        command = [*PROBE, "call", "+12025550190", "--from", "+12025550101", "--consent", "a socket of the benchmark"]
        command += ["--trunk-uri", f"sip:127.0.0.1:{trunk.getsockname()[1]}"]
        command += ["--store", store]
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            invite, peer = trunk.recvfrom(65_535)
            took = (time.perf_counter() - began) * 1000
            trunk.sendto(refusal(invite), peer)
            process.wait()
    return took


def refusal(invite: bytes) -> bytes:
    lines = [line for line in invite.split(b"\r\n\r\n")[0].split(b"\r\n") if line.lower().startswith(COPIED)]
    return b"\r\n".join([REFUSED, *lines, b"Content-Length: 0", b"", b""])
