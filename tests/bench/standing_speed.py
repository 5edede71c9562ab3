"""A store of 1,000 caller IDs, 20 networks and BENCH_CALLS calls (5 million) in; how long its standings take, out.

Each call has the message that decided it; of the answered ones, one in twenty has its 180, too. One call in a hundred
is blocked by chance, and 20 caller IDs are on three networks each, for a month or two. A year of working days.
"""

import gc
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from probe.call import CallRecord, CallRequest, Direction, Ending, Message
from probe.health import Observation
from probe.health.signals import attach, find_signals
from probe.judged import JudgedCall, judge_call
from probe.sip import conversation, read_response
from probe.sip.request import read_request
from probe.store import Store, ending, open_store, rows
from probe.store.schema import call, message, opinion
from probe.store.standing import Changes
from tests.bench.figure import Figure

CALLS = int(os.environ.get("BENCH_CALLS", "5000000"))
SIZE = f"1,000 x 20, {CALLS / 1e6:g} million calls"
CALLERS = tuple(f"+1202555{number:04}" for number in range(1_000))
CALLED = tuple((f"+12125550{100 + number}", f"network-{number:02}") for number in range(20))
BLOCKED = {
    (CALLERS[50 * number], f"network-{(number + more) % 20:02}"): (20 * (number % 9), 30 + number)
    for number in range(20)
    for more in range(3)
}
FIRST_DAY, WORKING_DAYS = datetime(2025, 11, 3, 14, 0, tzinfo=UTC), 260
PAGE = 10_000
FINISHES = 2_000
SEED = 4

_HEAD = (
    "SIP/2.0 {status}\r\n"
    "Via: SIP/2.0/UDP 192.0.2.10:5060;rport=5060;received=192.0.2.10;branch=z9hG4bK-{number}\r\n"
    "From: <sip:{caller}@sbc.example.com>;tag=a{number}\r\n"
    "To: <sip:{callee}@sbc.example.com>;tag=b{number}\r\n"
    "Call-ID: {number}-1f6c8b0a@probe.example.net\r\n"
    "CSeq: 1 INVITE\r\n"
    "{more}"
    "Server: SBC 7.2\r\n"
    "Content-Length: 0\r\n\r\n"
)
_NOTICE = 'Reason: SIP;cause=603;text="v=analytics1;url=https://redress.example.com/r;id=blk-{number}";location=RLN\r\n'
_ALLOW = (
    "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, PRACK\r\n"
    "Contact: <sip:192.0.2.20:5060>\r\nSupported: timer, 100rel\r\n"
)


Row = dict[str, Any]
MESSAGE: Row = {
    "direction": "received",
    "transport": "udp",
    "local": "192.0.2.10:5060",
    "remote": "192.0.2.20:5060",
    "cut": False,
}


class Kind:
    """One way in which calls end: how often, by which response, after how long; and what stands of it in the store."""

    def __init__(self, share: int, status: str, more: str, ending: Ending, ms: float) -> None:
        self.share, self.status, self.more, self.ms = share, status, more, ms
        self.judged = judge_call(_sample(status, more, ending, ms))
        request = self.judged.record.request
        written = rows.request_row(request) | rows.ending_row(self.judged)
        self.call = {name: value for name, value in written.items() if value is not None}
        self.opinion = rows.opinion_row(self.judged)


def _raw(status: str, more: str, names: Row) -> bytes:
    return _HEAD.format(status=status, more=more, **names).encode()


def _sample(status: str, more: str, ending: Ending, ms: float) -> CallRecord:
    names = {"number": 0, "caller": CALLERS[0], "callee": CALLED[0][0]}
    heard = Message(
        **MESSAGE | {"direction": Direction.RECEIVED}, at_ms=ms, raw=_raw(status, more.format(**names), names)
    )
    asked = CallRequest(
        id="sample",
        plan_key="sample",
        trunk="carrier-a",
        caller=CALLERS[0],
        callee=CALLED[0][0],
        consent="our own lines",
        scenario="health",
        label="Support main line",
    )
    return CallRecord(request=asked, started_at=FIRST_DAY, ended_at=FIRST_DAY, ending=ending, messages=(heard,))


