"""What came of the signed card that a 608 names, with the call: none was fetched before."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("call", sa.Column("card", sa.JSON))
