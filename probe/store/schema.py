"""The tables, as SQLAlchemy sees them; `migrations` makes them, and a test holds the two together."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

# The newest migration. Known here so that opening a store need not import Alembic; a test compares the two.
REVISION = "0007"


class Instant(TypeDecorator[datetime]):
    """An aware moment, kept as UTC to the microsecond. SQLite has no zones: what comes back naive is UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (SQLAlchemy's signature)
        return value.astimezone(UTC) if value else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002 (SQLAlchemy's signature)
        """Give what reads a moment: of millions of calls, the way of SQLAlchemy itself takes a tenth of the time."""
        return _read_text if dialect.name == "sqlite" else _read_moment


def _read_text(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value + "Z") if value else None  # to give it a zone later takes five times as long


def _read_moment(value: datetime | None) -> datetime | None:
    return value.astimezone(UTC) if value else None


class PlainText(TypeDecorator[str]):
    """Text that others wrote: what no database takes (NUL, lone surrogates) is written as an escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (SQLAlchemy's signature)
        return value and value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _needed(name: str, kind: Any) -> Column[Any]:  # noqa: ANN401 (SQLAlchemy takes a type or an instance of it)
    return Column(name, kind, nullable=False)


metadata = MetaData()

round_ = Table(
    "round",
    metadata,
    Column("id", Text, primary_key=True),
    _needed("scenario", Text),
    _needed("started_at", Instant),
    _needed("planned", Integer),
    Column("ended_at", Instant),
    Column("counts", JSON(none_as_null=True)),
    _needed("state", Text),
    Column("planned_at", Instant),
    Column("ends_at", Instant),
    Column("why", PlainText),
)
Index("round_planned", round_.c.scenario, round_.c.planned_at, unique=True)
Index("round_started_at", round_.c.started_at)
_open = round_.c.state == "open"
Index("round_open", round_.c.scenario, sqlite_where=_open)

# The columns up to `expect`, `control_of`, and those from `lead_source` to `timezone` are the fields of CallRequest, by
# name; those from `ended_at` to `media` are empty until the end. `talk_ms` is the talk that counts against limits: the
# longest possible until the end, and NULL for what the guard refused or others placed, which counts nowhere.
# `counted_at` is the place of a call in the order in which calls are added up (`probe.store.standing`), where that is
# not `ended_at`.
call = Table(
    "call",
    metadata,
    Column("id", Text, primary_key=True),
    Column("plan_key", Text, nullable=False, unique=True),
    _needed("trunk", Text),
    _needed("caller", Text),
    _needed("callee", Text),
    Column("consent", PlainText),
    Column("scenario", Text),
    Column("round", Text, ForeignKey("round.id")),
    _needed("site", Text),
    Column("network", Text),
    Column("label", Text),
    Column("campaign", Text),
    _needed("ring_limit_ms", Integer),
    _needed("hold_ms", Integer),
    Column("expect", JSON(none_as_null=True)),
    _needed("started_at", Instant),
    Column("ended_at", Instant),
    Column("ending", Text),
    Column("detail", PlainText),
    Column("media", JSON(none_as_null=True)),
    Column("control_of", Text),
    Column("talk_ms", Integer),
    Column("lead_source", PlainText),
    Column("tags", JSON(none_as_null=True)),
    Column("timezone", Text),
    Column("digest", JSON(none_as_null=True)),
    Column("imported", PlainText),
    Column("counted_at", Instant),
    Column("security", JSON(none_as_null=True)),
    Column("card", JSON(none_as_null=True)),
)
Index("call_started_at", call.c.started_at, call.c.id)
Index("call_caller", call.c.caller, call.c.started_at)
Index("call_callee", call.c.callee, call.c.started_at)
Index("call_round", call.c.round, sqlite_where=call.c.round.is_not(None))
_unfinished = call.c.ended_at.is_(None)
Index("call_unfinished", call.c.started_at, sqlite_where=_unfinished)

_placed = call.c.talk_ms.is_not(None)
_refused = call.c.talk_ms.is_(None) & call.c.round.is_not(None)
for _columns in (
    (call.c.caller, call.c.started_at),
    (call.c.callee, call.c.started_at),
    (call.c.trunk, call.c.started_at, call.c.talk_ms),
    (call.c.scenario, call.c.started_at, call.c.talk_ms),
    (call.c.started_at,),
):
    Index(f"attempt_{_columns[0].name}", *_columns, sqlite_where=_placed)
Index("refused_plan", call.c.round, call.c.plan_key, sqlite_where=_refused)
Index("call_control_of", call.c.control_of, sqlite_where=call.c.control_of.is_not(None))

message = Table(
    "message",
    metadata,
    Column("call_id", Text, ForeignKey("call.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    _needed("at_ms", Float),
    _needed("direction", Text),
    _needed("transport", Text),
    _needed("local", Text),
    _needed("remote", Text),
    _needed("raw", LargeBinary),
    _needed("cut", Boolean),
)

opinion = Table(
    "opinion",
    metadata,
    Column("call_id", Text, ForeignKey("call.id"), primary_key=True),
    _needed("ruleset", Text),
    _needed("disposition", Text),
    _needed("confidence", Text),
    Column("status", Integer),
    Column("definitive", Boolean),
    Column("alerting_ms", Float),
    Column("final_ms", Float),
    Column("contacts", JSON(none_as_null=True)),
)
Index("opinion_disposition", opinion.c.disposition)

# `seq` is the order in which the events became facts.
event = Table(
    "event",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    _needed("type", Text),
    _needed("timestamp", Instant),
    Column("subject", Text),
    _needed("data", JSON),
)

delivery = Table(
    "delivery",
    metadata,
    Column("event_seq", Integer, ForeignKey("event.seq"), primary_key=True),
    Column("endpoint", Text, primary_key=True),
    _needed("state", Text),
    _needed("attempts", Integer),
    Column("next_try_at", Instant),
    Column("claimed_until", Instant),
    Column("ended_at", Instant),
    Column("reason", PlainText),
)
_waiting = delivery.c.state == "waiting"
Index("delivery_waiting", delivery.c.endpoint, delivery.c.event_seq, sqlite_where=_waiting)

# Only endpoints that are disabled stand here.
endpoint = Table(
    "endpoint",
    metadata,
    Column("name", Text, primary_key=True),
    _needed("disabled_at", Instant),
    _needed("why", PlainText),
)

# Those without an end are in force.
pause = Table(
    "pause",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("since", Instant, primary_key=True),
    _needed("why", PlainText),
    Column("ended_at", Instant),
)

# One row: the daemon that places the calls of this store's schedules.
lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    _needed("owner", Text),
    _needed("until", Instant),
)

# What went wrong with the daemon's own clock: a tick that came late, overlapped another, or failed.
incident = Table(
    "incident",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    _needed("kind", Text),
    _needed("at", Instant),
    _needed("recorded_at", Instant),
)
Index("incident_recorded_at", incident.c.recorded_at)

# What the calls of a caller ID on a network add up to (`probe.health.account`); network "" is all of them. `told_at`
# is when its state was last told to an endpoint. The body is JSON that no query looks into.
account = Table(
    "account",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("network", Text, primary_key=True),
    _needed("ruleset", Text),
    _needed("state", Text),
    Column("told_at", Instant),
    _needed("body", Text),
)
Index("account_state", account.c.state)
Index("account_ruleset", account.c.network, account.c.ruleset, account.c.caller)

# Counts of calls by what they have in common (`probe.health.tally`); caller "" is everybody. Rows stand in the order of
# their key: each call adds to a dozen of one caller's.
tally = Table(
    "tally",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("dimension", Text, primary_key=True),
    Column("value", PlainText, primary_key=True),
    *(_needed(name, Integer) for name in ("calls", "blocked", "through", "declined", "quiet")),
    sqlite_with_rowid=False,
)

# What everybody's counts have from some calls of one caller, as JSON: without it, that caller's calls could not be
# added up again. A part is named after one of the calls; where all were added up together, after their day (UTC).
share = Table(
    "share",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    _needed("body", Text),
    sqlite_with_rowid=False,
)

# Caller IDs whose accounts and tallies have to be made again from the calls before they are read. No two marks are
# equal: whoever makes them again sees by it whether more has come meanwhile.
stale = Table("stale", metadata, Column("caller", Text, primary_key=True), _needed("mark", Text))

# The book of redress: what each blocker did to each caller ID, and what was asked of it.
redress = Table(
    "redress",
    metadata,
    Column("caller", Text, primary_key=True),
    Column("blocker", PlainText, primary_key=True),
    _needed("first_seen", Instant),
    _needed("last_seen", Instant),
    _needed("count", Integer),
    _needed("contacts", JSON),
    _needed("networks", JSON),
    *(Column(name, Instant) for name in ("asked_at", "answered_at", "cleared_at", "back_at")),
)

# The ledger: calls that are planned for the workers of a site. A row is `planned`, then `placing` under the lease of
# one worker, whose attempt is written with it, and ends as `done`, `lost` or `refused`, with its call. From `until` on
# it is not dialled any more. The request is JSON that no query looks into.
planned = Table(
    "planned",
    metadata,
    Column("plan_key", Text, primary_key=True),
    *(_needed(name, Text) for name in ("site", "trunk", "scenario", "callee")),
    Column("round", Text),
    _needed("due_at", Instant),
    _needed("until", Instant),
    _needed("state", Text),
    _needed("request", Text),
    Column("worker", Text),
    Column("lease_until", Instant),
)
_due, _placing = planned.c.state == "planned", planned.c.state == "placing"
for _name, _by, _where in (
    ("planned_due", (planned.c.site, planned.c.trunk, planned.c.due_at, planned.c.plan_key), _due),
    ("planned_placing", (planned.c.lease_until,), _placing),
    ("planned_round", (planned.c.round,), _due | _placing),
):
    Index(_name, *_by, sqlite_where=_where, postgresql_where=_where)

# When the next call of a site over a trunk may start.
pace = Table(
    "pace",
    metadata,
    Column("site", Text, primary_key=True),
    Column("trunk", Text, primary_key=True),
    _needed("next_at", Instant),
)

# The workers that are there, and when they last said so.
worker = Table(
    "worker",
    metadata,
    Column("name", Text, primary_key=True),
    _needed("site", Text),
    _needed("trunks", JSON),
    _needed("since", Instant),
    _needed("seen_at", Instant),
)
