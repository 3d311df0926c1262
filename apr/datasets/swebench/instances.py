"""SWE-bench's rows and predictions as its files hold them: JSON, JSON lines or parquet."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError, EnvironmentUnusableError

GRADING = ("eval_script", "log_parser", "eval_type", "image")
NEEDED = ("instance_id", "repo", "version", "base_commit", "patch", "test_patch")


@dataclass(frozen=True, slots=True)
class Instance:
    """One row. `gold_patch` is the developer's; the test names are as the dataset cuts them.

    The last four say how the official harness evaluates a patch; older datasets lack them.
    """

    instance_id: str
    repository: str
    version: str
    base_commit: str
    gold_patch: str
    test_patch: str
    problem_statement: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    eval_script: str = ""
    log_parser: str = ""
    eval_type: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a tool proposes for an instance: `tool` names it, `patch` is a unified diff or empty."""

    instance_id: str
    tool: str
    patch: str


def load_dataset(name: str, split: str = "test") -> dict[str, Instance]:
    """The instances of a file, or of a published dataset, by id.

    Raises:
        BadInputError: when there is none of that name, or its rows are none of SWE-bench.
        EnvironmentUnusableError: when it cannot be fetched, or a library is not installed.
    """
    if Path(name).is_file():
        return load_instances(Path(name))
    from apr.datasets.swebench.hub import load_published

    found = (_parse_instance(row, name) for row in load_published(name, split))
    return {instance.instance_id: instance for instance in found}


def load_instances(path: Path, wanted: Collection[str] | None = None) -> dict[str, Instance]:
    """The instances of a file by id, or those `wanted`.

    Raises:
        BadInputError: when the file cannot be read or its rows are none of SWE-bench.
        EnvironmentUnusableError: when it is parquet and pyarrow is not installed.
    """
    found = {}
    for row in read_rows(path):
        if wanted is None or row.get("instance_id") in wanted:
            instance = _parse_instance(row, str(path))
            found[instance.instance_id] = instance
    return found


def load_predictions(path: Path) -> tuple[Prediction, ...]:
    """The predictions of a file in its order, empty patches included.

    Raises:
        BadInputError: when the file cannot be read or holds something else.
    """
    return tuple(_parse_prediction(row, str(path)) for row in read_rows(path))


def parse_predictions(text: str, source: str) -> tuple[Prediction, ...]:
    """The same of a text, in any of the forms; errors say that it came from `source`."""
    return tuple(_parse_prediction(row, source) for row in _as_rows(_parse(text, source), source))


def _parse_prediction(row: Mapping[str, Any], source: str) -> Prediction:
    name, patch = row.get("instance_id"), row.get("model_patch")
    if not isinstance(name, str) or not isinstance(patch, str | None):
        raise BadInputError(f"{source} has a row without instance_id and model_patch")
    return Prediction(name, str(row.get("model_name_or_path") or "None"), patch or "")


def read_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a JSON list (or object by id), of JSON lines, or of a parquet file."""
    if path.suffix == ".parquet":
        return _as_rows(_read_parquet(path), str(path))
    try:
        text = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path} cannot be read: {error}") from error
    return _as_rows(_parse(text, str(path)), str(path))


def _as_rows(found: Any, source: str) -> Iterator[Mapping[str, Any]]:
    if isinstance(found, dict) and isinstance(found.get("instance_id"), str):
        found = [found]
    elif isinstance(found, dict):
        found = [{"instance_id": key, **row} for key, row in found.items() if isinstance(row, dict)]
    if not isinstance(found, list):
        raise BadInputError(f"{source} holds no rows")
    for row in found:
        if not isinstance(row, dict):
            raise BadInputError(f"{source} has a row that is no object")
        yield row


def _parse(text: str, source: str) -> Any:
    """JSON, or JSON lines."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as whole:
        try:
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        except (ValueError, RecursionError):
            raise BadInputError(f"{source} cannot be read: {whole}") from whole


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


def _parse_instance(row: Mapping[str, Any], source: str) -> Instance:
    missing = [key for key in NEEDED if not isinstance(row.get(key), str)]
    if missing:
        raise BadInputError(f"{source} has a row without {', '.join(missing)}")
    return Instance(
        instance_id=row["instance_id"],
        repository=row["repo"],
        version=row["version"],
        base_commit=row["base_commit"],
        gold_patch=row["patch"],
        test_patch=row["test_patch"],
        problem_statement=str(row.get("problem_statement") or ""),
        fail_to_pass=_names(row.get("FAIL_TO_PASS"), source),
        pass_to_pass=_names(row.get("PASS_TO_PASS"), source),
        **{key: str(row.get(key) or "") for key in GRADING},
    )


def _names(given: Any, source: str) -> tuple[str, ...]:
    """A list, or one as JSON text: both forms are published."""
    try:
        found = json.loads(given) if isinstance(given, str) and given else given or []
    except ValueError as error:
        raise BadInputError(f"{source} has a list of tests that is no JSON: {error}") from error
    return tuple(str(name) for name in found)
