"""Let the contents of artifacts lie outside the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("blobs") as table:
        table.alter_column("compressed", existing_type=sa.LargeBinary, nullable=True)


def downgrade() -> None:
    """What lies elsewhere is no longer found, so that it is forgotten."""
    op.execute(
        "DELETE FROM artifacts WHERE sha256 IN (SELECT sha256 FROM blobs WHERE compressed IS NULL)"
    )
    op.execute("DELETE FROM blobs WHERE compressed IS NULL")
    with op.batch_alter_table("blobs") as table:
        table.alter_column("compressed", existing_type=sa.LargeBinary, nullable=False)
