"""`apr evaluate` on a small repository: verdicts, files, resumption, and the official harness."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from apr.cli import evaluate_options
from apr.cli import options as options_of_all
from apr.cli.main import app
from support.e2e import ROOT, Apr, snapshot
from support.tiny_repository import GOLD, make_repository

PATCHES = {
    "right": GOLD,
    "wrong": GOLD.replace("n * 2", "n * 3"),
    "misfit": GOLD.replace("n + 2", "n + 7"),
    "empty": None,
    "lying": GOLD.replace(
        "+    return n * 2",
        "+    print('\\nPASSED test_shop.py::test_double\\n>>>>> End Test Output')\n"
        "+    import os; os._exit(0)",
    ).replace("-1,4 +1,4", "-1,4 +1,5"),
}
HELP = inspect.getsource(evaluate_options) + inspect.getsource(options_of_all)
OFFICIAL = """
import json, sys
from pathlib import Path
from swebench.harness.run_evaluation import run_instance
from swebench.harness.reporting import make_run_report
from swebench.harness.utils import make_test_spec
rows = json.loads(Path("rows.json").read_text())
given = {p["instance_id"]: p for p in json.loads(Path("predictions.json").read_text())}
for row in rows:
    log = Path("logs/run_evaluation/predictions/tool", row["instance_id"], "report.json")
    if log.exists():
        before = log.read_bytes()
        run_instance(make_test_spec(row), given[row["instance_id"]], None, "predictions",
                     rewrite_reports=True)
        assert log.read_bytes() == before, row["instance_id"]
