"""A caller's share of everybody's counts in; the same in parts, so that no row grows with every call, out."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE share RENAME COLUMN day TO part")
    # Each count had a comma behind it; now a part is a list.
    op.execute("UPDATE share SET body = '[' || substr(body, 1, length(body) - 1) || ']'")
