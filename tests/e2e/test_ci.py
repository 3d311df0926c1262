"""`apr ci`, and the steps of the GitHub Action and the GitLab template, run as the systems do."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.guides import fenced

ROOT = Path(__file__).resolve().parents[2]
APR = Path(sys.executable).parent / "apr"
FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    "test_calc.py": "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
    "report.xml": (
        '<testsuite><testcase classname="test_calc" name="test_add"><failure/></testcase>'
        "</testsuite>"
    ),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all tests here, so that the program is measured once."""
    return tmp_path_factory.mktemp("ci-data")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The same content for every test, so that what one has measured serves the others."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def run(command: list[str], folder: Path, data: Path, **more: str) -> tuple[int, str]:
    variables = {**os.environ, "APR_DATA_DIR": str(data), **more}
    variables.pop("APR_DATABASE_URL", None)
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stderr


def test_a_job_gets_a_patch_and_every_file(project: Path, data: Path) -> None:
    [command] = [block for block in fenced("ci.md", "sh") if block.startswith("apr ci")]
    words = shlex.split(command.replace("path/to/project", "."))
    code, said = run([str(APR), *words[1:]], project, data)
    assert code == 0, said
    results = project / "apr-results"
    names = {path.name for path in results.iterdir()}
    assert names == {
        *("patch.diff", "run.sarif", "junit.xml", "summary.md", "report.html", "run.json"),
        "predictions.jsonl",
    }
    assert (
        subprocess.run(["git", "apply", str(results / "patch.diff")], cwd=project).returncode == 0
    )
    assert "return a + b" in (project / "calc.py").read_text()
    # The next job has nothing to repair, and must not show the patch of this one.
    (project / "report.xml").write_text('<testsuite><testcase name="x"/></testsuite>')
    code, said = run([str(APR), "ci", ".", "--report", "report.xml"], project, data)
    assert code == 0 and "nothing to repair" in said
    assert not (results / "patch.diff").exists()


@pytest.mark.parametrize(("gate", "expected"), [("failing", 1), ("never", 0)])
def test_the_gate_decides_what_fails_the_job(
    project: Path, data: Path, gate: str, expected: int
) -> None:
    code, said = run([str(APR), "ci", ".", "--gate", gate, "--out", "out"], project, data)
    assert code == expected, said
    assert (project / "out" / "patch.diff").exists()


def test_a_bad_request_is_never_let_through(project: Path, data: Path) -> None:
    words = [str(APR), "ci", ".", "--gate", "never", "--report", "absent.xml"]
    code, said = run(words, project, data)
    assert code == 2 and "cannot be read" in said


def github_steps() -> list[Mapping[str, Any]]:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    steps: list[Mapping[str, Any]] = action["runs"]["steps"]
    return steps


def test_the_github_action_gives_its_inputs_as_variables_only() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    assert all("${{" not in step["run"] for step in github_steps())
    given = {
        value.removeprefix("${{ inputs.").removesuffix(" }}")
        for step in github_steps()
        for value in step.get("env", {}).values()
    }
    assert given == set(action["inputs"])


def test_the_guide_gives_inputs_and_variables_that_there_are() -> None:
    github, gitlab = map(yaml.safe_load, fenced("ci.md", "yaml"))
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    [step] = [step for step in github["jobs"]["test"]["steps"] if step.get("id") == "apr"]
    assert set(step["with"]) <= set(action["inputs"])
    template = (ROOT / "deploy" / "ci" / "apr.gitlab-ci.yml").read_text()
    assert gitlab["repair"]["extends"] in yaml.safe_load(template)
    assert all(
        f"${name}" in template or f"${{{name}:" in template
        for name in (gitlab["repair"]["variables"])
    )
    assert (ROOT / gitlab["include"][0]["file"]).is_file()


def test_the_steps_of_the_github_action(project: Path, data: Path) -> None:
    """The install step would build this project again: its result is what the tests run in."""
    repair = github_steps()[-1]
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    chosen = {name: one["default"] for name, one in inputs.items()}
    chosen |= {"report": "report.xml", "python": sys.executable}
    temporary = project.parent / "runner"
    (temporary / "apr" / "bin").mkdir(parents=True)
    (temporary / "apr" / "bin" / "apr").symlink_to(APR)
    variables = {
        name: chosen[value.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, value in repair["env"].items()
    }
    files = {
        name: str(project.parent / name.lower())
        for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    }
    code, said = run(
        ["sh", "-e", "-c", repair["run"]],
        project,
        data,
        RUNNER_TEMP=str(temporary),
        GITHUB_ACTION_PATH=str(ROOT),
        **variables,
        **files,
    )
    assert code == 0, said
    outputs = Path(files["GITHUB_OUTPUT"]).read_text().splitlines()
    assert outputs == ["exit-code=0", "found=true", "results=apr-results"]
    assert "a plausible patch" in Path(files["GITHUB_STEP_SUMMARY"]).read_text()
    log = json.loads((project / "apr-results" / "run.sarif").read_text())
    assert log["runs"][0]["results"][0]["ruleId"] == "APR001"


def test_the_script_of_the_gitlab_template(project: Path, data: Path) -> None:
    job = yaml.safe_load((ROOT / "deploy" / "ci" / "apr.gitlab-ci.yml").read_text())[".apr"]
    home = project.parent / "home"
    (home / "env" / "bin").mkdir(parents=True)
    (home / "env" / "bin" / "apr").symlink_to(APR)
    variables = {**job["variables"], "APR_HOME": str(home), "APR_REPORT": "report.xml"}
    variables |= {"APR_PYTHON": sys.executable}
    script = "\n".join(job["script"])
    code, said = run(["sh", "-e", "-c", script], project, data, **variables)
    assert code == 0, said
    assert (project / "apr-results" / "patch.diff").exists()
    assert job["artifacts"]["reports"]["junit"] == "$APR_RESULTS/junit.xml"
