"""Keep counts of reports in columns, those of old reports from their documents; count losses."""

from __future__ import annotations

import json
import zlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COUNTS = ("triggers_total", "regressions_run", "regressions_total", "confirmations")


def upgrade() -> None:
    with op.batch_alter_table("reports") as table:
        for name in COUNTS:
            table.add_column(sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    _fill(op.get_bind())
    with op.batch_alter_table("runs") as table:
        table.add_column(sa.Column("losses", sa.Integer, nullable=False, server_default="0"))
        table.add_column(sa.Column("furthest", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("runs") as table:
        table.drop_column("furthest")
        table.drop_column("losses")
    with op.batch_alter_table("reports") as table:
        for name in reversed(COUNTS):
            table.drop_column(name)


def _fill(connection: sa.Connection) -> None:
    """A run at a time, since documents take more memory than there may be."""
    reports = sa.table("reports", *map(sa.column, ("run_id", "patch_digest", "document", *COUNTS)))
    mine = sa.and_(
        reports.c.run_id == sa.bindparam("run"), reports.c.patch_digest == sa.bindparam("digest")
    )
    statement = sa.update(reports).where(mine).values({n: sa.bindparam(n) for n in COUNTS})
    for (run_id,) in connection.execute(sa.select(reports.c.run_id).distinct()).all():
        of_run = sa.select(reports.c.patch_digest, reports.c.document)
        found = connection.execute(of_run.where(reports.c.run_id == run_id))
        values = [{"run": run_id, "digest": digest, **_counts(data)} for digest, data in found]
        connection.execute(statement, values)


def _counts(data: bytes) -> dict[str, Any]:
    document = json.loads(zlib.decompress(data))
    _, regressions_run, regressions_total = document["regressions"]
    numbers = (document["triggers"][1], regressions_run, regressions_total)
    return dict(zip(COUNTS, (*numbers, document.get("confirmations", 0)), strict=True))
