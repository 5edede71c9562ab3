"""The ledger of the fleet: planned calls in, those that a worker takes out; no call is ever taken twice.

`planned -> placing` is one transaction with the guard's count and the attempt, before the first packet, and
`placing -> done` is one with the facts of the call. A row whose worker died stays `placing` and is never dialled again:
when its lease is over it holds no line any more, and its call, which must be over by then, is marked as lost.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil, floor
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, literal_column, select, text, update
from sqlalchemy.sql.elements import ColumnElement

from probe.call import CallRequest
from probe.judged import JudgedCall, judge_call
from probe.scenario.guard import Refusal, refused_record
from probe.scenario.history import AlreadyPlanned
from probe.scenario.plan import ask_again_at
from probe.store import rows
from probe.store.admission import Answer, Asked, Gate, admit_all
from probe.store.database import Database
from probe.store.locks import Lock, take_turn
from probe.store.planned import PlanState, agree
from probe.store.refusals import write_refusals
from probe.store.scheduling import Holder, Scheduling, read_holder
from probe.store.schema import pace, planned, worker

AHEAD: Final = timedelta(seconds=1)
"""A worker takes calls that may start within so long."""

MOST: Final = 64
"""A worker takes at most so many calls at once, and leaves the rest to others meanwhile."""

_PAGES = 4
_SLACK = timedelta(seconds=60)  # as `Store.mark_lost` has it: the lease ends when the call must be over
_KEEP = timedelta(days=2)
_LOOK_AGAIN = timedelta(seconds=10)
_PRESENT = timedelta(seconds=30)

# Who wakes the workers of a site: queues in, jobs in the transaction of that connection out.
Wake = Callable[[Connection, Collection[tuple[str, str]]], None]
_Found = TypeVar("_Found")
Clock = Callable[[Connection], datetime]
# A call and the time in; the guard's question about it out.
GateOf = Callable[[CallRequest, datetime], Gate]


def _is(column: ColumnElement[str], state: PlanState) -> ColumnElement[bool]:
    """Compare with a constant: a partial index is no use to PostgreSQL for a value that it is told later."""
    return column == literal_column(f"'{state.value}'")


_is_planned, _is_placing = _is(planned.c.state, PlanState.PLANNED), _is(planned.c.state, PlanState.PLACING)
_of_queue = (planned.c.site == bindparam("of_site")) & (planned.c.trunk == bindparam("of_trunk"))
_live = _is_placing & (planned.c.lease_until > bindparam("now"))
_busy = planned.alias("busy")
_rung = select(_busy.c.callee).where(_is(_busy.c.state, PlanState.PLACING), _busy.c.lease_until > bindparam("now"))
_open = _is_planned & _of_queue & planned.c.scenario.in_(bindparam("scenarios", expanding=True))
_COUNT_LINES: Final = select(func.count()).select_from(planned).where(_live, _of_queue)
_NEXT_START: Final = select(pace.c.next_at).where(
    pace.c.site == bindparam("of_site"), pace.c.trunk == bindparam("of_trunk")
)
_DUE: Final = (
    select(planned.c.plan_key, planned.c.request, planned.c.until)
    .where(_open, planned.c.due_at <= bindparam("now"), planned.c.until > bindparam("now"))
    .where(planned.c.callee.not_in(_rung))
    .order_by(planned.c.due_at, planned.c.plan_key)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_NEXT_DUE: Final = select(func.min(planned.c.due_at)).where(_open, planned.c.due_at > bindparam("now"))
_TAKE: Final = (
    update(planned)
    .where(planned.c.plan_key == bindparam("key"))
    .values(state=PlanState.PLACING.value, worker=bindparam("by"), lease_until=bindparam("lease"))
)
_PUT_OFF: Final = update(planned).where(planned.c.plan_key == bindparam("key")).values(due_at=bindparam("at"))
_PUT_PACE: Final = text(
    "INSERT INTO pace (site, trunk, next_at) VALUES (:of_site, :of_trunk, :next_at) "
    "ON CONFLICT (site, trunk) DO UPDATE SET next_at = excluded.next_at"
).bindparams(bindparam("next_at", type_=pace.c.next_at.type))
_SEE: Final = text(
    "INSERT INTO worker (name, site, trunks, since, seen_at) VALUES (:name, :site, :trunks, :now, :now) "
    "ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at"
).bindparams(bindparam("trunks", type_=worker.c.trunks.type), bindparam("now", type_=worker.c.seen_at.type))


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a worker takes calls for: one trunk of one site, and the scenarios whose files it was given.

    `reach` is how far back the guard looks; None where no limit holds.
    """

    worker: str
    site: str
    trunk: str
    scenarios: tuple[str, ...]
    lines: int
    calls_per_second: float
    reach: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a worker took: each call with how long to wait before its INVITE, in seconds; and what the guard refused.

    `again_s` says when there may be more, if nothing ends or is planned before; `more` that there is more already.
    """

    calls: tuple[tuple[CallRequest, float], ...] = ()
    refused: tuple[JudgedCall, ...] = ()
    again_s: float | None = None
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueCount:
    """The calls of one trunk of one site by state; `lines` are those under a lease that lasts."""

    site: str
    trunk: str
    states: dict[str, int]
    lines: int
    oldest_due_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSeen:
    """A worker: since when it runs, when it was last heard of, and how many calls it has under way."""

    name: str
    site: str
    trunks: tuple[str, ...]
    since: datetime
    seen_at: datetime
    calls: int


def clock(connection: Connection) -> datetime:
    """Tell the time: that of the database where several machines share one, so that theirs need not agree."""
    if connection.dialect.name == "postgresql":
        told: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        return told.astimezone(UTC)
    return datetime.now(UTC)


class Plans:
    """Planned calls of all sites. Every method is one transaction and may be called from any thread.

    `clock` gives the time, asked inside the transaction.
    """

    def __init__(self, database: Database, clock: Clock = clock) -> None:
        self._database = database
        self._clock = clock

    @property
    def conninfo(self) -> str | None:
        """Where the database is, as libpq reads it, with the password; None for one that machines cannot share."""
        url = self._database.engine.url
        shared = url.get_backend_name() == "postgresql"
        return url.set(drivername="postgresql").render_as_string(hide_password=False) if shared else None

    def prepare(self, make_ready: Callable[[Connection], None]) -> None:
        """Let somebody put tables of his own beside the ledger, one process after the other."""
        with self._database.writing() as connection:
            take_turn(connection, Lock.SCHEMA)
            make_ready(connection)

    def now(self) -> datetime:
        """Tell the time by which calls are taken."""
        with self._database.reading() as connection:
            return self._clock(connection)

    def scheduling(self) -> Scheduling:
        """Give a claim to plan, of which one is good at a time."""
        return Scheduling(self._database)

    def holder(self) -> Holder | None:
        """Say who plans."""
        with self._database.reading() as connection:
            return read_holder(connection)

    def read(self, look: Callable[[Connection], _Found]) -> _Found:
        """Let somebody look at tables of his own beside the ledger."""
        with self._database.reading() as connection:
            return look(connection)

    def plan(self, requests: Sequence[CallRequest], until: datetime, wake: Wake) -> int:
        """Write what is due and not there yet, and wake the workers of its sites in the same transaction.

        From `until` on these calls are not dialled. Gives the number of the new ones.
        """
        keys = [request.plan_key for request in requests]
        with self._database.writing() as connection:
            there = set(connection.execute(select(planned.c.plan_key).where(planned.c.plan_key.in_(keys))).scalars())
            new = [request for request in requests if request.plan_key not in there]
            if new:
                now = self._clock(connection)
                connection.execute(insert(planned), [_row(request, now, until) for request in new])
                wake(connection, sorted({(request.site, request.trunk) for request in new}))
            return len(new)

    def take(self, served: Served, gate_of: GateOf, wake: Wake, most: int = MOST) -> Taken:
        """Take what is due and the guard lets through: its attempts are on the disk when this returns.

        Others are woken where more is left, once in a while.
        """
        with self._database.writing() as connection:
            take_turn(connection, Lock.ADMISSION)
            taken = _Taking(connection, served, gate_of, self._clock(connection)).take(most)
            if taken.more and taken.calls:
                wake(connection, [(served.site, served.trunk)])
            return taken

    def give_up(self) -> tuple[Refusal, ...]:
        """Refuse the planned calls whose time is over, whoever was to dial them."""
        with self._database.writing() as connection:
            take_turn(connection, Lock.ADMISSION)
            now = self._clock(connection)
            chosen = select(planned.c.request).where(_is_planned, planned.c.until <= now).limit(1_000)
            why = "Its round ended before this call could be placed."
            found = [_read(body) for body in connection.execute(chosen).scalars()]
            given_up = tuple(Refusal(request=request, rule="round_over", why=why) for request in found)
            judged = [judge_call(refused_record(one, now)) for one in given_up]
            write_refusals(connection, judged)
            agree(connection, [request.plan_key for request in found])
            return given_up

    def under_way(self, round_ids: Collection[str]) -> frozenset[str]:
        """Say in which of these rounds calls are planned or being placed."""
        chosen = select(planned.c.round).distinct().where(planned.c.round.in_(round_ids), _is_planned | _is_placing)
        with self._database.reading() as connection:
            return frozenset(connection.execute(chosen).scalars())

    def tidy(self) -> None:
        """Forget rows that ended days ago, and workers that are gone; the calls themselves stay."""
        with self._database.writing() as connection:
            now = self._clock(connection)
            connection.execute(delete(planned).where(~(_is_planned | _is_placing), planned.c.until < now - _KEEP))
            connection.execute(delete(worker).where(worker.c.seen_at < now - _KEEP))

    def greet(self, name: str, site: str, trunks: Sequence[str]) -> None:
        """Note that a worker is there."""
        with self._database.writing() as connection:
            now = self._clock(connection)
            connection.execute(_SEE, {"name": name, "site": site, "trunks": list(trunks), "now": now})

    def part(self, name: str) -> None:
        """Note that a worker leaves."""
        with self._database.writing() as connection:
            connection.execute(delete(worker).where(worker.c.name == name))

    def workers(self) -> tuple[WorkerSeen, ...]:
        """Give the workers that were heard of in the last half minute, and those that have calls under way."""
        under_way = select(planned.c.worker, func.count().label("calls")).where(_is_placing).group_by(planned.c.worker)
        theirs = under_way.subquery()
        chosen = select(worker, func.coalesce(theirs.c.calls, 0)).outerjoin(theirs, theirs.c.worker == worker.c.name)
        with self._database.reading() as connection:
            now = self._clock(connection)
            found = connection.execute(chosen.order_by(worker.c.site, worker.c.name)).all()
        seen = (_worker(row) for row in found)
        return tuple(one for one in seen if one.calls or one.seen_at > now - _PRESENT)

    def queues(self) -> tuple[QueueCount, ...]:
        """Count the calls of each trunk of each site by state."""
        columns = (planned.c.site, planned.c.trunk)
        counted = select(*columns, planned.c.state, func.count(), func.min(planned.c.due_at))
        with self._database.reading() as connection:
            now = self._clock(connection)
            found = connection.execute(counted.group_by(*columns, planned.c.state)).all()
            held = connection.execute(select(*columns, func.count()).where(_live).group_by(*columns), {"now": now})
            lines = {(site, trunk): count for site, trunk, count in held}
        return tuple(_counts(found, lines))


class _Taking:
    """One worker's look at one queue, inside the transaction in which it takes calls."""

    def __init__(self, connection: Connection, served: Served, gate_of: GateOf, now: datetime) -> None:
        self._connection = connection
        self._served = served
        self._gate_of = gate_of
        self._now = now
        self._key = {"of_site": served.site, "of_trunk": served.trunk, "now": now}
        self._of = self._key | {"scenarios": list(served.scenarios)}
        self._step = max(timedelta(microseconds=1), timedelta(seconds=1 / served.calls_per_second))
        self._callees = set[str]()
        self._calls = list[tuple[CallRequest, float]]()
        self._refused = list[JudgedCall]()
        next_at = connection.execute(_NEXT_START, self._key).scalar()
        self._next_at = max(now, next_at or now)

    def take(self, most: int) -> Taken:
        room = min(most, self._free_lines(), self._starts())
        more = room > 0
        for _ in range(_PAGES):
            wanted = room - len(self._calls)
            if wanted <= 0:
                break
            page = self._connection.execute(_DUE, self._of | {"most": wanted}).all()
            self._ask(page)
            more = len(page) == wanted
            if not more:
                break
        self._write()
        again_s = self._again_s(paced=self._starts() < 1)
        return Taken(calls=tuple(self._calls), refused=tuple(self._refused), again_s=again_s, more=more)

    def _free_lines(self) -> int:
        """Leave half of what is free to the other workers of the site; the last line goes to whoever is first."""
        held = self._connection.execute(_COUNT_LINES, self._key).scalar_one()
        return ceil(max(0, self._served.lines - held) / 2)

    def _starts(self) -> int:
        """Count the calls that may start soon."""
        soon = self._now + AHEAD - self._next_at
        return floor(soon / self._step) + 1 if soon >= timedelta() else 0

    def _again_s(self, *, paced: bool) -> float | None:
        due_at = self._connection.execute(_NEXT_DUE, self._of).scalar()
        moments = [due_at] if due_at else []
        if paced:
            moments.append(self._next_at - AHEAD)
        return max(0.0, (min(moments) - self._now).total_seconds()) if moments else None

    def _ask(self, page: Sequence[Row[tuple[str, str, datetime]]]) -> None:
        asked: list[Asked] = []
        untils: dict[str, datetime] = {}
        for row in page:
            request = _read(row.request)
            if request.callee not in self._callees:  # a destination takes one call at a time
                self._callees.add(request.callee)
                asked.append((request, self._now, self._gate_of(request, self._now), self._served.reach))
                untils[row.plan_key] = row.until
        if asked:
            answers = admit_all(self._connection, asked)
            self._sort([request for request, *_ in asked], answers, untils)

    def _sort(self, requests: Sequence[CallRequest], answers: Sequence[Answer], untils: dict[str, datetime]) -> None:
        put_off, known, refused = [], list[str](), list[Refusal]()
        for request, answer in zip(requests, answers, strict=True):
            if answer is None:
                self._calls.append((request, (self._next_at - self._now).total_seconds()))
                self._next_at += self._step
            elif isinstance(answer, AlreadyPlanned):
                known.append(request.plan_key)
                put_off.append({"key": request.plan_key, "at": self._now + _LOOK_AGAIN})  # it may be under way
            elif at := ask_again_at(answer, self._now, untils[request.plan_key]):
                put_off.append({"key": request.plan_key, "at": at})
            else:
                refused.append(answer)
        if put_off:
            self._connection.execute(_PUT_OFF, put_off)
        if refused:
            judged = [judge_call(refused_record(one, self._now)) for one in refused]
            write_refusals(self._connection, judged)
            self._refused += judged
        agree(self._connection, known)

    def _write(self) -> None:
        if not self._calls:
            return
        taken = [{"key": one.plan_key, "by": self._served.worker, "lease": self._lease(one)} for one, _ in self._calls]
        self._connection.execute(_TAKE, taken)
        self._connection.execute(_PUT_PACE, self._key | {"next_at": self._next_at})

    def _lease(self, request: CallRequest) -> datetime:
        return self._now + timedelta(milliseconds=request.ring_limit_ms + request.hold_ms) + _SLACK


