"""Planned calls for the workers of several sites in, and who these workers are."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_MOMENT = sa.DateTime(timezone=True)
_INDEXES = (
    ("planned_due", ["site", "trunk", "due_at", "plan_key"], "state = 'planned'"),
    ("planned_placing", ["lease_until"], "state = 'placing'"),
    ("planned_round", ["round"], "state = 'planned' OR state = 'placing'"),
)


def upgrade() -> None:
    op.create_table(
        "planned",
        sa.Column("plan_key", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("site", "trunk", "scenario", "callee")),
        sa.Column("round", sa.Text),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", _MOMENT),
    )
    for name, columns, where in _INDEXES:
        op.create_index(name, "planned", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_table(
        "pace",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("trunk", sa.Text, primary_key=True),
        sa.Column("next_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "worker",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("trunks", sa.JSON, nullable=False),
        sa.Column("since", _MOMENT, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
    )
