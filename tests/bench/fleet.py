"""Two workers on one machine with PostgreSQL, woken by jobs and taking planned calls in batches; beside them one
process with SQLite, on the same far end in the same run. Needs SIPp and PostgreSQL.
"""

import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import text

from probe import fleet
from probe.agent.build import ask_build
from probe.call import CallRequest
from probe.store import Store, open_store
from tests import postgres
from tests.bench import native
from tests.bench.figure import Figure
from tests.bench.fleet_worker import SITE, callee

WORKERS = 2
PATIENCE_S = 120
_ENDED = text("SELECT count(*) FILTER (WHERE ending = 'refused'), count(ended_at), max(ended_at) FROM call")


def measure() -> Iterator[Figure]:
    sizes = native.sizes_for(ask_build())
    alone = native._on_the_road("refuse", sizes.calls, sizes.lines)
    yield Figure(
        what="fleet: calls a second, two workers, PostgreSQL",
        value=_calls_per_second(sizes.calls, sizes.lines),
        unit="/s",
        beside="one process with SQLite",
        other=alone.calls / alone.seconds,
        wanted="at least 0.3, aim 1",
    )


def _calls_per_second(calls: int, lines: int) -> float:
    # What is committed is on the disk, as with SQLite; the servers of the tests leave that out.
    with patch.dict(postgres._SETTINGS, fsync="on"), postgres.running() as server, ExitStack() as stack:
        port, url = stack.enter_context(native._far_end("refuse", calls)), server.database()
        store = stack.enter_context(closing(open_store(url)))
        store.plans.prepare(fleet.make_ready)
        for _ in range(WORKERS):
            stack.enter_context(_worker(url, port, lines, calls))
        return calls / _seconds(store, calls)


def _seconds(store: Store, calls: int) -> float:
    """Plan all calls at once, and wait until the last of them has ended."""
    requests, began = list(_requests(calls)), datetime.now(UTC)
    store.plans.plan(requests, began + timedelta(hours=1), fleet.wake)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        refused, ended, last = store.plans.read(lambda connection: connection.execute(_ENDED).one())
        if ended == calls:
            break
        assert time.monotonic() < deadline, f"{ended} of {calls} calls ended"
        time.sleep(0.25)
    assert calls == refused, f"{refused} of {calls} calls were refused"
    return float((last - began).total_seconds())


def _requests(calls: int) -> Iterator[CallRequest]:
    callers = sorted(native.CALLERS)
    for number in range(calls):
        fresh = uuid.uuid4().hex
        yield CallRequest(
            id=fresh,
            plan_key=fresh,
            trunk="far",
            caller=callers[number % len(callers)],
            callee=callee(number),
            scenario="bench",
            site=SITE,
            ring_limit_ms=60_000,
        )


@contextmanager
def _worker(url: str, port: int, lines: int, calls: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.bench.fleet_worker", url, *map(str, (port, lines, calls))]
    with tempfile.NamedTemporaryFile() as log, subprocess.Popen(command, stderr=log) as process:
        try:
            _wait_until_started(Path(log.name))
            yield
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_started(log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while '"started"' not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
