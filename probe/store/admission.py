"""Calls that ask to be placed in; the answers of their gates out, each given with those before it in mind.

The attempts of those that were let in are written in the same transaction.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, bindparam, insert, select
from sqlalchemy.sql.elements import ColumnElement

from probe.call import CallRequest
from probe.scenario.guard import Refusal
from probe.scenario.history import (
    DAY,
    NEWEST,
    AlreadyPlanned,
    Attempt,
    History,
    Used,
    longest_talk_ms,
    started_minutes,
)
from probe.store import rows
from probe.store.locks import Lock, take_turn
from probe.store.many import execute_many
from probe.store.past import ATTEMPTS, SINCE, read_attempts, read_pauses, read_used
from probe.store.schema import call, opinion, round_

Gate = Callable[[History], Refusal | None]
Asked = tuple[CallRequest, datetime, Gate, timedelta | None]
"""What is asked for, when, whom to ask, and how far back that one looks; None: no limit holds, no attempt counts."""
Answer = Refusal | AlreadyPlanned | None

_BEGIN = insert(call)
_PLANNED = select(call.c.plan_key).where(call.c.plan_key.in_(bindparam("keys", expanding=True)))


def _among(column: ColumnElement[Any]) -> ColumnElement[bool]:
    return column.in_(bindparam("names", expanding=True))


_STARTED = select(round_.c.started_at).where(_among(round_.c.id)).order_by(round_.c.started_at).limit(1)
_OF_CALLERS = ATTEMPTS.where(SINCE, _among(call.c.caller)).order_by(call.c.started_at)
_OF_CALLEES = ATTEMPTS.where(SINCE, _among(call.c.callee)).order_by(call.c.started_at)
_OF_TRUNK = ATTEMPTS.where(SINCE, call.c.trunk == bindparam("trunk")).order_by(call.c.started_at.desc()).limit(NEWEST)
_REFUSED_FOR_GOOD = _OF_CALLERS.where(opinion.c.definitive.is_(True))
# The clock that told when a round began may be another one than that of its calls.
_MARGIN = timedelta(minutes=1)


def admit_all(connection: Connection, asked: Sequence[Asked]) -> list[Answer]:
    """Ask each gate with the past as it is now, while no other process can change it, and write the attempts."""
    take_turn(connection, Lock.ADMISSION)
    past, let_in = _Past(connection, asked), list[dict[str, Any]]()
    answers: list[Answer] = []
    for request, at, gate, reach in asked:
        answer = past.known(request) or gate(past.history)
        if answer is None:
            past.add(request, at, counts=reach is not None)
            let_in.append(rows.request_row(request) | {"started_at": at})
        answers.append(answer)
    execute_many(connection, _BEGIN, let_in)
    return answers


class _Past:
    """What the gates look at, and no more: this is read while no other process may write. It grows with each call."""

    def __init__(self, connection: Connection, asked: Sequence[Asked]) -> None:
        keys = [request.plan_key for request, *_ in asked]
        self._keys = set(connection.execute(_PLANNED, {"keys": keys}).scalars())
        self._callers, self._callees = dict[str, tuple[Attempt, ...]](), dict[str, tuple[Attempt, ...]]()
        self._trunks, self._used = dict[str, tuple[Attempt, ...]](), dict[tuple[str, str], Used]()
        self._read_refused_for_good(connection, asked)
        limited = [(request, at, reach) for request, at, _, reach in asked if reach is not None]
        if limited:
            self._read_attempts(connection, [request for request, *_ in limited], _earliest(limited))
            self._read_use(connection, [request for request, *_ in limited], min(at for _, at, _ in limited))
        self.history = History(
            callers=self._callers,
            callees=self._callees,
            trunks=self._trunks,
            used=self._used,
            pauses=read_pauses(connection),
        )

    def _read_refused_for_good(self, connection: Connection, asked: Sequence[Asked]) -> None:
        """Whom a blocker that names itself has refused is not called again in that round, limits or not."""
        rounds = {request.round for request, *_ in asked if request.round is not None}
        if not rounds:
            return
        started = connection.execute(_STARTED, {"names": sorted(rounds)}).scalar()
        if started is not None:
            callers = {request.caller for request, *_ in asked}
            self._callers |= _by_caller(connection, _REFUSED_FOR_GOOD, callers, started - _MARGIN)

    def _read_attempts(self, connection: Connection, requests: Iterable[CallRequest], since: datetime) -> None:
        callers, callees = {one.caller for one in requests}, {one.callee for one in requests}
        for caller, attempts in _by_caller(connection, _OF_CALLERS, callers, since).items():
            before = [one for one in self._callers.get(caller, ()) if one.at <= since]
            self._callers[caller] = (*before, *attempts)
        found = defaultdict[str, list[Attempt]](list)
        for one in read_attempts(connection, _OF_CALLEES, {"since": since, "names": sorted(callees)}):
            found[one.callee].append(one)
        self._callees |= {callee: tuple(attempts) for callee, attempts in found.items()}

    def _read_use(self, connection: Connection, requests: Iterable[CallRequest], now: datetime) -> None:
        for trunk in {one.trunk for one in requests}:
            self._trunks[trunk] = read_attempts(connection, _OF_TRUNK, {"since": now - DAY, "trunk": trunk})
        for kind, name in {key for one in requests for key in _counted_under(one)}:
            self._used[kind, name] = read_used(connection, kind, name, now)

    def known(self, request: CallRequest) -> AlreadyPlanned | None:
        return AlreadyPlanned(plan_key=request.plan_key) if request.plan_key in self._keys else None

    def add(self, request: CallRequest, at: datetime, *, counts: bool) -> None:
        """Let an attempt be seen by those that ask after it."""
        self._keys.add(request.plan_key)
        if not counts:
            return
        new = _attempt(request, at)
        self._callers[new.caller] = (*self._callers.get(new.caller, ()), new)
        self._callees[new.callee] = (*self._callees.get(new.callee, ()), new)
        self._trunks[new.trunk] = (new, *self._trunks.get(new.trunk, ()))[:NEWEST]
        for key in _counted_under(request):
            used = self._used[key]
            self._used[key] = Used(
                calls=used.calls + 1,
                talk_ms=used.talk_ms + new.talk_ms,
                minutes=used.minutes + started_minutes(new.talk_ms),
                oldest_at=used.oldest_at or at,
            )


def _earliest(limited: Iterable[tuple[CallRequest, datetime, timedelta]]) -> datetime:
    return min(at - reach for _, at, reach in limited)


def _by_caller(
    connection: Connection, chosen: Select[Any], callers: Collection[str], since: datetime
) -> dict[str, tuple[Attempt, ...]]:
    found = defaultdict[str, list[Attempt]](list)
    for one in read_attempts(connection, chosen, {"since": since, "names": sorted(callers)}):
        found[one.caller].append(one)
    return {caller: tuple(attempts) for caller, attempts in found.items()}


def _counted_under(request: CallRequest) -> list[tuple[str, str]]:
    names = (("trunk", request.trunk), ("scenario", request.scenario))
    return [(kind, name) for kind, name in names if name is not None]


def _attempt(request: CallRequest, at: datetime) -> Attempt:
    return Attempt(
        call_id=request.id,
        at=at,
        caller=request.caller,
        callee=request.callee,
        trunk=request.trunk,
        plan_key=request.plan_key,
        scenario=request.scenario,
        round=request.round,
        ring_limit_ms=request.ring_limit_ms,
        hold_ms=request.hold_ms,
        control_of=request.control_of,
        talk_ms=longest_talk_ms(request.hold_ms),
        site=request.site,
    )