ANSWERED = Kind(80, "200 OK", _ALLOW, Ending.ANSWERED, 6_000)
STRAY = Kind(1, "603 Network Blocked", _NOTICE, Ending.REFUSED, 400)
KINDS = (
    ANSWERED,
    Kind(10, "486 Busy Here", _ALLOW, Ending.REFUSED, 900),
    Kind(6, "603 Decline", _ALLOW, Ending.REFUSED, 4_000),
    Kind(3, "480 Temporarily Unavailable", _ALLOW, Ending.REFUSED, 1_500),
    STRAY,
)
SHARES = tuple(kind.share for kind in KINDS)


def fill(store: Store) -> None:
    """Write the calls. Indexes are made at the end, which takes a third of the time."""
    chance = random.Random(SEED)
    indexes = sorted(call.indexes | opinion.indexes, key=lambda index: str(index.name))
    with store._database.writing() as connection:
        for index in indexes:
            index.drop(connection)
    for first in range(0, CALLS, PAGE):
        made = [_rows(number, chance) for number in range(first, min(first + PAGE, CALLS))]
        with store._database.writing() as connection:
            connection.execute(insert(call), [asked for asked, _, _ in made])
            connection.execute(insert(message), [one for _, heard, _ in made for one in heard])
            connection.execute(insert(opinion), [held for _, _, held in made])
    for index in indexes:
        with store._database.writing() as connection:
            index.create(connection)


def _rows(number: int, chance: random.Random) -> tuple[Row, list[Row], Row]:
    """Make the rows of a call, of its messages and of the opinion on it."""
    day, part = divmod(number * WORKING_DAYS / CALLS, 1)
    at = FIRST_DAY + timedelta(days=day // 5 * 7 + day % 5, hours=9 * part)
    caller, (callee, network) = chance.choice(CALLERS), chance.choice(CALLED)
    kind = STRAY if _is_blocked(caller, network, day, chance) else chance.choices(KINDS, SHARES)[0]
    ms = round(kind.ms * chance.uniform(0.7, 1.4), 1)
    rings_ms = round(chance.lognormvariate(6.7, 0.3), 1) if kind is ANSWERED and chance.random() < 0.05 else None
    names = {"number": number, "caller": caller, "callee": callee}
    call_id = f"0197f1c2-0000-7000-8000-{number:012}"
    asked = kind.call | {
        "id": call_id,
        "plan_key": f"health {caller} {callee} {at:%Y-%m-%dT%H:%M} {number}",
        "caller": caller,
        "callee": callee,
        "network": network,
        "campaign": f"campaign-{caller[-1]}",
        "lead_source": f"source-{number % 5}",
        "started_at": at,
        "ended_at": at + timedelta(milliseconds=ms),
    }
    said = [] if rings_ms is None else [(rings_ms, "180 Ringing", "")]
    said.append((ms, kind.status, kind.more.format(**names)))
    heard = [
        MESSAGE | {"call_id": call_id, "seq": seq, "at_ms": at_ms, "raw": _raw(status, more, names)}
        for seq, (at_ms, status, more) in enumerate(said)
    ]
    held = kind.opinion | {"call_id": call_id, "alerting_ms": rings_ms, "final_ms": ms}
    if kind is STRAY:
        held["contacts"] = held["contacts"] | {"id": f"blk-{number}"}
    return asked, heard, held


def _is_blocked(caller: str, network: str, day: float, chance: random.Random) -> bool:
    begins, days = BLOCKED.get((caller, network), (0, 0))
    return begins <= day < begins + days and chance.random() < 0.9


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'probe.db'}")
        fill(store)
        yield from _rebuilding(store)
        yield from _standing(store)
        yield from _adding(store)
        store.close()


def _rebuilding(store: Store) -> Iterator[Figure]:
    """Judge and add up all calls, beside judging them one after the other on one core and nothing else."""
    records = [one.judged.record for one in KINDS for _ in range(one.share)] * 20
    started = time.perf_counter()
    for record in records:
        _forget()
        judge_call(record)
    alone_s = (time.perf_counter() - started) / len(records) * CALLS
    with _watching() as megabytes:
        started = time.perf_counter()
        store.rebuild_all(lambda _what, _done, _total: None)
        seconds = time.perf_counter() - started
    yield Figure(
        what=f"full rebuild from the facts, {SIZE}",
        value=seconds,
        unit="s",
        beside="judging alone, on one core",
        other=alone_s,
        wanted="at most 300 s",
    )
    yield Figure(
        what="memory of it, all processes (highest)",
        value=max(megabytes),
        unit="MB",
        beside="before it",
        other=megabytes[0],
        wanted="some 300 MB",
    )


