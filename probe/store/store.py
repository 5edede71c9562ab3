"""What is asked and what happened in, before and after each INVITE; records out, for whoever judges or counts them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from probe.call import CallRecord, CallRequest, Card, Ending
from probe.errors import StoreError
from probe.event import Event
from probe.health import Case, Change, Observation, Standing, Tally, in_whole
from probe.health.redress import Step
from probe.judged import JudgedCall, judge_call
from probe.scenario.guard import Refusal, refused_record
from probe.scenario.history import DAY, History, Pause, PauseKind
from probe.scenario.round import OpenRound, RoundRecord, RoundState
from probe.store import anew, rows
from probe.store.accounts import note_case, read_accounts, read_cases
from probe.store.admission import Answer, Asked, Gate, admit_all
from probe.store.counts import read_tallies
from probe.store.database import Database
from probe.store.ending import Outcome, end_calls
from probe.store.facts import PAGE, read_messages, read_observations, read_records
from probe.store.importing import Packed, write_imported
from probe.store.incidents import Incident, read_incidents, write_incident
from probe.store.judging import judge_old
from probe.store.lease import drop, read_holder, take
from probe.store.locks import take_turns_of
from probe.store.lookup import find_one
from probe.store.outbox import Outbox, queue
from probe.store.past import begin_pause, end_pause, read_history, read_pauses
from probe.store.plans import Plans
from probe.store.pruning import Keep, Pruned, prune_page
from probe.store.rebuild import rebuild_and_tell
from probe.store.refusals import Refused, RefusedByRule, count_refusals, read_refusals, write_refusals
from probe.store.rounds import end_round, read_open, read_rounds, write_round
from probe.store.schema import call, opinion
from probe.store.stale import read_stale
from probe.store.telling import Tell, read_reminders, tell_of

_REFUSALS = 500
_TOLD_AT_ONCE = 5

# What setting up and clearing a call may take on top of ringing and holding.
_SLACK = timedelta(seconds=60)


Ended = tuple[JudgedCall, Tell, str | None]
"""A call that has ended, what makes events of it, and the endpoint that they are for."""


def tell_nothing(_: Sequence[Change], __: Sequence[JudgedCall]) -> tuple[Event, ...]:
    return ()


class Store:
    """The database of calls. Every method is one short transaction and may be called from any thread.

    Each raises StoreError when the database is locked, full, damaged or gone. `outbox` holds the webhook events, and
    `plans` the calls that are planned for other sites.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox = Outbox(database)
        self.plans = Plans(database)

    def close(self) -> None:
        self._database.engine.dispose()

    def begin_round(  # noqa: PLR0913 (what a schedule adds to a round comes by keyword)
        self,
        round_id: str,
        scenario: str,
        started_at: datetime,
        planned: int,
        *,
        planned_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> bool:
        """Note that a round begins; False says that this scenario's round of that moment is there already.

        `planned_at` and `ends_at` come from a schedule: such a round is open, for `open_rounds`, until it is finished.
        """
        row = {"id": round_id, "scenario": scenario, "started_at": started_at, "planned": planned}
        with self._database.writing() as connection:
            planned_row = {"planned_at": planned_at, "ends_at": ends_at, "state": RoundState.OPEN.value}
            return write_round(connection, row | planned_row)

    def finish_round(
        self,
        round_id: str,
        ended_at: datetime,
        counts: Mapping[str, Any],
        events: Sequence[tuple[Event, str]] = (),
        *,
        state: RoundState = RoundState.DONE,
    ) -> None:
        """Note how a round ended, and queue each event for the endpoint of that name; once, whoever else does it."""
        with self._database.writing() as connection:
            if end_round(connection, round_id, ended_at, counts, state):
                queue(connection, events)

    def record_round(self, round_id: str, scenario: str, planned_at: datetime, state: RoundState, why: str) -> bool:
        """Note a round that does not take place, and why; False says that the round of that moment is there already."""
        row = {"id": round_id, "scenario": scenario, "started_at": planned_at, "planned": 0, "planned_at": planned_at}
        with self._database.writing() as connection:
            return write_round(connection, row | {"ended_at": planned_at, "state": state.value, "why": why})

    def open_rounds(self, scenario: str) -> tuple[OpenRound, ...]:
        """Give the scheduled rounds of a scenario that are under way, the oldest first."""
        with self._database.reading() as connection:
            return read_open(connection, scenario)

    def rounds(self, since: datetime) -> tuple[RoundRecord, ...]:
        """Give the rounds that began, or should have begun, since then, the newest first."""
        with self._database.reading() as connection:
            return read_rounds(connection, since)

    def record_incident(self, kind: str, at: datetime, now: datetime) -> None:
        """Note a tick of the daemon that came late, overlapped another, or failed."""
        with self._database.writing() as connection:
            write_incident(connection, Incident(kind=kind, at=at, recorded_at=now))

    def incidents(self, since: datetime) -> tuple[Incident, ...]:
        """Give what was noted since then, the newest first."""
        with self._database.reading() as connection:
            return read_incidents(connection, since)

    def history(self, now: datetime, reach: timedelta = DAY) -> History:
        """Give the attempts since `reach` ago and those of every open round, with the pauses, for the plan."""
        with self._database.reading() as connection:
            return read_history(connection, now, reach)

    def admit(self, request: CallRequest, started_at: datetime, gate: Gate, reach: timedelta | None = DAY) -> Answer:
        """Ask for one call, as `admit_all` does for several."""
        return self.admit_all([(request, started_at, gate, reach)])[0]

    def admit_all(self, asked: Sequence[Asked]) -> list[Answer]:
        """Ask the gates and write the attempts, in one transaction that no other process can come between.

        None says that a call may leave, its attempt being on the disk.
        """
        with self._database.writing() as connection:
            return admit_all(connection, asked)

    def pause(self, kind: PauseKind, name: str, why: str, now: datetime) -> bool:
        """Let nothing be dialled from, to or over this until it is resumed; False says that it was paused before."""
        with self._database.writing() as connection:
            return begin_pause(connection, Pause(kind=kind, name=name, since=now, why=why))

    def resume(self, kind: PauseKind, name: str, now: datetime) -> bool:
        """End a pause; False says that there was none."""
        with self._database.writing() as connection:
            return end_pause(connection, kind, name, now)

    def pauses(self) -> tuple[Pause, ...]:
        """Give what is paused, the oldest pause first."""
        with self._database.reading() as connection:
            return read_pauses(connection)

    def hold(self, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease of the one daemon of this store; False says that another one holds it."""
        with self._database.writing() as connection:
            return take(connection, owner, now, until)

    def release(self, owner: str) -> None:
        """Give the lease back, if this owner holds it."""
        with self._database.writing() as connection:
            drop(connection, owner)

    def holder(self, now: datetime) -> str | None:
        """Say who holds the lease."""
        with self._database.reading() as connection:
            return read_holder(connection, now)

    def begin(self, request: CallRequest, started_at: datetime) -> bool:
        """Write the attempt of a call without limits, on the disk before this returns; False says that it was there."""
        return self.admit_all([(request, started_at, lambda _: None, None)]) == [None]

    def finish(self, judged: JudgedCall, tell: Tell = tell_nothing, endpoint: str | None = None) -> tuple[Change, ...]:
        """Write the end of one call, as `finish_all` does of several. Raises StoreError if it was not begun."""
        outcome = self.finish_all([(judged, tell, endpoint)])[0]
        if isinstance(outcome, StoreError):
            raise outcome
        return outcome

    def finish_all(self, ended: Sequence[Ended]) -> list[Outcome]:
        """Write what happened, what it is held to mean and what it changes, and the events for the endpoints.

        All or nothing, but for a call that was never begun or has ended before: it gets a StoreError. `tell` makes the
        events of a call and of the standings that it changed, which are given back, too.
        """
        with self._database.writing() as connection:
            outcomes = end_calls(connection, [judged for judged, _, _ in ended])
            for (judged, tell, endpoint), outcome in zip(ended, outcomes, strict=True):
                if endpoint is not None and not isinstance(outcome, StoreError):
                    tell_of(connection, outcome, tell, (endpoint,), judged.record.ended_at)
            return outcomes

    def refuse(self, judged: JudgedCall) -> bool:
        """Write a call that was never placed, begun and finished at once; False says that its plan is there already."""
        with self._database.writing() as connection:
            return bool(write_refusals(connection, [judged]))

    def refuse_all(self, refusals: Sequence[Refusal], now: datetime) -> int:
        """Write calls that are not placed, a few hundred a transaction; those whose plan is there already are left out.

        Gives the number of those that were new.
        """
        pages = (refusals[at : at + _REFUSALS] for at in range(0, len(refusals), _REFUSALS))
        return sum(self._refuse_page(page, now) for page in pages)

    def _refuse_page(self, refusals: Sequence[Refusal], now: datetime) -> int:
        judged = [judge_call(refused_record(refusal, now)) for refusal in refusals]
        with self._database.writing() as connection:
            return write_refusals(connection, judged)

    def keep_card(self, call_id: str, card: Card) -> None:
        """Write what came of the card that a call's 608 names; the call has its end by then."""
        with self._database.writing() as connection:
            connection.execute(update(call).where(call.c.id == call_id).values(card=rows.card_json(card)))

    def refusals(self, since: datetime) -> tuple[Refused, ...]:
        """Give what the guard refused and what was not placed since then, the newest first."""
        with self._database.reading() as connection:
            return read_refusals(connection, since)

    def refused_by_rule(self, since: datetime) -> tuple[RefusedByRule, ...]:
        """Count by rule what was not placed since then."""
        with self._database.reading() as connection:
            return count_refusals(connection, since)

    def controls(self, call_ids: Iterable[str]) -> dict[str, str]:
        """Give the id of the control call of each of these calls that has one."""
        chosen = select(call.c.control_of, call.c.id).where(call.c.control_of.in_(tuple(call_ids)))
        with self._database.reading() as connection:
            return {row.control_of: row.id for row in connection.execute(chosen)}

    def mark_lost(self, now: datetime) -> tuple[CallRecord, ...]:
        """End the calls that were begun and must be over, but whose process never said so."""
        unfinished = select(call).where(call.c.ended_at.is_(None)).order_by(call.c.started_at)
        with self._database.writing() as connection:
            begun = connection.execute(unfinished).all()
            lost = tuple(
                CallRecord(request=rows.read_request(row), started_at=row.started_at, ended_at=now, ending=Ending.LOST)
                for row in begun
                if row.started_at + timedelta(milliseconds=row.ring_limit_ms + row.hold_ms) + _SLACK < now
            )
            outcomes = end_calls(connection, [judge_call(record) for record in lost])
        ended = zip(lost, outcomes, strict=True)
        return tuple(record for record, outcome in ended if not isinstance(outcome, StoreError))

    def calls(  # noqa: PLR0913 (one keyword for each thing that history is asked by)
        self,
        *,
        caller: str | None = None,
        callee: str | None = None,
        scenario: str | None = None,
        round: str | None = None,  # noqa: A002 (the word that CallRequest uses)
        disposition: str | None = None,
        ending: str | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        newest_first: bool = True,
        messages: bool = True,
    ) -> Iterator[CallRecord]:
        """Give finished calls in the order in which they started, page by page, so that history fits into memory."""
        equal = {"caller": caller, "callee": callee, "scenario": scenario, "round": round, "ending": ending}
        chosen = select(call).where(call.c.ended_at.is_not(None))
        chosen = chosen.where(*(call.c[name] == value for name, value in equal.items() if value is not None))
        if since is not None:
            chosen = chosen.where(call.c.started_at >= since)
        if disposition is not None:
            # So that it gets today's answer.
            judge_old(self._database)
            chosen = chosen.join(opinion).where(opinion.c.disposition == disposition)
        return self._pages(chosen, limit, newest_first=newest_first, messages=messages)

    def call(self, id_prefix: str) -> CallRecord:
        """Give the call whose id is, or alone begins with, this text. Raises StoreError otherwise."""
        with self._database.reading() as connection:
            row = find_one(connection, call, id_prefix)
            if row.ended_at is None:
                raise StoreError(f"the call {row.id} has not ended yet; ask again when it has")
            return rows.read_record(row, read_messages(connection, [row.id]).get(row.id, ()))

    def standings(self, callers: Collection[str] | None = None) -> tuple[Standing, ...]:
        """Give the standing of these caller IDs, or of all: for each network, then as a whole. Without signals."""
        self.make_current(callers)
        with self._database.reading() as connection:
            return in_whole(one.standing() for one in read_accounts(connection, callers))

    def tallies(self, callers: Collection[str] | None = None) -> tuple[Tally, ...]:
        """Give the counts that signals are found in: all of them, or those of these caller IDs and of everybody."""
        self.make_current(callers)
        with self._database.reading() as connection:
            return tuple(read_tallies(connection, callers))

    def observations(self, caller: str, since: datetime | None = None) -> tuple[Observation, ...]:
        """Give what the calls of a caller ID say, in the order in which they ended."""
        self.make_current([caller])
        with self._database.reading() as connection:
            return tuple(read_observations(connection, caller, since))

    def cases(self, caller: str | None = None) -> tuple[Case, ...]:
        """Give the book of redress, of one caller ID or of all."""
        self.make_current(None if caller is None else [caller])
        with self._database.reading() as connection:
            return read_cases(connection, caller)

    def note_case(self, caller: str, blocker: str | None, step: Step, now: datetime) -> tuple[Case, ...]:
        """Note what a person did about a caller's cases, or that with one blocker; give them as they are now."""
        with self._database.writing() as connection:
            take_turns_of(connection, [caller])
            return note_case(connection, caller, blocker, step, now)

    def catch_up(self, callers: Collection[str], now: datetime, tell: Tell, endpoints: Collection[str]) -> bool:
        """Add up again what came late or was imported of these callers, and tell what that changed; a few at a time.

        True says that there may be more.
        """
        with self._database.reading() as connection:
            found = [caller for caller in read_stale(connection) if caller in callers][:_TOLD_AT_ONCE]
        for caller in found:
            rebuild_and_tell(
                self._database,
                caller,
                lambda connection, changes: tell_of(connection, changes, tell, endpoints, now),
            )
        return bool(found)

    def remind(
        self, callers: Collection[str], before: datetime, now: datetime, tell: Tell, endpoints: Collection[str]
    ) -> bool:
        """Tell again of the numbers among these that are blocked and were not told of since then; a few at a time.

        True says that there may be more.
        """
        with self._database.writing() as connection:
            found = read_reminders(connection, callers, before, _TOLD_AT_ONCE)
            tell_of(connection, found, tell, endpoints, now)
        return bool(found)

    def prune(self, keep: Keep, now: datetime, after: str = "", *, dry_run: bool = False) -> Pruned:
        """Drop the raw messages of old calls, a few hundred calls a step; the next goes on after `Pruned.last`."""
        return prune_page(self._database, keep, now, after, dry_run=dry_run)

    def add_imported(self, calls: Sequence[Packed]) -> int:
        """Write calls that others placed, all or none; give the number of those that were not there yet.

        They count when they are next added up (`make_current`).
        """
        with self._database.writing() as connection:
            return write_imported(connection, calls)

    def make_current(self, callers: Collection[str] | None = None) -> None:
        """Add up again what came late, was imported, or was added up under an older ruleset, of these callers or all.

        Where that is much, all cores do it; others who write are never kept waiting for long.
        """
        anew.make_current(self._database, callers)

    def rebuild_all(self, tell_progress: anew.TellProgress) -> None:
        """Judge every call again from its facts and add up everything anew, while others go on writing.

        `tell_progress` hears what is done, how much of it, and of how much.
        """
        anew.rebuild_all(self._database, tell_progress)

    def _pages(
        self, chosen: Select[tuple[object, ...]], limit: int | None, *, newest_first: bool, messages: bool
    ) -> Iterator[CallRecord]:
        """Read on from the last call of each page: between two pages the store is free for others."""
        ordered, left = _ordered(chosen, newest_first=newest_first), limit
        after: ColumnElement[bool] | None = None
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            with self._database.reading() as connection:
                page = ordered.limit(size) if after is None else ordered.where(after).limit(size)
                records = read_records(connection, page, messages=messages)
            yield from records
            if len(records) < size:
                return
            after = _beyond(records[-1], newest_first=newest_first)
            left = None if left is None else left - size


def _ordered(chosen: Select[tuple[object, ...]], *, newest_first: bool) -> Select[tuple[object, ...]]:
    if newest_first:
        return chosen.order_by(call.c.started_at.desc(), call.c.id.desc())
    return chosen.order_by(call.c.started_at, call.c.id)


def _beyond(last: CallRecord, *, newest_first: bool) -> ColumnElement[bool]:
    """Match the calls that come after this one in the order."""
    started_at, call_id, last_id = call.c.started_at, call.c.id, last.request.id
    same = started_at == last.started_at
    if newest_first:
        return or_(started_at < last.started_at, and_(same, call_id < last_id))
    return or_(started_at > last.started_at, and_(same, call_id > last_id))
