"""1,000 caller IDs, 20 destinations and 90 days of calls in; how long one tick of the daemon takes out.

A tick is what happens each second of an open round: the past is read, the plan asked what is due, the guard asked for
each call that is, and its attempt written.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

from sqlalchemy import insert

from probe.call import CallRequest
from probe.scenario.guard import allowed_by, check, reach
from probe.scenario.plan import Due, due
from probe.scenario.round import OpenRound
from probe.scenario.scenario import Caller, Destination, Hours, Limits, Rate, Scenario
from probe.store import Store, open_store, rows
from probe.store.schema import call, opinion
from probe.trunk import Trunk
from tests.bench.figure import Figure

_NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
_TICKS = 15
_DAYS = 90
_ALL_DAY = Hours(opens=0, closes=1440)
_GENEROUS = Limits(
    per_caller=(Rate(count=30, window_s=86_400), Rate(count=1, window_s=60)),
    per_destination=(Rate(count=2_000, window_s=86_400), Rate(count=30, window_s=60)),
    calls_per_day=100_000,
    minutes_per_day=100_000,
    hours=_ALL_DAY,
)
WATCHED = Scenario(
    name="health",
    path="health.yaml",
    trunk=Trunk(name="carrier-a", host="192.0.2.1"),
    callers=tuple(Caller(number=f"+1202555{n:04}") for n in range(1_000)),
    destinations=tuple(Destination(number=f"+12125550{n:03}", consent="ours") for n in range(100, 120)),
    limits=replace(Limits(), hours=_ALL_DAY),
)
# What the limits let through in a day: by default, and when they are so wide that the whole matrix is rung.
_CASES = (
    ("default limits", WATCHED, 200, "at most 200 ms"),
    ("the whole matrix daily", replace(WATCHED, limits=_GENEROUS), 20_000, "no bound: a hundred times the default"),
)


def measure() -> Iterator[Figure]:
    """Yield the time of a tick, beside that of the same tick on an empty store."""
    for name, scenario, calls_a_day, wanted in _CASES:
        with tempfile.TemporaryDirectory() as folder:
            empty = _tick_ms(open_store(f"sqlite:///{Path(folder) / 'empty.db'}"), scenario)
            full = open_store(f"sqlite:///{Path(folder) / 'full.db'}")
            _fill(full, scenario, calls_a_day)
            yield Figure(
                what=f"tick, 1,000 x 20, 90 days, {name}",
                value=_tick_ms(full, scenario),
                unit="ms",
                beside="with an empty store",
                other=empty,
                wanted=wanted,
            )


def _tick_ms(store: Store, scenario: Scenario) -> float:
    """Return the median time of a tick; the first ones, which name what will not be placed, are ticks as well."""
    ids = count()
    ends_at = _NOW + timedelta(hours=2)
    store.begin_round("round-1", scenario.name, _NOW, 20_000, planned_at=_NOW, ends_at=ends_at)
    round_ = OpenRound(id="round-1", scenario=scenario.name, starts_at=_NOW, ends_at=ends_at)
    times = []
    for second in range(_TICKS):
        started = time.perf_counter()
        found = _tick(store, scenario, round_, _NOW + timedelta(seconds=second), ids)
        times.append((time.perf_counter() - started) * 1_000)
        store.refuse_all(found.not_placed, _NOW)
    store.close()
    return statistics.median(times)


def _tick(store: Store, scenario: Scenario, round_: OpenRound, now: datetime, ids: "count[int]") -> Due:
    past = store.history(now, reach(scenario.limits))
    found = due(scenario, past, [round_], now, new_id=lambda: f"new-{next(ids)}")
    for request in found.requests:
        _admit(store, scenario, request, now)
    return found


def _admit(store: Store, scenario: Scenario, request: CallRequest, now: datetime) -> None:
    allowed = allowed_by(scenario)
    store.admit(
        request, now, lambda past: check(request, allowed=allowed, history=past, now=now), reach(scenario.limits)
    )


def _fill(store: Store, scenario: Scenario, calls_a_day: int) -> None:
    """Write 90 days of calls that were answered; of the matrix, only the last two days are as full as they can be."""
    older = min(calls_a_day, 500)
    days = [(day, calls_a_day if day < 2 else older) for day in range(_DAYS)]
    for day, calls in days:
        at = [_NOW - timedelta(days=day, seconds=60 + 86_000 * n / calls) for n in range(calls)]
        _write(store, scenario, day, at)


def _write(store: Store, scenario: Scenario, day: int, times: list[datetime]) -> None:
    pairs = ((caller, callee) for callee in scenario.destinations for caller in scenario.callers)
    calls, opinions = [], []
    for n, (at, (caller, callee)) in enumerate(zip(times, islice(pairs, len(times)), strict=True)):
        request = CallRequest(
            id=f"{day}-{n}",
            plan_key=f"{day}-{n}",
            trunk="carrier-a",
            caller=caller.number,
            callee=callee.number,
            scenario=scenario.name,
        )
        calls.append(rows.request_row(request) | {"started_at": at, "ended_at": at, "ending": "answered"})
        opinions.append(
            {"call_id": request.id, "ruleset": "x", "disposition": "answered", "confidence": "certain", "status": 200}
        )
    with store._database.writing() as connection:
        connection.execute(insert(call), calls)
        connection.execute(insert(opinion), opinions)
