"""What the doctor finds, and what it never tells."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from apr.bootstrap import bootstrap
from apr.cli.doctor import is_ready
from apr.cli.probes import (
    Check,
    probe_extras,
    probe_gpu,
    probe_keys,
    probe_services,
    probe_store,
    reach,
)
from apr.settings import AppSettings

Cli = Callable[..., Result]


def test_the_doctor_says_whether_a_repair_works_here(apr: Cli) -> None:
    result = apr("doctor", "--format", "json")
    document = json.loads(result.stdout)
    names = {check["name"] for check in document["checks"]}
    assert {"bubblewrap", "process", "database", "GPU", "OPENAI_API_KEY", "serve"} <= names
    assert document["ready"] is True
    assert result.exit_code == 0
    assert all(check["remedy"] for check in document["checks"] if not check["ok"])


def test_a_machine_without_a_store_cannot_repair(apr: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APR_DATA_DIR", "/dev/null/data")
    result = apr("doctor")
    assert result.exit_code == 3
    assert "cannot work here yet" in result.stdout


def test_only_what_is_needed_decides() -> None:
    fine, optional = Check("a", "b", True, "", needed=True), Check("a", "c", False, "")
    assert is_ready([fine, optional])
    assert not is_ready([fine, Check("a", "d", False, "", needed=True)])


def test_keys_are_named_and_never_shown() -> None:
    checks = list(probe_keys({"OPENAI_API_KEY": "sk-secret"}))
    assert [(check.name, check.ok) for check in checks] == [
        ("OPENAI_API_KEY", True),
        ("OPENAI_BASE_URL", False),
    ]
    assert "secret" not in repr(checks)


def test_looking_at_the_store_creates_nothing(tmp_path: Path) -> None:
    check = probe_store(AppSettings(data_dir=tmp_path / "a" / "b", database_url=None))
    assert check.ok
    assert "will be created" in check.detail
    assert list(tmp_path.iterdir()) == []


def test_the_schema_of_an_existing_store_is_told(tmp_path: Path) -> None:
    settings = AppSettings(data_dir=tmp_path, database_url=None)
    bootstrap(settings)
    check = probe_store(settings)
    assert check.ok
    assert "(current)" in check.detail


def test_a_file_that_is_no_database_is_not_ok(tmp_path: Path) -> None:
    (tmp_path / "apr.db").write_text("hello, I am a text file and no database at all\n" * 99)
    check = probe_store(AppSettings(data_dir=tmp_path, database_url=None))
    assert not check.ok
    assert check.remedy


def test_a_password_in_the_url_is_never_shown() -> None:
    url = "postgresql://apr:hunter2@127.0.0.1:9/apr"
    check = probe_store(AppSettings(database_url=url))
    services = list(probe_services({"APR_DATABASE_URL": url}))
    assert not check.ok
    assert "hunter2" not in repr((check, services))


def test_a_server_that_listens_is_found_and_a_closed_port_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert reach(f"redis://127.0.0.1:{port}/0", 6379) is None
    assert "does not accept" in str(reach(f"redis://127.0.0.1:{port}/0", 6379))
    assert reach("redis://127.0.0.1:port", 6379) == "its URL cannot be parsed"


def test_services_that_are_not_configured_are_optional() -> None:
    checks = list(probe_services({"APR_DATABASE_URL": "sqlite:///x"}))
    assert [check.name for check in checks] == ["PostgreSQL", "Redis"]
    assert not any(check.ok or check.needed for check in checks)


def test_a_missing_extra_names_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apr.cli.probes.EXTRAS", {"demo": ("json", "no_such_module_of_apr")})
    (check,) = probe_extras()
    assert (check.ok, check.detail) == (False, "lacks no_such_module_of_apr")
    assert check.remedy == "pip install no_such_module_of_apr"


@pytest.mark.parametrize(
    ("script", "ok", "detail"),
    [
        ("echo 'NVIDIA H100, 81559 MiB'", True, "NVIDIA H100, 81559 MiB"),
        ("echo 'no driver' >&2; exit 9", False, "none found"),
    ],
)
def test_gpus_are_listed_by_their_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, ok: bool, detail: str
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    check = probe_gpu()
    assert (check.ok, check.detail) == (ok, detail)
