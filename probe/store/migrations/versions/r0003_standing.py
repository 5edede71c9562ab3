"""Calls in; what they add up to for each caller ID, the book of redress, and calls placed by others out."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_MOMENT = sa.DateTime(timezone=True)
_COUNTS = ("calls", "blocked", "through", "declined", "quiet")
_NOTED = ("asked_at", "answered_at", "cleared_at", "back_at")


def upgrade() -> None:
    for name in ("lead_source", "timezone", "imported"):
        op.add_column("call", sa.Column(name, sa.Text))
    op.add_column("call", sa.Column("counted_at", _MOMENT))
    for name in ("tags", "digest"):
        op.add_column("call", sa.Column(name, sa.JSON))
    for name in ("alerting_ms", "final_ms"):
        op.add_column("opinion", sa.Column(name, sa.Float))
    op.add_column("opinion", sa.Column("contacts", sa.JSON))
    _leave_imported_calls_out()
    _add_accounts()
    _add_redress()
    # An opinion made before has no times and no contacts: it is made again when it is next asked for.
    op.execute("UPDATE opinion SET ruleset = 'before 0003'")
    op.execute("INSERT INTO stale (caller, mark) SELECT DISTINCT caller, 'before 0003' FROM call")


def _leave_imported_calls_out() -> None:
    """Calls of others come by the million, and have neither a round nor a control call: they need no place there."""
    for name, columns, where in (
        ("call_round", ["round"], "round IS NOT NULL"),
        ("refused_plan", ["round", "plan_key"], "talk_ms IS NULL AND round IS NOT NULL"),
        ("call_control_of", ["control_of"], "control_of IS NOT NULL"),
    ):
        op.drop_index(name, "call")
        op.create_index(name, "call", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _add_accounts() -> None:
    op.create_table(
        "account",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("network", sa.Text, primary_key=True),
        sa.Column("ruleset", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("told_at", _MOMENT),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("account_state", "account", ["state"])
    op.create_index("account_ruleset", "account", ["network", "ruleset", "caller"])
    op.create_table(
        "tally",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("dimension", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _COUNTS),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "share",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table("stale", sa.Column("caller", sa.Text, primary_key=True), sa.Column("mark", sa.Text, nullable=False))


def _add_redress() -> None:
    op.create_table(
        "redress",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("blocker", sa.Text, primary_key=True),
        sa.Column("first_seen", _MOMENT, nullable=False),
        sa.Column("last_seen", _MOMENT, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("contacts", sa.JSON, nullable=False),
        sa.Column("networks", sa.JSON, nullable=False),
        *(sa.Column(name, _MOMENT) for name in _NOTED),
    )
