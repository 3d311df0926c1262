"""`apr bench swebench` on a small repository: from the issue, with a model, by given tests."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from apr.core.candidate import patch_from_diff
from apr.core.diff import parse_diff
from apr.datasets.swebench.instances import load_predictions
from support.e2e import Apr
from support.openai_server import Reply, answer, serving
from support.reported_repository import ISSUE, SHELF, make_reported

HIDDEN = ("test_the_last_one", "[3, 4]) == 4", "FAIL_TO_PASS")
WRITTEN = """\
```python
from shelf.items import last

def test_last():
    assert last([1, 2]) == 2
```"""
MENDED = "```python\ndef last(items):\n    return items[{}]\n```"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """The options that name the inputs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    row = make_reported(tmp_path / "clones")
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    return (
        *("bench", "swebench", "--dataset", tmp_path / "rows.json", "--format", "json"),
        *("--repositories", tmp_path / "clones", "--python", sys.executable),
        *("--jobs", "1", "--compare-seconds", "2"),
    )


def test_an_issue_with_an_example_is_repaired_and_submitted(
    files: tuple[Any, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "submission"
    done = Apr(tmp_path)(*files, "--patches", "1", "--candidates", "24", "--submission", folder)
    assert done.returncode == 0, done.stderr
    (bug,) = json.loads(done.stdout)["bugs"]
    assert (bug["verdict"], bug["reproduction"]) == ("plausible", "issue")
    assert bug["localization"] == "combined"
    assert bug["exact"] in (True, False)
    (prediction,) = load_predictions(folder / "all_preds.jsonl")
    assert (prediction.instance_id, prediction.patch) == (bug["bug"], bug["diff"])
    assert prediction.tool == "apr-template"
    patch = patch_from_diff(parse_diff(prediction.patch.encode()), {"shelf/items.py": SHELF})
    assert {hunk.path for hunk in patch.hunks} == {"shelf/items.py"}
    assert (folder / "logs" / bug["bug"] / "patch.diff").read_text() == bug["diff"]
    metadata = (folder / "metadata.yaml").read_text()
    assert 'attempts: "1"' in metadata
    assert 'name: "APR + template"' in metadata
    assert "- [ ]" not in (folder / "README.md").read_text()
    told = (folder / "trajs" / f"{bug['bug']}.md").read_text()
    assert ISSUE.splitlines()[0] in told
    assert "def test_issue" in told
    assert "### Candidate 1" in told
    assert not [hidden for hidden in HIDDEN if hidden in told]


def test_a_model_writes_the_test_and_most_of_its_patches_agree(
    files: tuple[Any, ...], tmp_path: Path
) -> None:
    (tmp_path / "rows.json").write_text(
        (tmp_path / "rows.json").read_text().replace("last([1, 2])", "...")
    )
    prompts: list[str] = []
    texts = iter(["len(items) - 1", "-1", "0 - 1"] * 20)

    def reply(number: int, request: dict[str, Any]) -> Reply:
        prompts.append(request["messages"][-1]["content"])
        if "Write one short pytest" in prompts[-1]:
            return answer(request, WRITTEN)
        return answer(request, MENDED.format(next(texts)))

    with serving(reply) as server:
        done = Apr(tmp_path)(
            *files, "--model", "small", "--base-url", server.base_url, "--patches", "2", "--quiet"
        )
    assert done.returncode == 0, done.stderr
    (bug,) = json.loads(done.stdout)["bugs"]
    assert (bug["verdict"], bug["reproduction"]) == ("plausible", "small"), done.stdout
    assert all(ISSUE.splitlines()[0] in prompt for prompt in prompts)
    assert not [h for h in HIDDEN for prompt in prompts if h in prompt]


def test_without_a_test_a_models_patch_has_to_break_nothing(
    files: tuple[Any, ...], tmp_path: Path
) -> None:
    rows = json.loads((tmp_path / "rows.json").read_text())
    rows[0]["problem_statement"] = "`last` is wrong, and nobody says how."
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    mended = MENDED.format(-1)
    useless = WRITTEN.replace("last([1, 2]) == 2", "sorted([2, 1]) == [1]")

    def reply(number: int, request: dict[str, Any]) -> Reply:
        asked = request["messages"][-1]["content"]
        return answer(request, useless if "Write one short pytest" in asked else mended)

    with serving(reply) as server:
        options = ("--model", "small", "--base-url", server.base_url, "--patches", "1")
        done = Apr(tmp_path)(*files, *options, "--quiet")
    assert done.returncode == 0, done.stderr
    (bug,) = json.loads(done.stdout)["bugs"]
    assert (bug["verdict"], bug["reproduction"]) == ("plausible", "none"), done.stdout
    assert bug["baseline"]["failing"] == 0
    assert "items[-1]" in bug["diff"]


def test_given_tests_and_the_lines_of_the_reference_patch(
    files: tuple[Any, ...], tmp_path: Path
) -> None:
    done = Apr(tmp_path)(*files, "--given-tests", "--localization", "perfect", "--divergence", "4")
    document = json.loads(done.stdout)
    (bug,) = document["bugs"]
    assert (bug["verdict"], bug["localization"], bug["reproduction"]) == (
        "plausible",
        "perfect",
        "",
    )
    assert bug["exact"] is True
    assert bug["divergence"] == "identical"
    assert (document["totals"]["exact"], document["totals"]["divergent"]) == (1, 0)


def test_without_an_example_and_without_a_model_nothing_is_guessed(
    files: tuple[Any, ...], tmp_path: Path
) -> None:
    rows = json.loads((tmp_path / "rows.json").read_text())
    rows[0]["problem_statement"] = "The last item of a shelf cannot be had."
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    done = Apr(tmp_path)(*files)
    (bug,) = json.loads(done.stdout)["bugs"]
    assert (bug["verdict"], bug["diff"], bug["candidates"]) == ("none", "", 0)
    assert "no example that could be run" in bug["message"]
