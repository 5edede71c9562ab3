"""A moment in; the attempts, refusals and pauses before it out, as plan and guard look at them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from probe.scenario.history import DAY, Attempt, History, Pause, PauseKind, Used, history_of
from probe.store.locks import Lock, take_turn
from probe.store.schema import call, opinion, pause, round_

_MINUTE_MS = 60_000

_placed = call.c.talk_ms.is_not(None)
SINCE = call.c.started_at > bindparam("since")
ATTEMPTS = (
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
        call.c.site,
    )
    .outerjoin(opinion, opinion.c.call_id == call.c.id)
    .where(_placed)
)
_ALL = ATTEMPTS.where(SINCE)
_USED = select(
    func.count(),
    func.coalesce(func.sum(call.c.talk_ms), 0),
    func.coalesce(func.sum((call.c.talk_ms + (_MINUTE_MS - 1)) // _MINUTE_MS), 0),
    func.min(call.c.started_at),
).where(_placed, SINCE)
_USED_BY = {kind: _USED.where(call.c[kind] == bindparam("name")) for kind in ("trunk", "scenario")}
_OPEN = select(round_.c.id, round_.c.planned_at).where(round_.c.state == "open", round_.c.planned_at.is_not(None))
_REFUSED = select(call.c.plan_key).where(
    call.c.talk_ms.is_(None), call.c.round.in_(_OPEN.with_only_columns(round_.c.id))
)


def read_history(connection: Connection, now: datetime, reach: timedelta) -> History:
    """Read all attempts since `reach` ago and those of every open round, as the plan looks at them."""
    starts = [row.planned_at for row in connection.execute(_OPEN)]
    attempts = connection.execute(_ALL, {"since": min([now - reach, *starts])})
    refused = connection.execute(_REFUSED).scalars()
    return history_of(map(_attempt, attempts), now=now, pauses=read_pauses(connection), refused=refused)


def read_pauses(connection: Connection) -> tuple[Pause, ...]:
    found = connection.execute(select(pause).where(pause.c.ended_at.is_(None)).order_by(pause.c.since))
    return tuple(Pause(kind=PauseKind(row.kind), name=row.name, since=row.since, why=row.why) for row in found)


def begin_pause(connection: Connection, new: Pause) -> bool:
    """Write a pause, unless one is in force already. No call that was not let in before leaves after it."""
    take_turn(connection, Lock.ADMISSION)
    if connection.execute(select(pause.c.since).where(_in_force(new.kind, new.name))).first() is not None:
        return False
    connection.execute(insert(pause).values(kind=new.kind.value, name=new.name, since=new.since, why=new.why))
    return True


def end_pause(connection: Connection, kind: PauseKind, name: str, now: datetime) -> bool:
    """End a pause; False says that there was none."""
    return bool(connection.execute(update(pause).where(_in_force(kind, name)).values(ended_at=now)).rowcount)


def _in_force(kind: PauseKind, name: str) -> ColumnElement[bool]:
    return (pause.c.kind == kind.value) & (pause.c.name == name) & pause.c.ended_at.is_(None)


def read_attempts(connection: Connection, chosen: Select[Any], values: dict[str, Any]) -> tuple[Attempt, ...]:
    """Read chosen attempts."""
    return tuple(map(_attempt, connection.execute(chosen, values)))


def read_used(connection: Connection, kind: str, name: str, now: datetime) -> Used:
    """Count what a trunk or a scenario has used in the 24 hours before `now`."""
    calls, talk_ms, minutes, oldest_at = connection.execute(_USED_BY[kind], {"since": now - DAY, "name": name}).one()
    return Used(calls=calls, talk_ms=int(talk_ms), minutes=int(minutes), oldest_at=oldest_at)


def _attempt(row: Row[Any]) -> Attempt:
    (
        call_id, at, caller, callee, trunk, plan_key, scenario, round_id, ring_limit_ms, hold_ms, control_of,
        ended_at, ending, talk_ms, disposition, status, definitive, site,
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
        site=site,
    )
