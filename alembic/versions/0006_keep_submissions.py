"""Keep submissions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("submitted_at", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("priority", sa.Integer, nullable=False, server_default="0"))
        table.create_index("ix_runs_submitted_at", ["submitted_at"])


def downgrade() -> None:
    with op.batch_alter_table("runs") as table:
        table.drop_index("ix_runs_submitted_at")
        table.drop_column("priority")
        table.drop_column("submitted_at")
