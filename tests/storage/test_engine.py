"""What goes wrong with a database becomes one sentence, never a password."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from apr.core.errors import StoreError
from apr.storage.engine import make_engine, reading, writing
from apr.storage.migrate import ensure_schema


def test_sqlite_is_opened_with_the_safe_settings(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/new/folder/apr.db")
    with reading(engine) as connection:
        names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]
    assert values == ["wal", 1, 30_000, 1]
    engine.dispose()


def test_a_malformed_file_is_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "apr.db"
    path.write_bytes(b"this is a letter, not a database" * 100)
    engine = make_engine(f"sqlite:///{path}")
    with pytest.raises(
        StoreError, match=r"apr\.db failed \(file is not a database\): name another"
    ):
        ensure_schema(engine)
    assert path.read_bytes() == b"this is a letter, not a database" * 100
    engine.dispose()


def test_a_folder_in_place_of_the_file_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open database file"):
        ensure_schema(make_engine(f"sqlite:///{tmp_path}"))


def test_a_folder_that_cannot_be_created_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be created"):
        make_engine(f"sqlite:///{tmp_path}/file/apr.db")


def test_a_read_only_database_is_refused_with_advice(tmp_path: Path) -> None:
    writable = make_engine(f"sqlite:///{tmp_path}/apr.db")
    with writing(writable):
        pass
    engine = make_engine(f"sqlite:///file:{tmp_path}/apr.db?mode=ro&uri=true")
    with pytest.raises(StoreError, match=r"readonly database.*make the file and its folder"):
        ensure_schema(engine)
    engine.dispose()
    writable.dispose()


def test_a_full_disk_is_told_and_what_was_committed_stays(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/apr.db")
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 20"))
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE t (x BLOB)")
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
    with pytest.raises(StoreError, match=r"disk is full.*free some space"), writing(engine) as full:
        full.exec_driver_sql("INSERT INTO t VALUES (zeroblob(1000000))")
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT x FROM t").scalars().all() == [1]
    engine.dispose()


@pytest.mark.parametrize("place", ["apr:s3cret@127.0.0.1:1/db", "127.0.0.1:1/db?password=s3cret"])
def test_an_absent_server_is_named_without_its_password(place: str) -> None:
    engine = make_engine(f"postgresql://{place}")
    with pytest.raises(StoreError, match=r"127\.0\.0\.1.*check that the server runs") as caught:
        ensure_schema(engine)
    assert "s3cret" not in str(caught.value)


def test_a_url_that_cannot_be_parsed_is_not_repeated() -> None:
    with pytest.raises(StoreError, match="cannot be parsed") as caught:
        make_engine("postgres//user:s3cret@host")
    assert "s3cret" not in str(caught.value)


def test_another_kind_of_database_is_refused_before_anything_is_created() -> None:
    with pytest.raises(StoreError, match="mysql databases are not supported") as caught:
        make_engine("mysql://user:s3cret@host/db")
    assert "s3cret" not in str(caught.value)
