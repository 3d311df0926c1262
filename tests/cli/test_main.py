"""The front door: help, versions, signals, and what an error looks like."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from apr import __version__
from apr.cli import doctor, guard
from apr.core.errors import (
    AprError,
    BadInputError,
    BudgetExhaustedError,
    EnvironmentUnusableError,
    StoreError,
)
from support.e2e import heed_interrupts

Cli = Callable[..., Result]


def start(*args: str, data: Path, **environment: str) -> subprocess.Popen[str]:
    variables = {**os.environ, "APR_DATA_DIR": str(data), "COLUMNS": "80", **environment}
    variables.pop("APR_DATABASE_URL", None)
    return subprocess.Popen(
        [sys.executable, "-m", "apr.cli.main", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=variables,
    )


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_help_groups_the_commands_and_documents_the_exit_codes(
    apr: Cli, args: tuple[str, ...]
) -> None:
    result = apr(*args)
    assert result.exit_code == 0
    for word in ("Repair", "Look", "Machine", "Benchmarks", "Exit codes", "130", "resume"):
        assert word in result.stdout
    panels = [result.stdout.index(name) for name in ("fix", "show", "doctor", "bench")]
    assert panels == sorted(panels)


def test_help_of_every_command_names_its_options(apr: Cli) -> None:
    for command, option in {
        "fix": "--test-id",
        "localize": "--level",
        "runs": "--limit",
        "show": "--format",
        "tree": "--children",
        "resume": "--output",
        "doctor": "--image",
    }.items():
        result = apr(command, "--help")
        assert result.exit_code == 0
        assert option in result.stdout


def test_version_is_one_line(apr: Cli) -> None:
    assert apr("--version").stdout == f"apr {__version__}\n"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nope",), "no such command 'nope'"),
        (("fix",), "missing argument"),
        (("fix", ".", "--bogus"), "no such option: --bogus"),
        (("fix", ".", "--seconds", "-1"), "--seconds"),
        (("fix", ".", "--candidates", "0"), "--candidates"),
        (("fix", ".", "--jobs", "two"), "--jobs"),
        (("fix", ".", "--sandbox", "vm"), "--sandbox"),
        (("tree", "last", "--depth", "0"), "--depth"),
        (("bench", "quixbugs"), "--root"),
    ],
)
def test_a_usage_error_is_one_sentence_and_exit_code_2(
    apr: Cli, args: tuple[str, ...], words: str
) -> None:
    result = apr(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("apr: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr.lower()
    assert "--help)" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInputError("no"), 2),
        (EnvironmentUnusableError("no"), 3),
        (StoreError("no"), 3),
        (BudgetExhaustedError("no"), 4),
        (guard.RunInterruptedError("r1"), 130),
        (guard.BenchInterruptedError(1, 2), 130),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 141),
    ],
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    def fail() -> None:
        raise error

    stdout = os.dup(1)
    try:
        assert guard.guarded(fail) == code
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


def test_an_error_message_becomes_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise AprError("a test named \x1b[2J\nfailed")

    guard.guarded(fail)
    assert capsys.readouterr().err == "apr: a test named \\x1b[2J failed\n"


def test_an_unexpected_error_leaves_its_traceback_in_a_file_only(
    apr: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(checks: object) -> bool:
        raise ValueError("a\nbug")

    monkeypatch.setattr(doctor, "is_ready", fail)
    result = apr("doctor")
    (log,) = (tmp_path / "data" / "crashes").iterdir()
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output
    assert str(log) in result.stderr
    assert "ValueError: a\nbug" in log.read_text()


def test_a_crash_is_reported_even_where_nothing_can_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APR_DATA_DIR", "/dev/null/data")
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/dev/null/tmp")
    assert guard.save_crash(ValueError()) == "its traceback could not be saved"


def test_a_store_that_cannot_be_made_is_one_sentence(
    apr: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APR_DATA_DIR", "/dev/null/data")
    result = apr("runs")
    assert result.exit_code == 3
    assert result.stderr.startswith("apr: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("args", [("--help",), ("doctor", "--format", "json")])
def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path, args: tuple[str, ...]) -> None:
    process = start(*args, data=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait(30)


def test_a_result_that_nobody_reads_ends_like_a_closed_pipe(tmp_path: Path) -> None:
    process = start("doctor", "--format", "json", data=tmp_path)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    assert process.wait(30) == 141


def test_a_full_disk_below_stdout_is_one_sentence(tmp_path: Path) -> None:
    command = f"{sys.executable} -m apr.cli.main doctor --format json > /dev/full"
    environment = {**os.environ, "APR_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 3
    assert done.stderr == (
        "apr: cannot write the result to standard output: No space left on device\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_with_one_sentence_and_130(tmp_path: Path, number: signal.Signals) -> None:
    script = (
        "import time, apr.cli.doctor as doctor, apr.cli.main as main\n"
        "def wait(checks):\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(60)\n"
        "doctor.is_ready = wait\n"
        "import sys; sys.argv = ['apr', 'doctor']\n"
        "main.run()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "APR_DATA_DIR": str(tmp_path)},
        preexec_fn=heed_interrupts,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.1)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors == "apr: interrupted\n"
