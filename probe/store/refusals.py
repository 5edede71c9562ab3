"""Refusals in, as calls that were begun and ended by the guard; the same out again, with rule and reason apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from probe.call import CallRequest, Ending
from probe.judged import JudgedCall
from probe.store import rows
from probe.store.locks import Lock, take_turn
from probe.store.planned import end_planned
from probe.store.schema import call, opinion


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A call that was not placed, when that was decided, by which rule, and why."""

    request: CallRequest
    at: datetime
    rule: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedByRule:
    """How many calls a rule kept from being placed; `at` and `why` are those of the latest."""

    rule: str
    calls: int
    at: datetime
    why: str


def write_refusals(connection: Connection, judged: Sequence[JudgedCall]) -> int:
    """Write those whose planned call is not there yet, and say how many these are."""
    take_turn(connection, Lock.ADMISSION)
    by_key = {one.record.request.plan_key: one for one in judged}
    there = select(call.c.plan_key).where(call.c.plan_key.in_(tuple(by_key)))
    new = [by_key[key] for key in by_key.keys() - set(connection.execute(there).scalars())]
    if new:
        requests = [rows.request_row(one.record.request) | rows.ending_row(one) for one in new]
        connection.execute(insert(call), requests)
        connection.execute(insert(opinion), [rows.opinion_row(one) for one in new])
        end_planned(connection, new)
    return len(new)


def read_refusals(connection: Connection, since: datetime) -> tuple[Refused, ...]:
    """Read what was refused since then, the newest first."""
    chosen = select(call).where(call.c.ending == Ending.GUARDED.value, call.c.started_at >= since)
    found = connection.execute(chosen.order_by(call.c.started_at.desc(), call.c.id.desc()))
    return tuple(
        Refused(request=rows.read_request(row), at=row.started_at, rule=rule, why=why)
        for row in found
        for rule, _, why in [(row.detail or "").partition(": ")]
    )


def count_refusals(connection: Connection, since: datetime) -> tuple[RefusedByRule, ...]:
    """Count by rule what was refused since then. A tight limit refuses tens of thousands a day, in a few words."""
    latest = func.max(call.c.started_at)
    refused = (call.c.ending == Ending.GUARDED.value) & (call.c.started_at >= since)
    said = connection.execute(
        select(call.c.detail, func.count(), latest).where(refused).group_by(call.c.detail).order_by(latest)
    )
    found: dict[str, RefusedByRule] = {}
    for detail, calls, at in said:
        rule, _, why = (detail or "").partition(": ")
        before = found[rule].calls if rule in found else 0
        found[rule] = RefusedByRule(rule=rule, calls=before + calls, at=at, why=why)
    return tuple(found.values())
