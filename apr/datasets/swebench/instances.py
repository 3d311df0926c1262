"""SWE-bench's rows and predictions as its files hold them: JSON, JSON lines or parquet."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError, EnvironmentUnusableError

NEEDED = ("instance_id", "repo", "version", "base_commit", "patch", "test_patch")


@dataclass(frozen=True, slots=True)
class Instance:
    """One row. `gold_patch` is the developer's; the test names are as the dataset cuts them."""

    instance_id: str
    repository: str
    version: str
    base_commit: str
    gold_patch: str
    test_patch: str
    problem_statement: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a tool proposes for an instance: `tool` names it, `patch` is a unified diff."""

    instance_id: str
    tool: str
    patch: str


def load_instances(path: Path, wanted: Collection[str] | None = None) -> dict[str, Instance]:
    """The instances of a file by id, or those `wanted`.

    Raises:
        BadInputError: when the file cannot be read or its rows are none of SWE-bench.
        EnvironmentUnusableError: when it is parquet and pyarrow is not installed.
    """
    found = {}
    for row in read_rows(path):
        if wanted is None or row.get("instance_id") in wanted:
            instance = _parse_instance(row, path)
            found[instance.instance_id] = instance
    return found


def load_predictions(path: Path) -> tuple[Prediction, ...]:
    """The predictions of a file, empty patches left out, in the file's order.

    Raises:
        BadInputError: when the file cannot be read or holds something else.
    """
    found = []
    for row in read_rows(path):
        name, patch = row.get("instance_id"), row.get("model_patch")
        if not isinstance(name, str) or not isinstance(patch, str | None):
            raise BadInputError(f"{path} has a row without instance_id and model_patch")
        if patch and patch.strip():
            found.append(Prediction(name, str(row.get("model_name_or_path") or "?"), patch))
    return tuple(found)


def read_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a JSON list (or object by id), of JSON lines, or of a parquet file."""
    if path.suffix == ".parquet":
        rows: Any = _read_parquet(path)
    else:
        rows = _read_json(path)
    if isinstance(rows, dict):
        rows = [{"instance_id": key, **row} for key, row in rows.items() if isinstance(row, dict)]
    for row in rows:
        if not isinstance(row, dict):
            raise BadInputError(f"{path} has a row that is no object")
        yield row


def _read_json(path: Path) -> Any:
    try:
        text = path.read_text("utf-8")
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, list | dict):
        raise BadInputError(f"{path} holds no rows")
    return found


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise EnvironmentUnusableError(
            "parquet files need pyarrow: install the extra bench"
        ) from error
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error
    return rows


def _parse_instance(row: Mapping[str, Any], path: Path) -> Instance:
    missing = [key for key in NEEDED if not isinstance(row.get(key), str)]
    if missing:
        raise BadInputError(f"{path} has a row without {', '.join(missing)}")
    return Instance(
        instance_id=row["instance_id"],
        repository=row["repo"],
        version=row["version"],
        base_commit=row["base_commit"],
        gold_patch=row["patch"],
        test_patch=row["test_patch"],
        problem_statement=str(row.get("problem_statement") or ""),
        fail_to_pass=_names(row.get("FAIL_TO_PASS"), path),
        pass_to_pass=_names(row.get("PASS_TO_PASS"), path),
    )


def _names(given: Any, path: Path) -> tuple[str, ...]:
    """A list, or one as JSON text: both forms are published."""
    try:
        found = json.loads(given) if isinstance(given, str) and given else given or []
    except ValueError as error:
        raise BadInputError(f"{path} has a list of tests that is no JSON: {error}") from error
    return tuple(str(name) for name in found)
