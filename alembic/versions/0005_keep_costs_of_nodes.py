"""Keep costs of nodes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("nodes") as table:
        table.add_column(sa.Column("calls", sa.BigInteger, nullable=False, server_default="0"))
        table.add_column(sa.Column("tokens", sa.BigInteger, nullable=False, server_default="0"))
        table.add_column(sa.Column("cost_usd", sa.Double, nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("nodes") as table:
        table.drop_column("cost_usd")
        table.drop_column("tokens")
        table.drop_column("calls")
