"""Calls that have ended in; their facts, what they are held to mean and what they add up to, written in one go."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select, update

from probe.call import Ending
from probe.errors import StoreError
from probe.health import Change, observe
from probe.judged import JudgedCall
from probe.store import rows
from probe.store.judging import add_opinions, put_opinions
from probe.store.many import execute_many
from probe.store.planned import end_planned
from probe.store.schema import call, message
from probe.store.standing import add_calls

Outcome = tuple[Change, ...] | StoreError
"""The standings that a call changed; or why its end cannot be written, now or ever."""

# Statements of every call, made once: making one takes longer than running it.
_BEGUN: Final = (
    select(call.c.id, call.c.ended_at, call.c.ending)
    .where(call.c.id.in_(bindparam("call_ids", expanding=True)))
    .order_by(call.c.id)
    .with_for_update()
)
_END: Final = update(call).where(call.c.id == bindparam("of_call"))
_ADD_MESSAGES: Final = insert(message)


def end_calls(connection: Connection, ended: Sequence[JudgedCall]) -> list[Outcome]:
    """Write the ends of calls that were begun, and add them up. Facts that come late replace the guess `lost`."""
    open_, lost = _open_and_lost(connection, ended)
    outcomes, taken = list[Outcome](), dict[str, JudgedCall]()
    for one in ended:
        call_id = one.record.request.id
        if call_id in taken or call_id not in open_ | lost:
            outcomes.append(StoreError(f"the call {call_id} was never begun or has ended before; begin each call once"))
            continue
        taken[call_id] = one
        outcomes.append(())
    end_planned(connection, taken.values())
    changes = _write(connection, list(taken.values()), lost)
    return [
        outcome if isinstance(outcome, StoreError) else changes.get(one.record.request.id, ())
        for one, outcome in zip(ended, outcomes, strict=True)
    ]


def _open_and_lost(connection: Connection, ended: Sequence[JudgedCall]) -> tuple[set[str], set[str]]:
    """Say which of these calls wait for their end, and which had theirs guessed."""
    begun = connection.execute(_BEGUN, {"call_ids": [one.record.request.id for one in ended]}).all()
    open_ = {call_id for call_id, ended_at, _ in begun if ended_at is None}
    return open_, {call_id for call_id, _, ending in begun if ending == Ending.LOST}


def _write(connection: Connection, ended: Sequence[JudgedCall], lost: set[str]) -> dict[str, tuple[Change, ...]]:
    if not ended:
        return {}
    execute_many(connection, _END, [_ending_row(one) for one in ended])
    execute_many(connection, _ADD_MESSAGES, [row for one in ended for row in rows.message_rows(one.record)])
    add_opinions(connection, [one for one in ended if one.record.request.id not in lost])
    put_opinions(connection, [rows.opinion_row(one) for one in ended if one.record.request.id in lost])
    seen = [observation for observation in map(observe, ended) if observation is not None]
    return add_calls(connection, seen, lost)


def _ending_row(one: JudgedCall) -> dict[str, Any]:
    return rows.ending_row(one) | {"of_call": one.record.request.id, "counted_at": None}
