"""A moment in; the raw messages of calls long before it dropped, a page at a time. What was read from them stays.

A call that loses its messages keeps their digest, from which it can be judged again; its opinion and the counts stay.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, bindparam, delete, func, not_, or_, select, update

from probe.health import Evidence, evidence_of
from probe.judged import JudgedCall, digest_of, judge_call
from probe.scenario.round import RoundState
from probe.store.database import Database
from probe.store.facts import read_records
from probe.store.schema import call, message, opinion, redress, round_
from probe.verdict import Disposition

_PAGE: Final = 500
_THROUGH: Final = frozenset(name for name in Disposition if evidence_of(name) is Evidence.THROUGH)
_KEEP_DIGEST: Final = update(call).where(call.c.id == bindparam("of_call"))

_got_through = opinion.c.disposition.in_(sorted(name.value for name in _THROUGH))
# One that nobody scheduled has no end: it is over as soon as its process is.
_open_round = call.c.round.in_(
    select(round_.c.id).where(round_.c.state == RoundState.OPEN.value, round_.c.ends_at > bindparam("now"))
)
_asked_for_redress = call.c.caller.in_(
    select(redress.c.caller).where(
        redress.c.asked_at.is_not(None), or_(redress.c.cleared_at.is_(None), redress.c.back_at.is_not(None))
    )
)
# Nobody knows yet what a round will ask of its calls, and a redress desk asks for the messages of those that failed.
_held = or_(_open_round, and_(_asked_for_redress, not_(_got_through)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long raw messages are kept: those of calls that got through, and those of all others."""

    through: timedelta = timedelta(days=90)
    others: timedelta = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The calls whose messages were dropped, and their bytes; `held` are old enough, but still needed.

    The next step goes on behind the call `last`; None says that this was the last one.
    """

    calls: int = 0
    bytes: int = 0
    held: int = 0
    last: str | None = None

    def plus(self, step: "Pruned") -> "Pruned":
        """Add what the next step did."""
        return Pruned(
            calls=self.calls + step.calls,
            bytes=self.bytes + step.bytes,
            held=self.held + step.held,
            last=step.last,
        )


def prune_page(database: Database, keep: Keep, now: datetime, after: str, *, dry_run: bool) -> Pruned:
    """Drop the messages of a few hundred calls whose ids come behind `after`; or count them.

    They are read and judged outside the transaction that writes, which is short: a daemon on the same store goes on.
    """
    with database.reading() as connection:
        page = connection.execute(_old(keep, now, after), {"now": now}).all()
        ids = [row.id for row in page if not row.held]
        size = _size(connection, ids) if dry_run else 0
        chosen = select(call).where(call.c.id.in_(ids)).order_by(call.c.id)
        records = [] if dry_run else read_records(connection, chosen, messages=True)
    last = page[-1].id if len(page) == _PAGE else None
    if dry_run:
        return Pruned(calls=len(ids), bytes=size, held=len(page) - len(ids), last=last)
    judged = [one for one in map(judge_call, records) if _is_old(one, keep, now)]
    with database.writing() as connection:
        _drop(connection, judged)
    size = sum(len(said.raw) for one in judged for said in one.record.messages)
    return Pruned(calls=len(judged), bytes=size, held=len(page) - len(ids), last=last)


def _old(keep: Keep, now: datetime, after: str) -> Select[Any]:
    """Choose calls by the first of their messages: those that have none left cost nothing, however many there are."""
    old = or_(
        and_(_got_through, call.c.started_at < now - keep.through),
        and_(not_(_got_through), call.c.started_at < now - keep.others),
    )
    return (
        select(call.c.id, _held.label("held"))
        .select_from(message)
        .join(call, call.c.id == message.c.call_id)
        .join(opinion, opinion.c.call_id == message.c.call_id)
        .where(message.c.seq == 0, message.c.call_id > after, call.c.ended_at.is_not(None), old)
        .order_by(message.c.call_id)
        .limit(_PAGE)
    )


def _size(connection: Connection, ids: Sequence[str]) -> int:
    chosen = select(func.coalesce(func.sum(func.length(message.c.raw)), 0)).where(message.c.call_id.in_(ids))
    return int(connection.execute(chosen).scalar_one())


def _is_old(judged: JudgedCall, keep: Keep, now: datetime) -> bool:
    """Ask today's verdict: the opinion in the store may be that of an older ruleset."""
    through = judged.verdict.disposition in _THROUGH
    return judged.record.started_at < now - (keep.through if through else keep.others)


def _drop(connection: Connection, judged: Sequence[JudgedCall]) -> None:
    if not judged:
        return
    digests = [{"of_call": one.record.request.id, "digest": asdict(digest_of(one))} for one in judged]
    connection.execute(_KEEP_DIGEST, digests)
    connection.execute(delete(message).where(message.c.call_id.in_([one["of_call"] for one in digests])))
