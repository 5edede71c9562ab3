"""The first tables in; scheduled rounds, what each attempt uses of the limits, pauses, incidents, the lease out."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MOMENT = sa.DateTime(timezone=True)
_PLACED = sa.text("talk_ms IS NOT NULL")
_REFUSED = sa.text("talk_ms IS NULL")


def upgrade() -> None:
    _extend_rounds()
    _extend_calls()
    _index_attempts()
    op.create_table(
        "pause",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("since", _MOMENT, primary_key=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("ended_at", _MOMENT),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
    )
    op.create_table(
        "incident",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("recorded_at", _MOMENT, nullable=False),
    )
    op.create_index("incident_recorded_at", "incident", ["recorded_at"])


def _extend_rounds() -> None:
    op.add_column("round", sa.Column("state", sa.Text, nullable=False, server_default="done"))
    op.add_column("round", sa.Column("planned_at", _MOMENT))
    op.add_column("round", sa.Column("ends_at", _MOMENT))
    op.add_column("round", sa.Column("why", sa.Text))
    op.execute("UPDATE round SET state = 'stopped' WHERE ended_at IS NULL")
    op.create_index("round_planned", "round", ["scenario", "planned_at"], unique=True)
    op.create_index("round_started_at", "round", ["started_at"])
    is_open = sa.text("state = 'open'")
    op.create_index("round_open", "round", ["scenario"], sqlite_where=is_open, postgresql_where=is_open)


def _extend_calls() -> None:
    op.add_column("call", sa.Column("control_of", sa.Text))
    op.add_column("call", sa.Column("talk_ms", sa.Integer))
    op.add_column("opinion", sa.Column("status", sa.Integer))
    op.add_column("opinion", sa.Column("definitive", sa.Boolean))
    # How long they talked stands in their messages only: the longest possible is held against the limits of a day.
    talked = "ending IS NULL OR ending IN ('answered', 'lost', 'agent_failed')"
    longest = f"CASE WHEN {talked} THEN hold_ms + 1000 ELSE 0 END"
    op.execute(f"UPDATE call SET talk_ms = {longest} WHERE ending IS NULL OR ending <> 'guarded'")  # noqa: S608 (nothing comes from outside)


def _index_attempts() -> None:
    for column in ("caller", "callee"):
        _index(f"attempt_{column}", [column, "started_at"], _PLACED)
    for column in ("trunk", "scenario"):
        _index(f"attempt_{column}", [column, "started_at", "talk_ms"], _PLACED)
    _index("attempt_started_at", ["started_at"], _PLACED)
    _index("refused_plan", ["round", "plan_key"], _REFUSED)
    op.create_index("call_control_of", "call", ["control_of"])


def _index(name: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, "call", columns, sqlite_where=where, postgresql_where=where)