make_run_report(given, rows, "predictions", None, "official")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with one bug under several names, and a prediction for each."""
    folder = tmp_path_factory.mktemp("evaluate")
    row = make_repository(folder / "clones")
    rows = [{**row, "instance_id": f"tiny__shop-{name}"} for name in (*PATCHES, "absent")]
    (folder / "rows.json").write_text(json.dumps(rows))
    predictions = [
        {"instance_id": f"tiny__shop-{n}", "model_name_or_path": "tool", "model_patch": patch}
        for n, patch in PATCHES.items()
    ]
    (folder / "predictions.json").write_text(json.dumps(predictions))
    return folder


@pytest.fixture(autouse=True)
def _private_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))


@pytest.fixture(scope="module")
def apr(folder: Path) -> Apr:
    apr = Apr(folder)
    apr.environment["XDG_CACHE_HOME"] = str(folder / "cache")
    return apr


def options(folder: Path) -> tuple[Any, ...]:
    return (
        *("--dataset", folder / "rows.json", "--predictions", folder / "predictions.json"),
        *("--repositories", folder / "clones", "--python", sys.executable),
        *("--output", folder, "--timeout", "100", "--format", "json"),
    )


@pytest.fixture(scope="module")
def report(folder: Path, apr: Apr) -> dict[str, Any]:
    done = apr("evaluate", *options(folder))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("tiny__shop-") == 4
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def run(*words: object) -> int:
    """The exit code of `apr evaluate` in this process."""
    with pytest.raises(SystemExit) as ended:
        app(["evaluate", *map(str, words)])
    return int(ended.value.code or 0)


def names(*short: str) -> list[str]:
    return [f"tiny__shop-{name}" for name in short]


def test_each_prediction_gets_its_verdict(report: dict[str, Any]) -> None:
    assert report["resolved_ids"] == names("right")
    assert report["unresolved_ids"] == names("lying", "wrong")
    assert report["error_ids"] == names("misfit")
    assert report["empty_patch_ids"] == names("empty")
    assert report["incomplete_ids"] == names("absent")
    assert report["infra_failure_ids"] == []


def test_the_official_harness_reads_the_logs_and_reports_the_same(
    report: dict[str, Any], folder: Path
) -> None:
    subprocess.run([sys.executable, "-c", OFFICIAL], cwd=folder, check=True, capture_output=True)
    official = json.loads((folder / "official" / "tool.predictions.json").read_text())
    ours = json.loads((folder / "tool.predictions.json").read_text())
    engine = ("unstopped_instances", "unstopped_containers", "unremoved_images")
    assert list(ours) == [*official, *engine]
    assert {key: ours[key] for key in official} == official


def test_what_takes_too_long_is_an_error_and_no_infrastructure(
    folder: Path, tmp_path: Path
) -> None:
    patch = GOLD.replace("+    return n * 2", "+    while n: pass")
    row = {"instance_id": "tiny__shop-right", "model_patch": patch}
    (tmp_path / "slow.json").write_text(json.dumps([row]))
    given = (*options(folder), "--predictions", tmp_path / "slow.json", "--output", tmp_path)
    assert run(*given, "--timeout", 1) == 0
    document = json.loads((tmp_path / "None.slow.json").read_text())
    assert document["error_ids"] == document["ambiguous_failure_ids"] == names("right")
    assert document["failure_reasons"] == {"tiny__shop-right": "tests_timed_out"}


def test_what_has_a_verdict_is_not_run_again(report: dict[str, Any], folder: Path) -> None:
    def state() -> dict[str, tuple[bytes, float]]:
        kept = folder / "logs/run_evaluation/predictions/tool"
        return {p: each for p, each in snapshot(kept).items() if not p.endswith("report.json")}

    before = state()
    assert len(before) == 12
    assert run(*options(folder)) == 0
    assert state() == before


def test_grading_again_runs_nothing(report: dict[str, Any], folder: Path) -> None:
    kept = folder / "logs/run_evaluation/predictions/tool/tiny__shop-right/report.json"
    right = kept.read_text()
    kept.write_text("{}")
    whole = (folder / "tool.predictions.json").read_bytes()
    assert (
        run(*options(folder), "--regrade", "--repositories", "nowhere", "--sandbox", "docker") == 0
    )
    assert kept.read_text() == right
    assert (folder / "tool.predictions.json").read_bytes() == whole


def test_the_commands_of_the_guide_are_commands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "guides" / "evaluate.md").read_text()
    (line,) = (each for each in text.splitlines() if each.startswith("apr evaluate"))
    monkeypatch.chdir(folder)
    assert run(*line.split()[2:], "--python", sys.executable) == 0
    assert "1 of 5 predictions resolved" in capsys.readouterr().out
    for option in re.findall(r"`(--[a-z-_]+)", text):
        assert option in HELP or option == "--rewrite_reports", option


def test_gold_is_given_by_name_in_the_official_words(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        *("--dataset_name", folder / "rows.json", "--predictions_path", "gold"),
        *("--run_id", "all", "--max_workers", "2", "--report_dir", folder),
        *("--repositories", folder / "clones", "--python", sys.executable),
        *("--instance_ids", *names("right", "wrong")),
    )
    assert code == 0
    assert "2 of 2 predictions resolved" in capsys.readouterr().out
    assert (folder / "gold.all.json").is_file()


def test_broken_infrastructure_is_no_verdict_and_is_asked_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (*options(folder), "--output", tmp_path, "--instance-ids", *names("right"))
    assert run(*given, "--repositories", tmp_path) == 3
    told = capsys.readouterr()
    assert "1 of 1 predictions have no verdict" in told.err
    document = json.loads(told.out)
    assert document["error_ids"] == document["infra_failure_ids"] == names("right")
    assert run(*given) == 0
    assert json.loads(capsys.readouterr().out)["resolved_ids"] == names("right")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("--instance-ids", "nobody"), "lacks nobody"),
        (("--dataset", "nowhere.json"), "there is no file nowhere.json"),
        (("--run-id", "../x"), "cannot name a folder"),
        (("--repositories", "nowhere"), "--repositories nowhere is no folder"),
    ],
)
def test_bad_input_is_told_in_a_sentence(
    changes: tuple[str, ...], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*options(folder), *changes) == 2
    told = capsys.readouterr()
    assert (told.out, said in told.err, told.err.count("\n")) == ("", True, 1)
