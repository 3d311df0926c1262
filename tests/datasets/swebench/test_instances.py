"""SWE-bench's files in the forms in which they are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.datasets.swebench.instances import (
    Prediction,
    load_instances,
    load_predictions,
    parse_predictions,
)
from apr.datasets.swebench.recipes import find_recipe

ROW: dict[str, Any] = {
    "instance_id": "a__b-1",
    "repo": "a/b",
    "version": "1.10",
    "base_commit": "0" * 40,
    "patch": "",
    "test_patch": "",
    "FAIL_TO_PASS": '["test_x"]',
    "PASS_TO_PASS": ["test_y", "test_z"],
}


@pytest.mark.parametrize("form", ["json", "jsonl", "parquet"])
def test_all_forms_say_the_same(form: str, tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "instance_id": "a__b-2"}]
    path = tmp_path / f"rows.{form}"
    if form == "parquet":
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(arrow.Table.from_pylist(rows), path)
    else:
        lines = "\n".join(map(json.dumps, rows)) if form == "jsonl" else json.dumps(rows)
        path.write_text(lines)
    found = load_instances(path)
    assert list(found) == ["a__b-1", "a__b-2"]
    assert found["a__b-1"].fail_to_pass == ("test_x",)
    assert found["a__b-1"].pass_to_pass == ("test_y", "test_z")
    assert list(load_instances(path, {"a__b-2"})) == ["a__b-2"]


def test_predictions_come_as_a_list_by_id_or_line_by_line(tmp_path: Path) -> None:
    row = {"instance_id": "a__b-1", "model_name_or_path": "tool", "model_patch": "diff"}
    other = {"instance_id": "a__b-2", "model_patch": None}
    forms = {
        "list.json": json.dumps([row, other]),
        "id.json": json.dumps({"a__b-1": row, "a__b-2": {"model_patch": ""}}),
        "lines.jsonl": f"{json.dumps(row)}\n{json.dumps(other)}\n",
        "named-as-you-like": f"{json.dumps(row)}\n\n{json.dumps(other)}",
    }
    expected = (Prediction("a__b-1", "tool", "diff"), Prediction("a__b-2", "None", ""))
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        assert load_predictions(tmp_path / name) == expected
    assert parse_predictions(json.dumps(row), "the request") == expected[:1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("3", "holds no rows"),
        ("[1]", "no object"),
        ('[{"instance_id": "x"}]', "without repo, version"),
        (json.dumps([{**ROW, "FAIL_TO_PASS": "[1,"}]), "no JSON"),
    ],
)
def test_what_is_no_dataset_is_refused_in_a_sentence(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    with pytest.raises(BadInputError, match=said):
        load_instances(path)


def test_versions_are_compared_as_numbers() -> None:
    assert find_recipe("sympy/sympy", "1.10").packages == find_recipe("sympy/sympy", "1.2").packages
    with pytest.raises(EnvironmentUnusableError, match=r"sympy/sympy before 1\.2 is not known"):
        find_recipe("sympy/sympy", "1.1")
    with pytest.raises(
        EnvironmentUnusableError, match=r"sphinx 4\.1 does not run on CPython 3\.11"
    ):
        find_recipe("sphinx-doc/sphinx", "4.1")
    with pytest.raises(EnvironmentUnusableError, match="django/django is not known"):
        find_recipe("django/django", "4.2")
