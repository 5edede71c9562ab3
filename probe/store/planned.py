"""Calls that ended in, their rows of the ledger ended with them; see `probe.store.plans`."""

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from probe.call import LOCAL, Ending
from probe.judged import JudgedCall
from probe.store.schema import call, planned


class PlanState(StrEnum):
    """How a planned call stands."""

    PLANNED = "planned"
    PLACING = "placing"
    DONE = "done"
    LOST = "lost"
    REFUSED = "refused"


_END: Final = (
    update(planned)
    .where(planned.c.plan_key == bindparam("key"))
    # What was held to be lost may yet be told of, and is done then; nothing else ends twice.
    .where(planned.c.state != PlanState.DONE.value, planned.c.state != PlanState.REFUSED.value)
    .values(state=bindparam("end"), lease_until=None)
)


def end_planned(connection: Connection, ended: Iterable[JudgedCall]) -> None:
    """Note in the ledger how calls of other sites ended; those of this machine's own do not stand there."""
    ends = [
        {"key": one.record.request.plan_key, "end": _end_of(one.record.ending).value}
        for one in ended
        if one.record.request.site != LOCAL
    ]
    if ends:
        connection.execute(_END, ends)


def _end_of(ending: Ending) -> PlanState:
    return {Ending.GUARDED: PlanState.REFUSED, Ending.LOST: PlanState.LOST}.get(ending, PlanState.DONE)


def agree(connection: Connection, plan_keys: Collection[str]) -> None:
    """End rows whose call stands in the store already as that call ended; it is left alone while it is under way."""
    if not plan_keys:
        return
    chosen = select(call.c.plan_key, call.c.ending).where(call.c.plan_key.in_(plan_keys), call.c.ending.is_not(None))
    ends = [{"key": key, "end": _end_of(Ending(ending)).value} for key, ending in connection.execute(chosen)]
    if ends:
        connection.execute(_END, ends)
