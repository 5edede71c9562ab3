"""A million calls of others: how long until they stand in the store, and until they are added up."""

import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from probe.store import open_store
from tests.bench.figure import Figure

ROWS = 1_000_000
CALLERS, NETWORKS, CAMPAIGNS, DAYS = 1_000, 20, 12, 60
START = datetime(2026, 1, 5, tzinfo=UTC)
COLUMNS = (
    *("started_at", "caller", "callee", "network", "campaign", "sip_call_id"),
    *("status", "phrase", "reason", "alerting_ms", "final_ms", "talk_ms"),
)
NOTICE = 'SIP;cause=603;text="v=analytics1;url=https://redress{}.example.com/r;id=blk-{:08x}";location=RLN'
# Of each hundred calls so many: status, phrase, Reason, whether it rings, and the most milliseconds until it ends.
OUTCOMES = (
    (38, 200, "OK", "", 1.0, 24_000),
    (25, 487, "Request Terminated", "", 1.0, 25_400),
    (11, 480, "Temporarily Unavailable", "Q.850;cause=19", 0.5, 20_000),
    (6, 486, "Busy Here", 'Q.850;cause=17;text="User busy"', 0.0, 3_000),
    (6, 404, "Not Found", "Q.850;cause=1", 0.0, 900),
    (4, 503, "Service Unavailable", "", 0.0, 5_000),
    (4, 603, "Decline", "", 0.6, 9_000),
    (3, 603, "Network Blocked", NOTICE, 0.0, 600),
    (3, 608, "Rejected", "", 0.0, 600),
)


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        for kind, write, read in (("JSON Lines", write_json, read_json), ("CSV", write_csv, read_csv)):
            file = Path(folder) / f"calls.{kind[0]}"
            write(file, rows(ROWS))
            yield from measured(kind, file, seconds(lambda file=file, read=read: read(file)))


def measured(kind: str, file: Path, alone: float) -> Iterator[Figure]:
    """Import a file into a store of its own, then add up; a daemon's lease keeps the command from adding up itself."""
    url = f"sqlite:///{file}.db"
    store = open_store(url)
    store.hold("bench", datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1))
    command = [sys.executable, "-m", "probe", "import", str(file), "--store", url]
    imported = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    beside = f"reading the same {kind} alone"
    yield Figure(
        what=f"{ROWS:,} rows of {kind} imported",
        value=imported,
        unit="s",
        beside=beside,
        other=alone,
        wanted="at most 60 s",
    )
    added_up = seconds(store.make_current)
    store.close()
    yield Figure(
        what=f"the same, added up for {CALLERS:,} caller IDs",
        value=imported + added_up,
        unit="s",
        beside=beside,
        other=alone,
        wanted="",
    )


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rows(count: int) -> Iterator[dict[str, object]]:
    """Calls as a dialer writes them down: times, destinations and Call-IDs all differ, much else repeats."""
    dice = random.Random(7)
    weights = [outcome[0] for outcome in OUTCOMES]
    for number in range(count):
        _, status, phrase, reason, rings, longest = dice.choices(OUTCOMES, weights)[0]
        final_ms = dice.randrange(60, longest)
        row: dict[str, object] = {
            "started_at": f"{START + timedelta(days=DAYS) * number / count:%Y-%m-%dT%H:%M:%S.%f}Z",
            "caller": f"+1202555{dice.randrange(CALLERS):04}",
            "callee": f"+1303{dice.randrange(2_000_000, 9_999_999):07}",
            "network": f"network-{dice.randrange(NETWORKS):02}",
            "campaign": f"campaign-{dice.randrange(CAMPAIGNS)}",
            "sip_call_id": f"{dice.getrandbits(128):032x}@dialer.example.com",
            "status": status,
            "phrase": phrase,
            "final_ms": final_ms,
        }
        if reason:
            row["reason"] = reason.format(dice.randrange(3), dice.getrandbits(32))
        if dice.random() < rings:
            row["alerting_ms"] = dice.randrange(final_ms)
        if status == 200:
            row["talk_ms"] = dice.randrange(500, 300_000)
        yield row


def write_json(file: Path, calls: Iterable[dict[str, object]]) -> None:
    with file.open("w") as out:
        out.writelines(json.dumps(call) + "\n" for call in calls)


def write_csv(file: Path, calls: Iterable[dict[str, object]]) -> None:
    with file.open("w", newline="") as out:
        table = csv.DictWriter(out, COLUMNS)
        table.writeheader()
        table.writerows(calls)


def read_json(file: Path) -> None:
    with file.open("rb") as lines:
        for line in lines:
            json.loads(line)


def read_csv(file: Path) -> None:
    with file.open(newline="") as lines:
        for _ in csv.reader(lines):
            pass