def _row(request: CallRequest, due_at: datetime, until: datetime) -> dict[str, Any]:
    return {
        "plan_key": request.plan_key,
        "site": request.site,
        "trunk": request.trunk,
        "scenario": request.scenario or "",
        "callee": request.callee,
        "round": request.round,
        "due_at": due_at,
        "until": until,
        "state": PlanState.PLANNED.value,
        "request": json.dumps(rows.request_row(request), separators=(",", ":")),
    }


def _read(body: str) -> CallRequest:
    return rows.request_of(json.loads(body))


def _worker(row: Row[Any]) -> WorkerSeen:
    name, site, trunks, since, seen_at, calls = row
    return WorkerSeen(name=name, site=site, trunks=tuple(trunks), since=since, seen_at=seen_at, calls=calls)


def _counts(found: Iterable[Row[Any]], lines: dict[tuple[str, str], int]) -> Iterable[QueueCount]:
    states: dict[tuple[str, str], dict[str, int]] = {}
    oldest: dict[tuple[str, str], datetime] = {}
    for site, trunk, state, count, due_at in found:
        states.setdefault((site, trunk), {})[state] = count
        if state == PlanState.PLANNED.value:
            oldest[site, trunk] = due_at
    for key in sorted(states):
        yield QueueCount(
            site=key[0], trunk=key[1], states=states[key], lines=lines.get(key, 0), oldest_due_at=oldest.get(key)
        )