def _forget() -> None:
    """Calls of a store differ; these are a few, and what was just read is remembered."""
    for remembered in (read_response, read_request, conversation._read_once):
        remembered.cache_clear()


@contextmanager
def _watching() -> Iterator[list[float]]:
    """Give the memory of this process and its children, in MB, at first and again and again until the end."""
    found, over = [_megabytes()], threading.Event()

    def watch() -> None:
        while not over.wait(0.5):
            found.append(_megabytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def _megabytes() -> float:
    """Add up what is a process's own and its part of what it shares (Pss: proc(5))."""
    mine = {os.getpid()}
    processes = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal()]
    for pid in sorted(processes):
        with suppress(OSError):
            parent = int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
            if parent in mine:
                mine.add(pid)
    return sum(map(_pss_kb, mine)) / 1024


def _pss_kb(pid: int) -> int:
    with suppress(OSError):
        for line in (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _standing(store: Store) -> Iterator[Figure]:
    """Read every standing, and with the signals; beside reading what they are made from and nothing else.

    Without looking for circles among them, as the commands do it (`probe.cli.reputation`).
    """

    def read() -> None:
        with store._database.reading() as connection:
            connection.exec_driver_sql("SELECT * FROM account").fetchall()
            connection.exec_driver_sql("SELECT * FROM tally").fetchall()

    def with_signals() -> None:
        standings, tallies = store.standings(), store.tallies()
        attach(standings, find_signals(tallies, standings))

    reading_s = _median_s(read)
    for what, work in (("standings of all", store.standings), ("standings of all, with signals", with_signals)):
        yield Figure(
            what=f"{what}, {SIZE}",
            value=_median_s(work),
            unit="s",
            beside="reading the same rows",
            other=reading_s,
            wanted="at most 2 s",
        )


def _median_s(work: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        gc.collect()
        gc.disable()
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
        gc.enable()
    return statistics.median(times)


def _adding(store: Store) -> Iterator[Figure]:
    """End calls, one after the other; what adding each up takes, beside the whole transaction, disk and all."""
    chance, parts, wholes = random.Random(SEED), list[float](), list[float]()
    add_calls = ending.add_calls

    def timed(connection: Connection, ended: Iterable[Observation], late: Collection[str]) -> Changes:
        started = time.perf_counter()
        try:
            return add_calls(connection, ended, late)
        finally:
            parts.append((time.perf_counter() - started) * 1_000)

    ending.add_calls = timed
    try:
        for number in range(CALLS, CALLS + FINISHES):
            judged = _fresh(number, chance)
            store.begin(judged.record.request, judged.record.started_at)
            started = time.perf_counter()
            store.finish(judged)
            wholes.append((time.perf_counter() - started) * 1_000)
    finally:
        ending.add_calls = add_calls
    for name, rank in (("median", 50), ("99th percentile", 99)):
        yield Figure(
            what=f"one call added to everything, {SIZE}, {name}",
            value=sorted(parts)[len(parts) * rank // 100],
            unit="ms",
            beside="the whole of its end",
            other=sorted(wholes)[len(wholes) * rank // 100],
            wanted="at most 2 ms",
        )


def _fresh(number: int, chance: random.Random) -> JudgedCall:
    """Make a call that ends after all others."""
    kind = chance.choices(KINDS, SHARES)[0]
    caller, (callee, network) = chance.choice(CALLERS), chance.choice(CALLED)
    record = kind.judged.record
    at = FIRST_DAY + timedelta(days=365, seconds=number - CALLS)
    fields = {"caller": caller, "callee": callee, "network": network, "campaign": f"campaign-{caller[-1]}"}
    request = replace(record.request, id=f"0197f1c2-0000-7000-8000-{number:012}", plan_key=f"{number}", **fields)
    return judge_call(replace(record, request=request, started_at=at, ended_at=at + timedelta(seconds=1)))
