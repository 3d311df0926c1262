"""Create the tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RUN_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
DIGEST = sa.String(64)
WORD = sa.String(32)
INSTANT = sa.DateTime(timezone=True)

TABLES = (
    "subjects",
    "runs",
    "candidates",
    "reports",
    "nodes",
    "ranked_patches",
    "events",
    "blobs",
    "artifacts",
    "leases",
)


def upgrade() -> None:
    create_subjects()
    create_runs()
    create_candidates()
    create_reports()
    create_nodes()
    create_ranked_patches()
    create_events()
    create_artifacts()
    create_leases()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def create_subjects() -> None:
    op.create_table(
        "subjects",
        sa.Column("id", DIGEST, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("base_commit", sa.Text),
        sa.Column("bug", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subjects"),
    )


def create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", RUN_ID, nullable=False),
        sa.Column("subject_id", DIGEST, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("status", WORD, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("budget", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT),
        sa.Column("candidates", sa.BigInteger, nullable=False),
        sa.Column("validations", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("cost_usd", sa.Double, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("last_event", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subjects.id"], "fk_runs_subject_id_subjects", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_created_at_id", "runs", ["created_at", "id"])
    op.create_index("ix_runs_status_created_at", "runs", ["status", "created_at"])
    op.create_index("ix_runs_subject_id_created_at", "runs", ["subject_id", "created_at"])


def create_candidates() -> None:
    op.create_table(
        "candidates",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("patch_digest", DIGEST, nullable=False),
        sa.Column("patch", sa.JSON, nullable=False),
        to_run("candidates"),
        sa.PrimaryKeyConstraint("run_id", "patch_digest", name="pk_candidates"),
    )


def create_reports() -> None:
    op.create_table(
        "reports",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("patch_digest", DIGEST, nullable=False),
        sa.Column("verdict", WORD, nullable=False),
        sa.Column("stage", WORD, nullable=False),
        sa.Column("triggers_passed", sa.Integer, nullable=False),
        sa.Column("regressions_failed", sa.Integer, nullable=False),
        sa.Column("progress", sa.Double, nullable=False),
        sa.Column("duration_s", sa.Double, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        to_candidate("reports"),
        sa.PrimaryKeyConstraint("run_id", "patch_digest", name="pk_reports"),
    )
    op.create_index("ix_reports_run_id_verdict", "reports", ["run_id", "verdict"])


def create_nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("node_id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("parent_id", sa.Integer),
        sa.Column("patch_digest", DIGEST, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("prior", sa.Double, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("visits", sa.Integer, nullable=False),
        sa.Column("total_value", sa.Double, nullable=False),
        sa.Column("reward", sa.Double, nullable=False),
        sa.Column("exhausted", sa.Boolean, nullable=False),
        sa.Column("report_from_cache", sa.Boolean),
        to_candidate("nodes"),
        sa.PrimaryKeyConstraint("run_id", "node_id", name="pk_nodes"),
    )
    op.create_index("ix_nodes_run_id_parent_id", "nodes", ["run_id", "parent_id"])
    op.create_index("ix_nodes_run_id_patch_digest", "nodes", ["run_id", "patch_digest"])


def create_ranked_patches() -> None:
    op.create_table(
        "ranked_patches",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("rank", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("node_id", sa.Integer, nullable=False),
        sa.Column("diff", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("label", WORD, nullable=False),
        to_run("ranked_patches"),
        sa.PrimaryKeyConstraint("run_id", "rank", name="pk_ranked_patches"),
    )


def create_events() -> None:
    op.create_table(
        "events",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("sequence", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("published_at", INSTANT),
        to_run("events"),
        sa.PrimaryKeyConstraint("run_id", "sequence", name="pk_events"),
    )
    unpublished = sa.text("published_at IS NULL")
    op.create_index(
        "ix_events_unpublished",
        "events",
        ["at", "run_id", "sequence"],
        sqlite_where=unpublished,
        postgresql_where=unpublished,
    )


def create_artifacts() -> None:
    op.create_table(
        "blobs",
        sa.Column("sha256", DIGEST, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("compressed", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_blobs"),
    )
    op.create_table(
        "artifacts",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", DIGEST, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        to_run("artifacts"),
        sa.ForeignKeyConstraint(
            ["sha256"], ["blobs.sha256"], "fk_artifacts_sha256_blobs", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("run_id", "name", name="pk_artifacts"),
    )
    op.create_index("ix_artifacts_sha256", "artifacts", ["sha256"])


def create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        to_run("leases"),
        sa.PrimaryKeyConstraint("run_id", name="pk_leases"),
    )


def to_run(table: str) -> sa.ForeignKeyConstraint:
    """Rows of `table` go when their run goes."""
    return sa.ForeignKeyConstraint(
        ["run_id"], ["runs.id"], f"fk_{table}_run_id_runs", ondelete="CASCADE"
    )


def to_candidate(table: str) -> sa.ForeignKeyConstraint:
    """Rows of `table` go when their candidate goes."""
    return sa.ForeignKeyConstraint(
        ["run_id", "patch_digest"],
        ["candidates.run_id", "candidates.patch_digest"],
        f"fk_{table}_run_id_patch_digest_candidates",
        ondelete="CASCADE",
    )
