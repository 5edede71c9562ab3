"""How a call's trunk was set to protect it, with the call: nothing is known of the calls before."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("call", sa.Column("security", sa.JSON))
