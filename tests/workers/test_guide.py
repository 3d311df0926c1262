"""Every command of the guide works as it stands there, but for the addresses."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.e2e import BUGS, ROOT
from support.installation import Installation
from support.postgres import free_port

GUIDE = ROOT / "docs" / "guides" / "scale-out.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", GUIDE.read_text(), re.S | re.M)


@pytest.mark.postgres
def test_the_commands_of_the_guide_work(installation: Installation, tmp_path: Path) -> None:
    project = tmp_path / "path" / "to" / "project"
    shutil.copytree(BUGS / "off_by_one" / "subject", project)
    environment = installation.apr.environment
    script = "set -e\n" + "\n".join(blocks("sh"))
    for told, real in (
        ("postgresql://apr@127.0.0.1:5432/apr", environment["APR_DATABASE_URL"]),
        ("redis://127.0.0.1:6379/0", environment["APR_BROKER_URL"]),
        ("9808", str(free_port())),
    ):
        assert told in script
        script = script.replace(told, real)
    path = os.pathsep.join((str(Path(sys.executable).parent), environment["PATH"]))
    with (tmp_path / "stdout").open("w") as stdout, (tmp_path / "stderr").open("w") as stderr:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=tmp_path,
            env=environment | {"PATH": path},
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            status = shell.wait(220)
        finally:
            with contextlib.suppress(ProcessLookupError):  # the worker too, if a command failed
                os.killpg(shell.pid, signal.SIGKILL)
    said = (tmp_path / "stdout").read_text()
    assert status == 0, ((tmp_path / "stderr").read_text(), (tmp_path / "worker.log").read_text())
    assert '{"status": "ready"}' in said
    assert 'apr_queue_depth{queue="runs"} 0.0' in said
    assert "it had ended already" in said
    assert "0 runs and" in said
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "succeeded"
    assert (tmp_path / "again.diff").read_text() == result["patches"][0]["diff"]


def test_the_compose_file_is_understood() -> None:
    script = "\n".join(blocks("compose"))
    version = ["docker", "compose", "version"]
    if not shutil.which("docker") or subprocess.run(version, capture_output=True).returncode:
        if not shutil.which("docker-compose"):
            pytest.skip("neither docker's compose plugin nor docker-compose is installed")
        script = script.replace("docker compose", "docker-compose")
    values = {"APR_DB_PASSWORD": "a", "APR_REDIS_PASSWORD": "b", "APR_SUBJECTS": "/subjects"}
    subprocess.run(
        ["bash", "-ec", script],
        cwd=ROOT,
        env={**os.environ, **values},
        check=True,
    )
