"""`apr bench patchdiff` on a small repository: verdicts, kinds, records, and a harmless page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support.e2e import Apr
from support.tiny_repository import GOLD, make_repository

PREDICTIONS = {
    "same": GOLD.replace("return n * 2", "return n * 2  # twice"),
    "<i>other": GOLD.replace("-    return n + 2", "-    return n + 2").replace(
        "+    return n * 2", "+    return n * 2 if n < 50 else 0"
    ),
}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Any, ...]:
    """The options that name the inputs."""
    row = make_repository(tmp_path / "clones")
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    predictions = [
        {"instance_id": row["instance_id"], "model_name_or_path": name, "model_patch": patch}
        for name, patch in PREDICTIONS.items()
    ]
    (tmp_path / "predictions.json").write_text(json.dumps(predictions))
    return (
        *("--dataset", tmp_path / "rows.json", "--predictions", tmp_path / "predictions.json"),
        *("--repositories", tmp_path / "clones", "--python", sys.executable),
        *("--seconds", "15", "--confirm", "2", "--output", tmp_path / "out"),
    )


def test_patches_are_told_apart_from_the_reference_once(
    files: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    apr = Apr(tmp_path)
    done = apr("bench", "patchdiff", *files, "--format", "json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["verdicts"] == {"identical": 1, "divergent": 1}
    assert (document["divergent"], document["proven"]) == (0.5, 1)
    assert (document["wording"], document["internal"]) == (0, 0)
    assert document["kinds"] == {"divergent-implementation": 1}
    assert done.stderr.count("tiny__shop-1") == 2
    page = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;i&gt;other" in page
    assert "<i>" not in page
    again = apr("bench", "patchdiff", *files, "--format", "json")
    assert json.loads(again.stdout) == document
    assert again.stderr == ""


def test_a_prediction_of_an_unknown_instance_is_refused(
    files: tuple[Any, ...], tmp_path: Path
) -> None:
    (tmp_path / "rows.json").write_text("[]")
    done = Apr(tmp_path)("bench", "patchdiff", *files)
    assert done.returncode == 2
    assert "lacks tiny__shop-1" in done.stderr
