"""The commands of the guides to the API and the dashboard work as they stand there."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from apr.cli.main import app
from support.guides import fenced, indented
from support.web_server import WebServer


def test_a_project_is_submitted_with_the_curl_of_the_guide(
    server: WebServer, project: Path
) -> None:
    [script] = fenced("api.md", "sh")
    upload, submit = script.split("curl -H", 1)[0], script.split("curl -H")
    environment = {**os.environ, "URL": server.url, "TOKEN": server.token("guide")}

    def sh(text: str) -> dict[str, object]:
        done = subprocess.run(
            ["sh", "-ec", text],
            cwd=project.parent,
            env=environment,
            capture_output=True,
            check=True,
        )
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    source = sh(f"{upload}curl -fsS -H{submit[1]}")["source"]
    told = "src-0123456789abcdef"
    assert told in submit[2]
    run = sh(f"curl -fsS -H{submit[2].replace(told, str(source))}")
    assert (run["status"], run["budget"]["seconds"]) == ("queued", 300)  # type: ignore[index]


def test_tokens_are_made_with_the_commands_of_the_guide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APR_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("APR_DATABASE_URL", raising=False)
    commands = [line for line in indented("api.md") if line.startswith("apr token create")]
    made = [CliRunner().invoke(app, shlex.split(line)[1:]) for line in commands]
    assert [each.stdout[:4] for each in made] == ["apr_", "apr_"]
    listed = json.loads(CliRunner().invoke(app, ["token", "list", "--format", "json"]).stdout)
    assert {(token["user"], token["scope"]) for token in listed["tokens"]} == {
        ("root", "admin"),
        ("team-a", "submit"),
    }


def test_the_server_starts_with_the_commands_of_the_guides(tmp_path: Path) -> None:
    """All of them at once, on loopback and on ports of their own."""
    commands = {
        line
        for guide in ("api.md", "dashboard.md")
        for line in indented(guide)
        if re.match(r"apr web\b", line)
    }
    assert commands == {
        "apr web",
        "apr web --auth --host 0.0.0.0 --name apr.example.org --https",
    }
    environment = {name: value for name, value in os.environ.items() if name != "APR_DATABASE_URL"}
    servers = []
    try:
        for place, line in enumerate(sorted(commands)):
            words = shlex.split(line.replace("0.0.0.0", "127.0.0.1"))[1:]
            command = [sys.executable, "-m", "apr.cli.main", *words, "--port", "0"]
            command += ["--data", str(tmp_path / str(place))]
            servers.append(
                subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
            )
        said = [server.stderr.readline() for server in servers if server.stderr]
        assert all(re.search(r"serving http://127.0.0.1:\d+", line) for line in said), said
        assert "with tokens" in said[1]
    finally:
        for server in servers:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=30)
