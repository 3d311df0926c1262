"""Artifacts outside the database: in a folder and in S3 alike."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apr.core.bug import Bug, RunnerKind, TestCommand
from apr.core.errors import BadInputError, StoreError, StoreUnavailableError
from apr.core.run import Budget, RepairRun, RunStatus, Usage
from apr.storage.blobs import BlobStore, FolderBlobs, open_blobs
from apr.storage.engine import make_engine
from apr.storage.migrate import ensure_schema
from apr.storage.store import SqlRunStore
from support.e2e import Apr
from support.s3_server import s3_serving

CONTENT = b"what happened\n" * 100
NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=3)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A place in S3; the variables that lead there are set."""
    import boto3

    with s3_serving() as environment, pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="artifacts")
        client.put_object(Bucket="artifacts", Key="runs/readme.txt", Body=b"not ours")
        yield "s3://artifacts/runs"


@pytest.fixture(params=["folder", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "folder":
        return open_blobs(str(tmp_path / "artifacts"))
    return open_blobs(request.getfixturevalue("bucket"))


@pytest.fixture
def store(blobs: BlobStore, tmp_path: Path) -> Iterator[SqlRunStore]:
    engine = make_engine(f"sqlite:///{tmp_path}/apr.db")
    ensure_schema(engine)
    made = SqlRunStore(engine, blobs=blobs)
    bug = Bug("/subject", TestCommand(RunnerKind.PYTEST))
    for run_id in ("old", "young"):
        run = RepairRun(run_id, bug, {}, 1, RunStatus.QUEUED, Budget(), Usage(), NOW)
        made.create_run(run)
    yield made
    engine.dispose()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_an_artifact_comes_back_from_where_it_lies(store: SqlRunStore, blobs: BlobStore) -> None:
    store.save_artifact("old", "log", CONTENT)
    store.save_artifact("young", "log", CONTENT)
    assert store.load_artifact("young", "log") == CONTENT
    assert store.load_artifact("young", "other") is None
    kept = blobs.get(digest(CONTENT))
    assert kept is not None
    assert len(kept) < len(CONTENT)
    assert blobs.get(digest(b"never put")) is None


def test_what_was_damaged_or_lost_is_not_believed(store: SqlRunStore, blobs: BlobStore) -> None:
    store.save_artifact("old", "log", CONTENT)
    blobs.put(digest(CONTENT), b"something else")
    with pytest.raises(StoreError, match="log of run old was changed"):
        store.load_artifact("old", "log")
    blobs.sweep(lambda digests: (), LATER)
    with pytest.raises(StoreError, match="no longer among the artifacts"):
        store.load_artifact("old", "log")


def test_old_contents_that_no_run_has_are_swept(
    store: SqlRunStore, blobs: BlobStore, tmp_path: Path
) -> None:
    store.save_artifact("old", "own", b"own")
    for run_id in ("old", "young"):
        store.save_artifact(run_id, "shared", CONTENT)
    store.set_status("old", RunStatus.SUCCEEDED)
    assert store.delete_runs(LATER).runs == 1
    assert blobs.get(digest(b"own")) is not None  # someone may be about to name it
    later = SqlRunStore(store._engine, lambda: LATER, blobs=blobs)
    assert later.delete_runs(LATER, only_count=True).runs == 0
    assert blobs.get(digest(b"own")) is not None
    later.delete_runs(LATER)
    assert blobs.get(digest(b"own")) is None
    assert store.load_artifact("young", "shared") == CONTENT


def test_strangers_in_the_bucket_are_left_alone(bucket: str) -> None:
    import boto3

    open_blobs(bucket).sweep(lambda digests: (), LATER)
    body = boto3.client("s3").get_object(Bucket="artifacts", Key="runs/readme.txt")["Body"]
    assert body.read() == b"not ours"


def test_what_cannot_be_used_is_told_in_one_sentence(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="the bucket absent refuses"):
        open_blobs("s3://absent").put(digest(b"a"), b"a")
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailableError, match="Not a directory"):
        FolderBlobs(tmp_path / "file").put(digest(b"a"), b"a")
    for place in ("s3://", "relative/path", "ftp://host"):
        with pytest.raises(BadInputError, match="is neither"):
            open_blobs(place)
    code = "import sys; sys.modules['boto3'] = None; from apr.cli.main import run; run()"
    told = subprocess.run(
        [sys.executable, "-c", code, "runs"],
        env=Apr(tmp_path).environment | {"APR_ARTIFACTS": bucket},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout) == (3, "")
    assert "pip install 'apr[s3]'" in told.stderr


def test_an_artifact_elsewhere_is_not_found_without_its_place(
    store: SqlRunStore, tmp_path: Path
) -> None:
    store.save_artifact("old", "log", CONTENT)
    with pytest.raises(StoreError, match="set APR_ARTIFACTS"):
        SqlRunStore(store._engine).load_artifact("old", "log")
    SqlRunStore(store._engine).save_artifact("young", "log", CONTENT)
    assert SqlRunStore(store._engine).load_artifact("old", "log") == CONTENT
