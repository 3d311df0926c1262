"""A CI job that has a server repair its project, with curl alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from apr.core.run import RunStatus
from support.attacks.base import plain_file, tar_of
from support.guides import fenced
from support.web_server import WebServer, web_server

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "ci" / "repair-by-api.sh"
FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n\n\ndef same(a):\n    return a\n",
    "test_calc.py": (
        "from calc import add, same\n\n\n"
        "def test_add():\n    assert add(1, 2) == 3\n    assert add(2, 2) == 4\n\n\n"
        "def test_same():\n    assert same(4) == 4\n"
    ),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Executes runs, in whichever sandbox works on this machine."""
    folder = tmp_path_factory.mktemp("served")
    with web_server(folder, authenticate=True, runs_at_once=1, sandbox="auto") as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def repair(server: WebServer, folder: Path, *words: str, **variables: str) -> tuple[int, str]:
    environment = {**os.environ, "APR_URL": server.url, "APR_TOKEN": server.token("ci")}
    done = subprocess.run(
        ["sh", str(SCRIPT), *words],
        cwd=folder,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr


def test_the_whole_flow_from_a_report_to_a_patch_that_git_applies(
    server: WebServer, project: Path
) -> None:
    report = (
        '<testsuite name="it &quot;is&quot;\\">\n<testcase classname="test_calc" name="test_add">'
        "<failure>assert -1 == 3\n\ttab</failure></testcase></testsuite>\n"
    )
    (project / "report.xml").write_text(report)
    [command] = [block for block in fenced("ci.md", "sh") if "repair-by-api.sh" in block]
    command = command.replace("https://apr.example.org", server.url)
    done = subprocess.run(
        ["sh", "-ec", command.replace("repair-by-api.sh", f"'{SCRIPT}'")],
        cwd=project,
        env={**os.environ, "TOKEN": server.token("ci"), "CI_JOB_ID": "job-17"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    results = project / "apr-results"
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)
    subprocess.run(["git", "apply", str(results / "patch.diff")], cwd=project, check=True)
    assert "return a + b" in (project / "calc.py").read_text()
    log = json.loads((results / "run.sarif").read_text())
    [result] = log["runs"][0]["results"]
    [change] = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "calc.py"
    assert change["replacements"][0]["deletedRegion"]["startLine"] == 2
    assert "return a + b" in change["replacements"][0]["insertedContent"]["text"]
    assert 'failures="0"' in (results / "junit.xml").read_text()
    assert "plausible patch" in (results / "summary.md").read_text()
    prediction = json.loads((results / "predictions.jsonl").read_text())
    assert prediction["model_patch"] == (results / "patch.diff").read_text()
    assert json.loads((results / "run.json").read_text())["seed"] == 0


def test_a_project_whose_tests_pass_cannot_be_repaired(server: WebServer, project: Path) -> None:
    (project / "calc.py").write_text(FILES["calc.py"].replace("a - b", "a + b"))
    code, said = repair(server, project)
    assert code == 3 and "failed" in said


def test_what_the_server_refuses_is_said_in_its_words(server: WebServer, project: Path) -> None:
    code, said = repair(server, project, APR_TOKEN="apr_wrong")
    assert code == 2 and "a valid token is needed" in said
    code, said = repair(server, project, APR_TEST="no-such-program")
    assert code == 2 and "was not found" in said


def test_a_server_that_is_not_there_is_an_environment_problem(
    server: WebServer, project: Path
) -> None:
    assert repair(server, project, APR_URL="http://127.0.0.1:9")[0] == 3


def test_a_server_that_stops_hands_its_run_to_the_next_one(tmp_path: Path) -> None:
    hopeless = "def add(a, b):\n    if a < b:\n        return a - b\n    return a * b - 7\n"
    test = "from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 'no'\n"
    archive = tar_of(
        plain_file("calc.py", hopeless.encode()), plain_file("test_calc.py", test.encode())
    )
    with web_server(tmp_path, runs_at_once=1) as first, first.client(None) as client:
        source = client.post("/sources/archive", content=archive).json()["source"]
        asked = {"source": source, "budget": {"candidates": 40}}
        run = client.post("/runs", json=asked).json()["run"]
        with client.stream("GET", f"/runs/{run}/events") as events:
            assert any("baseline" in line for line in events.iter_lines())
    kept = first.site.service.get_run(run)
    assert kept.status is RunStatus.QUEUED, kept.message
    with web_server(tmp_path, runs_at_once=1) as second, second.client(None) as client:
        with client.stream("GET", f"/runs/{run}/events", timeout=200) as events:
            assert 'data: {"status": "exhausted"}' in list(events.iter_lines())
        assert client.get(f"/runs/{run}").json()["usage"]["candidates"] == 40
