"""Chosen calls in; their records with messages, and what they say of their caller ID, out."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, func, select

from probe.call import CallRecord, Ending, Message
from probe.health import Contacts, Observation
from probe.store import rows
from probe.store.schema import call, message, opinion
from probe.verdict import Disposition

PAGE = 200
# Ten times as fast as to ask the class, which counts where millions of calls are read.
_DISPOSITIONS: Final = {one.value: one for one in Disposition}

# Calls are added up in the order in which their ends became known: where that is not the order of their ends, each has
# its place noted.
_PLACE: Final = func.coalesce(call.c.counted_at, call.c.ended_at, type_=call.c.ended_at.type)
_OBSERVED: Final = (
    select(
        call.c.id, call.c.caller, call.c.callee, call.c.network, call.c.trunk, call.c.started_at, _PLACE,
        opinion.c.disposition, call.c.campaign, call.c.label, call.c.lead_source, call.c.tags, call.c.timezone,
        opinion.c.status, opinion.c.alerting_ms, opinion.c.final_ms, opinion.c.contacts, call.c.control_of,
        call.c.site,
    )
    .join(opinion, opinion.c.call_id == call.c.id)
    .where(call.c.ended_at.is_not(None), call.c.ending != Ending.GUARDED.value)
)  # fmt: skip
_BY_ID: Final = _OBSERVED.where(call.c.id == bindparam("call_id"))
_LAST_CONTROLS: Final = (
    select(call.c.control_of, func.max(_PLACE, type_=call.c.ended_at.type))
    .where(
        call.c.control_of.in_(bindparam("call_ids", expanding=True)),
        call.c.id.not_in(bindparam("call_ids", expanding=True)),
        call.c.ended_at.is_not(None),
    )
    .group_by(call.c.control_of)
)
_OF_CALLER: Final = _OBSERVED.where(call.c.caller == bindparam("caller")).order_by(_PLACE, call.c.id)
# A caller's calls lie all over the tables: those of many are found sooner in one pass over all than one by one by the
# index, which an expression keeps a database from.
_OF_CALLERS: Final = _OBSERVED.where((call.c.caller + "").in_(bindparam("callers", expanding=True))).order_by(
    call.c.caller, _PLACE, call.c.id
)
_refused = call.alias("refused")
_CONTROLS_OF: Final = (
    _OBSERVED.join(_refused, _refused.c.id == call.c.control_of)
    .where(_refused.c.caller == bindparam("caller"))
    .order_by(_PLACE, call.c.id)
)
# A few calls of some callers have control calls, and of most callers none has.
_SETTLED: Final = select(call.c.control_of).where(call.c.control_of.is_not(None))
_CONTROLLED: Final = select(call.c.caller).where(call.c.id.in_(_SETTLED)).distinct()


def read_records(connection: Connection, chosen: Select[tuple[object, ...]], *, messages: bool) -> list[CallRecord]:
    """Read calls with or without their messages."""
    found = connection.execute(chosen).all()
    theirs = read_messages(connection, [row.id for row in found]) if messages else {}
    return [rows.read_record(row, theirs.get(row.id, ())) for row in found]


def read_messages(connection: Connection, call_ids: Iterable[str]) -> dict[str, list[Message]]:
    """Read the messages of these calls, each call's in their order."""
    chosen = select(message).where(message.c.call_id.in_(tuple(call_ids))).order_by(message.c.call_id, message.c.seq)
    by_call = groupby(connection.execute(chosen), key=lambda row: row.call_id)
    return {call_id: list(map(rows.read_message, found)) for call_id, found in by_call}


def read_observation(connection: Connection, call_id: str) -> Observation | None:
    """Read what a call says; None for one that has not ended, or that the guard refused."""
    row = connection.execute(_BY_ID, {"call_id": call_id}).first()
    return _observation(row) if row else None


def read_last_controls(connection: Connection, call_ids: Collection[str]) -> dict[str, datetime]:
    """Read when the last control call ended that was held against each of these and is none of them."""
    return {row[0]: row[1] for row in connection.execute(_LAST_CONTROLS, {"call_ids": list(call_ids)})}


def read_observations(connection: Connection, caller: str, since: datetime | None = None) -> Iterator[Observation]:
    """Read what the calls of a caller say, in the order in which their ends became known, page by page."""
    chosen = _OF_CALLER if since is None else _OF_CALLER.where(call.c.started_at >= since)
    return map(_observation, connection.execute(chosen, {"caller": caller}, execution_options={"yield_per": PAGE}))


def read_all_observations(
    connection: Connection, callers: Collection[str]
) -> Iterator[tuple[str, Iterator[Observation]]]:
    """Read what the calls of many callers say in one pass: caller by caller, each one's in the same order."""
    found = connection.execute(_OF_CALLERS, {"callers": list(callers)}, execution_options={"yield_per": PAGE})
    return groupby(map(_observation, found), key=attrgetter("caller"))


def read_controls(connection: Connection, caller: str) -> list[Observation]:
    """Read what the control calls say that were held against calls of this caller, in the same order."""
    return list(map(_observation, connection.execute(_CONTROLS_OF, {"caller": caller})))


def read_controlled(connection: Connection) -> frozenset[str]:
    """Read of which callers calls have control calls: to ask each of a million takes longer."""
    return frozenset(connection.execute(_CONTROLLED).scalars())


def _observation(row: Sequence[Any]) -> Observation:
    (
        call_id, caller, callee, network, trunk, started_at, ended_at, disposition, campaign, label, lead_source, tags,
        timezone, status, alerting_ms, final_ms, contacts, control_of, site,
    ) = row  # fmt: skip
    return Observation(
        call_id=call_id,
        caller=caller,
        callee=callee,
        network=network,
        trunk=trunk,
        started_at=started_at,
        ended_at=ended_at,
        disposition=_DISPOSITIONS[disposition],
        campaign=campaign,
        label=label,
        lead_source=lead_source,
        tags=tuple(tags or ()),
        timezone=timezone,
        status=status,
        alerting_ms=alerting_ms,
        final_ms=final_ms,
        contacts=Contacts(**contacts) if contacts else None,
        control_of=control_of,
        site=site,
    )
