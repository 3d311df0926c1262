"""Keep what the web server needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

RUN_ID = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
DIGEST = sa.String(64)
WORD = sa.String(32)
USER = sa.String(64)
INSTANT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

TABLES = (
    "tokens",
    "sessions",
    "run_owners",
    "sources",
    "webhooks",
    "deliveries",
    "audit",
    "replays",
)


def upgrade() -> None:
    create_tokens()
    create_sessions()
    create_run_owners()
    create_sources()
    create_webhooks()
    create_deliveries()
    create_audit()
    create_replays()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)


def create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", WORD, nullable=False),
        sa.Column("user", USER, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("scope", WORD, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.Column("used_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )


def create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("token_id", WORD, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["token_id"], ["tokens.id"], ondelete="CASCADE", name="fk_sessions_token_id_tokens"
        ),
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])
    op.create_index("ix_sessions_token_id", "sessions", ["token_id"])


def create_run_owners() -> None:
    op.create_table(
        "run_owners",
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("user", USER, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_run_owners"),
        run_reference("run_owners"),
    )
    op.create_index("ix_run_owners_user", "run_owners", ["user"])


def create_sources() -> None:
    op.create_table(
        "sources",
        sa.Column("id", WORD, nullable=False),
        sa.Column("user", USER, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("commit", DIGEST),
        sa.Column("files", sa.Integer, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
    )
    op.create_index("ix_sources_user_created_at", "sources", ["user", "created_at"])


def create_webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", WORD, nullable=False),
        sa.Column("user", USER, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("kinds", sa.JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_user", "webhooks", ["user"])


def create_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("webhook_id", WORD, nullable=False),
        sa.Column("run_id", RUN_ID, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", INSTANT),
        sa.Column("delivered_at", INSTANT),
        sa.Column("said", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("webhook_id", "run_id", "sequence", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            ondelete="CASCADE",
            name="fk_deliveries_webhook_id_webhooks",
        ),
        run_reference("deliveries"),
    )
    op.create_index("ix_deliveries_due_at", "deliveries", ["due_at"])
    op.create_index("ix_deliveries_run_id", "deliveries", ["run_id"])


def create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", NUMBER, nullable=False, autoincrement=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("user", USER, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("action", WORD, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def create_replays() -> None:
    op.create_table(
        "replays",
        sa.Column("user", USER, nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request", DIGEST, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("user", "key", name="pk_replays"),
    )
    op.create_index("ix_replays_created_at", "replays", ["created_at"])


def run_reference(table: str) -> sa.ForeignKeyConstraint:
    """Whatever is known of a run goes with it."""
    return sa.ForeignKeyConstraint(
        ["run_id"], ["runs.id"], ondelete="CASCADE", name=f"fk_{table}_run_id_runs"
    )
