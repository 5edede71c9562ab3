"""What the daemon costs while there is nothing to ring: its share of a core, and its memory without children."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure

SECONDS = 20.0
SETTLED_S = 5.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SCENARIO = """
trunk: {name: far, uri: "sip:127.0.0.1:9"}
callers: [{number: +12025550101}]
destinations: [{number: +12025550190, network: verizon, consent: never rung}]
limits: none
schedule: {cron: "0 0 1 1 *", timezone: America/New_York}
webhook: {url: "http://127.0.0.1:9/", secret: "${HOOK_SECRET}", events: [round.completed]}
"""
SECRET = "whsec_" + "A" * 44


def measure() -> Iterator[Figure]:
    nothing = [sys.executable, "-c", f"import time; time.sleep({SETTLED_S + SECONDS + 5})"]
    bare_share, bare_mb = cost(nothing)
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "idle.yaml"
        scenario.write_text(SCENARIO)
        store = f"sqlite:///{Path(folder) / 'probe.db'}"
        share, mb = cost(
            [sys.executable, "-m", "probe", "run", str(scenario), "--http", "127.0.0.1:0", "--store", store]
        )
    yield Figure(
        what=f"the daemon idle for {SECONDS:.0f} s: share of a core",
        value=share,
        unit="%",
        beside="python -c, asleep",
        other=max(bare_share, 100 / TICKS_PER_SECOND / SECONDS),  # the kernel counts no finer
        wanted="at most 1 %",
    )
    yield Figure(
        what="the daemon idle: memory without children",
        value=mb,
        unit="MB",
        beside="python -c, asleep",
        other=bare_mb,
        wanted="at most 150 MB",
    )


def cost(command: list[str]) -> tuple[float, float]:
    """Run a command; give its share of a core in percent and its memory in MB, once it has settled."""
    environment = os.environ | {"HOOK_SECRET": SECRET}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        time.sleep(SETTLED_S)
        before = cpu_s(process.pid)
        time.sleep(SECONDS)
        share = (cpu_s(process.pid) - before) / SECONDS * 100
        mb = resident_mb(process.pid)
        process.send_signal(signal.SIGTERM)
    return share, mb


def cpu_s(pid: int) -> float:
    """Read the time that a process has had, user and system (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / TICKS_PER_SECOND


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1000
