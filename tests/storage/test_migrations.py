"""Migrating: from empty to head and back, from several processes at once, by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import alembic
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from apr.core.errors import StoreError
from apr.storage.engine import make_engine, reading
from apr.storage.migrate import current_revision, ensure_schema, make_config, migrating
from apr.storage.tables import HEAD_REVISION, Base
from apr.storage.web_tables import TokenRow  # noqa: F401 - with it come all tables of the web

ROOT = Path(__file__).resolve().parents[2]
START_UP = """
import sys
from apr.storage.engine import make_engine
from apr.storage.migrate import ensure_schema
sys.stdin.readline()
ensure_schema(make_engine(sys.argv[1]))
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/apr.db"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    made = make_engine(url)
    yield made
    made.dispose()


def revision(engine: Engine) -> str | None:
    with reading(engine) as connection:
        return current_revision(connection)


def test_the_library_alembic_wins_over_the_folder_of_that_name() -> None:
    code = "import alembic, alembic.command; print(alembic.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == Path(str(alembic.__file__))


def test_the_code_names_the_last_revision() -> None:
    assert ScriptDirectory.from_config(make_config()).get_heads() == [HEAD_REVISION]


def test_the_migrated_schema_is_the_one_of_the_tables(engine: Engine) -> None:
    ensure_schema(engine)
    ensure_schema(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_downgrading_to_base_leaves_nothing(engine: Engine) -> None:
    ensure_schema(engine)
    with migrating(engine) as connection:
        config = make_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert revision(engine) is None
    ensure_schema(engine)
    assert revision(engine) == HEAD_REVISION


def test_processes_that_start_at_once_migrate_once(url: str, engine: Engine) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START_UP, url],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    assert [process.communicate()[1] for process in processes] == [b"", b""]
    assert [process.returncode for process in processes] == [0, 0]
    assert revision(engine) == HEAD_REVISION


def test_the_alembic_program_works_by_hand(url: str, engine: Engine) -> None:
    environment = {**os.environ, "APR_DATABASE_URL": url}
    program = [sys.executable, "-m", "alembic", "upgrade", "head"]
    subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert revision(engine) == HEAD_REVISION


def test_a_schema_newer_than_the_code_is_refused(engine: Engine) -> None:
    ensure_schema(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"schema revision 9999.*upgrade apr"):
        ensure_schema(engine)
