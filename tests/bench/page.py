"""A store of 1,000 caller IDs, 20 networks and BENCH_CALLS calls in; how long `probe report` takes, and its size, out.

Both beside `probe standing --json`: the same standings and signals, without a page.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from probe.store import open_store
from tests.bench.figure import Figure
from tests.bench.standing_speed import CALLS, fill

RUNS = 3
PROBE = [sys.executable, "-m", "probe"]


def measure() -> Iterator[Figure]:
    """Fill a store of its own and measure on it."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'page.db'}"
        store = open_store(url)
        fill(store)
        store.rebuild_all(lambda _what, _done, _total: None)
        store.close()
        yield from measure_on(url, Path(folder) / "page.html")


def measure_on(url: str, page: Path) -> Iterator[Figure]:
    """Measure on a store that is there and up to date."""
    size = f"1,000 x 20, {CALLS / 1e6:g} million calls"
    documents: list[bytes] = []
    beside_s = _median_s([*PROBE, "standing", "--json", "--store", url], documents)
    seconds = _median_s([*PROBE, "report", "-o", str(page), "--store", url], [])
    yield Figure(
        what=f"probe report, {size}",
        value=seconds,
        unit="s",
        beside="probe standing --json",
        other=beside_s,
        wanted="at most 5 s",
    )
    yield Figure(
        what=f"the page, {size}",
        value=page.stat().st_size / 1e6,
        unit="MB",
        beside="probe standing --json",
        other=len(documents[0]) / 1e6,
        wanted="at most 5 MB",
    )


def _median_s(command: list[str], out: list[bytes]) -> float:
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        out.append(subprocess.run(command, check=True, capture_output=True).stdout)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
