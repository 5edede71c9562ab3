"""A moment in; the attempts, refusals and pauses before it out, as plan and guard look at them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from probe.call import CallRequest
from probe.scenario.guard import Refusal
from probe.scenario.history import DAY, NEWEST, AlreadyPlanned, Attempt, History, Pause, PauseKind, Used, history_of
from probe.store.schema import call, opinion, pause, round_

Gate = Callable[[History], Refusal | None]

_MINUTE_MS = 60_000
_ADMISSION_LOCK = 7763

_placed = call.c.talk_ms.is_not(None)
_since = call.c.started_at > bindparam("since")
_ATTEMPTS = (
    select(
        call.c.id,
        call.c.started_at,
        call.c.caller,
        call.c.callee,
        call.c.trunk,
        call.c.plan_key,
        call.c.scenario,
        call.c.round,
        call.c.ring_limit_ms,
        call.c.hold_ms,
        call.c.control_of,
        call.c.ended_at,
        call.c.ending,
        call.c.talk_ms,
        opinion.c.disposition,
        opinion.c.status,
        opinion.c.definitive,
    )
    .outerjoin(opinion, opinion.c.call_id == call.c.id)
    .where(_placed)
)
_ALL = _ATTEMPTS.where(_since)
_OF_CALLER = _ATTEMPTS.where(_since, call.c.caller == bindparam("number"))
_OF_CALLEE = _ATTEMPTS.where(_since, call.c.callee == bindparam("number"))
_OF_TRUNK = _ATTEMPTS.where(_since, call.c.trunk == bindparam("trunk")).order_by(call.c.started_at.desc()).limit(NEWEST)
_USED = select(
    func.count(),
    func.coalesce(func.sum(call.c.talk_ms), 0),
    func.coalesce(func.sum((call.c.talk_ms + (_MINUTE_MS - 1)) // _MINUTE_MS), 0),
    func.min(call.c.started_at),
).where(_placed, _since)
_USED_BY = {kind: _USED.where(call.c[kind] == bindparam("name")) for kind in ("trunk", "scenario")}
_OPEN = select(round_.c.id, round_.c.planned_at).where(round_.c.state == "open", round_.c.planned_at.is_not(None))
_REFUSED = select(call.c.plan_key).where(
    call.c.talk_ms.is_(None), call.c.round.in_(_OPEN.with_only_columns(round_.c.id))
)
_STARTED = select(round_.c.started_at).where(round_.c.id == bindparam("round"))
_PLANNED = select(call.c.id).where(call.c.plan_key == bindparam("key"))


def read_history(connection: Connection, now: datetime, reach: timedelta) -> History:
    """Read all attempts since `reach` ago and those of every open round, as the plan looks at them."""
    starts = [row.planned_at for row in connection.execute(_OPEN)]
    attempts = connection.execute(_ALL, {"since": min([now - reach, *starts])})
    refused = connection.execute(_REFUSED).scalars()
    return history_of(map(_attempt, attempts), now=now, pauses=read_pauses(connection), refused=refused)


def read_history_of(connection: Connection, request: CallRequest, now: datetime, reach: timedelta) -> History:
    """Read what the guard looks at for one call, and no more: this runs while no other process may write."""
    started = connection.execute(_STARTED, {"round": request.round}).scalar()
    since = {"since": min(now - reach, started or now)}
    return History(
        callers={request.caller: _read(connection, _OF_CALLER, since | {"number": request.caller})},
        callees={request.callee: _read(connection, _OF_CALLEE, since | {"number": request.callee})},
        trunks={request.trunk: _read(connection, _OF_TRUNK, {"since": now - DAY, "trunk": request.trunk})},
        used={
            (kind, name): _used(connection, kind, name, now)
            for kind, name in (("trunk", request.trunk), ("scenario", request.scenario))
            if name is not None
        },
        pauses=read_pauses(connection),
    )


def ask(
    connection: Connection, request: CallRequest, now: datetime, gate: Gate, reach: timedelta
) -> Refusal | AlreadyPlanned | None:
    """Put the question to the gate with the past as it is now, while no other process can change it."""
    if connection.dialect.name == "postgresql":  # SQLite's writers are alone by nature
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADMISSION_LOCK})
    if connection.execute(_PLANNED, {"key": request.plan_key}).first() is not None:
        return AlreadyPlanned(plan_key=request.plan_key)
    return gate(read_history_of(connection, request, now, reach))


def read_pauses(connection: Connection) -> tuple[Pause, ...]:
    found = connection.execute(select(pause).where(pause.c.ended_at.is_(None)).order_by(pause.c.since))
    return tuple(Pause(kind=PauseKind(row.kind), name=row.name, since=row.since, why=row.why) for row in found)


def begin_pause(connection: Connection, new: Pause) -> bool:
    """Write a pause, unless one is in force already."""
    if connection.execute(select(pause.c.since).where(_in_force(new.kind, new.name))).first() is not None:
        return False
    connection.execute(insert(pause).values(kind=new.kind.value, name=new.name, since=new.since, why=new.why))
    return True


def end_pause(connection: Connection, kind: PauseKind, name: str, now: datetime) -> bool:
    """End a pause; False says that there was none."""
    return bool(connection.execute(update(pause).where(_in_force(kind, name)).values(ended_at=now)).rowcount)


def _in_force(kind: PauseKind, name: str) -> ColumnElement[bool]:
    return (pause.c.kind == kind.value) & (pause.c.name == name) & pause.c.ended_at.is_(None)


def _read(connection: Connection, chosen: Select[Any], values: dict[str, Any]) -> tuple[Attempt, ...]:
    return tuple(map(_attempt, connection.execute(chosen, values)))


def _used(connection: Connection, kind: str, name: str, now: datetime) -> Used:
    calls, talk_ms, minutes, oldest_at = connection.execute(_USED_BY[kind], {"since": now - DAY, "name": name}).one()
    return Used(calls=calls, talk_ms=int(talk_ms), minutes=int(minutes), oldest_at=oldest_at)


def _attempt(row: Row[Any]) -> Attempt:
    (
        call_id, at, caller, callee, trunk, plan_key, scenario, round_id, ring_limit_ms, hold_ms, control_of,
        ended_at, ending, talk_ms, disposition, status, definitive,
    ) = row  # fmt: skip
    return Attempt(
        call_id=call_id,
        at=at,
        caller=caller,
        callee=callee,
        trunk=trunk,
        plan_key=plan_key,
        scenario=scenario,
        round=round_id,
        ring_limit_ms=ring_limit_ms,
        hold_ms=hold_ms,
        control_of=control_of,
        ended_at=ended_at,
        ending=ending,
        disposition=disposition,
        status=status,
        definitive=bool(definitive),
        talk_ms=talk_ms,
    )
