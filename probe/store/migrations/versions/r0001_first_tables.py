"""An empty database in; rounds, calls with their messages and opinions, and the outbox out."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _create_rounds_and_calls()
    _create_messages_and_opinions()
    _create_outbox()


def _create_rounds_and_calls() -> None:
    op.create_table(
        "round",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("scenario", sa.Text, nullable=False),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("planned", sa.Integer, nullable=False),
        sa.Column("ended_at", _MOMENT),
        sa.Column("counts", sa.JSON),
    )
    op.create_table(
        "call",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("plan_key", sa.Text, nullable=False, unique=True),
        sa.Column("trunk", sa.Text, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("callee", sa.Text, nullable=False),
        sa.Column("consent", sa.Text),
        sa.Column("scenario", sa.Text),
        sa.Column("round", sa.Text, sa.ForeignKey("round.id")),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("network", sa.Text),
        sa.Column("label", sa.Text),
        sa.Column("campaign", sa.Text),
        sa.Column("ring_limit_ms", sa.Integer, nullable=False),
        sa.Column("hold_ms", sa.Integer, nullable=False),
        sa.Column("expect", sa.JSON),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT),
        sa.Column("ending", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("media", sa.JSON),
    )
    op.create_index("call_started_at", "call", ["started_at", "id"])
    op.create_index("call_caller", "call", ["caller", "started_at"])
    op.create_index("call_callee", "call", ["callee", "started_at"])
    op.create_index("call_round", "call", ["round"])
    unfinished = sa.text("ended_at IS NULL")
    op.create_index("call_unfinished", "call", ["started_at"], sqlite_where=unfinished, postgresql_where=unfinished)


def _create_messages_and_opinions() -> None:
    op.create_table(
        "message",
        sa.Column("call_id", sa.Text, sa.ForeignKey("call.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at_ms", sa.Float, nullable=False),
        sa.Column("direction", sa.Text, nullable=False),
        sa.Column("transport", sa.Text, nullable=False),
        sa.Column("local", sa.Text, nullable=False),
        sa.Column("remote", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("cut", sa.Boolean, nullable=False),
    )
    op.create_table(
        "opinion",
        sa.Column("call_id", sa.Text, sa.ForeignKey("call.id"), primary_key=True),
        sa.Column("ruleset", sa.Text, nullable=False),
        sa.Column("disposition", sa.Text, nullable=False),
        sa.Column("confidence", sa.Text, nullable=False),
    )
    op.create_index("opinion_disposition", "opinion", ["disposition"])


def _create_outbox() -> None:
    op.create_table(
        "event",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("timestamp", _MOMENT, nullable=False),
        sa.Column("subject", sa.Text),
        sa.Column("data", sa.JSON, nullable=False),
    )
    op.create_table(
        "delivery",
        sa.Column("event_seq", sa.Integer, sa.ForeignKey("event.seq"), primary_key=True),
        sa.Column("endpoint", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", _MOMENT),
        sa.Column("claimed_until", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.Column("reason", sa.Text),
    )
    waiting = sa.text("state = 'waiting'")
    columns = ["endpoint", "event_seq"]
    op.create_index("delivery_waiting", "delivery", columns, sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "endpoint",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("disabled_at", _MOMENT, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
