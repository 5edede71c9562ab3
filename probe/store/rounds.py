"""Rounds in, when they begin, end or do not happen; open and past rounds out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from probe.errors import StoreError
from probe.scenario.round import OpenRound, RoundRecord, RoundState
from probe.store.schema import round_


def write_round(connection: Connection, row: Mapping[str, Any]) -> bool:
    """Write a round; False says that this scenario's round of that moment is there already."""
    planned = select(round_.c.id).where(
        round_.c.scenario == row["scenario"], round_.c.planned_at == row.get("planned_at")
    )
    try:
        with connection.begin_nested():  # PostgreSQL goes on after an error only from a savepoint
            connection.execute(insert(round_).values(**row))
    except IntegrityError:
        if connection.execute(planned).first() is None:
            raise
        return False
    return True


def end_round(
    connection: Connection, round_id: str, ended_at: datetime, counts: Mapping[str, Any], state: RoundState
) -> bool:
    """Note how a round ended; False says that another process was there first."""
    changes = {"ended_at": ended_at, "counts": dict(counts), "state": state.value}
    this, is_open = round_.c.id == round_id, round_.c.state == RoundState.OPEN.value
    if connection.execute(update(round_).where(this, is_open).values(changes)).rowcount:
        return True
    if connection.execute(select(round_.c.id).where(this)).first() is None:
        raise StoreError(f"the round {round_id} was never begun; begin it before its first call")
    return False


def read_open(connection: Connection, scenario: str) -> tuple[OpenRound, ...]:
    """Read the rounds of a schedule that are under way, the oldest first."""
    chosen = select(round_).where(
        round_.c.state == RoundState.OPEN.value, round_.c.scenario == scenario, round_.c.ends_at.is_not(None)
    )
    return tuple(
        OpenRound(id=row.id, scenario=row.scenario, starts_at=row.planned_at, ends_at=row.ends_at)
        for row in connection.execute(chosen.order_by(round_.c.planned_at))
    )


def read_rounds(connection: Connection, since: datetime) -> tuple[RoundRecord, ...]:
    """Read the rounds that began, or should have begun, since then, the newest first."""
    chosen: Select[Any] = select(round_).where(round_.c.started_at >= since)
    return tuple(map(_record, connection.execute(chosen.order_by(round_.c.started_at.desc(), round_.c.id.desc()))))


def _record(row: Row[Any]) -> RoundRecord:
    return RoundRecord(
        id=row.id,
        scenario=row.scenario,
        state=RoundState(row.state),
        started_at=row.started_at,
        planned=row.planned,
        planned_at=row.planned_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        counts=row.counts,
        why=row.why,
    )
