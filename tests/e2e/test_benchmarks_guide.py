"""The commands of the guide on benchmarks work as they stand there, on small data of their form."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.e2e import ROOT, Apr
from support.tiny_benchmarks import (
    JAVA_ROW,
    JAVASCRIPT_ROW,
    PYTHON_ROW,
    QUIXBUGS,
    make_bugsinpy,
    write,
    write_rows,
)

GUIDE = (ROOT / "docs" / "guides" / "benchmarks.md").read_text()
COMMANDS = re.findall(r"^    apr (.*)$", GUIDE, re.M)
BUG = re.findall(r"^```toml\n(.*?)^```$", GUIDE, re.S | re.M)
PLAUSIBLE = {"bugsinpy": 2}
"""Bugs mended of those of a benchmark, where it is not one; the third of BugsInPy's is tox's."""


def make_data(folder: Path) -> None:
    write(folder / "QuixBugs", QUIXBUGS)
    write_rows(folder / "python.jsonl", PYTHON_ROW)
    write_rows(folder / "java.jsonl", JAVA_ROW)
    write_rows(folder / "javascript.jsonl", JAVASCRIPT_ROW)
    make_bugsinpy(folder)
    own = {
        "bug.toml": BUG[0],
        "larger.py": "def larger(a, b):\n    return a if a < b else b\n",
        "test_larger.py": "from larger import larger\n\n\ndef test_larger():\n"
        "    assert larger(2, 1) == 2\n",
    }
    write(folder / "bugs" / "larger", own)


def run(folder: Path, environment: dict[str, str], command: str) -> str:
    words = shlex.split(command.replace("youtube-dl", "shop"))
    done = subprocess.run(
        [sys.executable, "-m", "apr.cli.main", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def test_the_commands_of_the_guide_work(apr: Apr, tmp_path: Path) -> None:
    make_data(tmp_path)
    environment = {**os.environ, **apr.environment, "APR_DATA_DIR": str(tmp_path / "data")}
    repairs = [each for each in COMMANDS if " --output results/" in each]
    others = [each for each in COMMANDS if each not in repairs]
    assert (len(repairs), len(others)) == (7, 3)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: run(tmp_path, environment, f"{each} --jobs 1"), repairs))
    for folder in (tmp_path / "results").iterdir():
        (file,) = folder.glob("*.jsonl")
        records = [json.loads(line)["record"] for line in file.read_text().splitlines()]
        mended = [record for record in records if record["verdict"] == "plausible"]
        assert len(mended) == PLAUSIBLE.get(folder.name, 1), records
    shutil.copytree(tmp_path / "results" / "quixbugs", tmp_path / "results" / "again")
    said = [run(tmp_path, environment, each) for each in others]
    assert "Bugs by runs" in said[0]
    assert "<h1>Benchmark runs compared</h1>" in (tmp_path / "comparison.html").read_text()
    assert "Java: 1 of 1 (100%)" in (tmp_path / "curves.svg").read_text()
