"""`apr web` and `apr token` from the outside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import Result

from apr.core.errors import BadInputError

Run = Callable[..., Result]


def test_a_token_is_shown_once_listed_without_its_secret_and_revoked(apr: Run) -> None:
    made = apr("token", "create", "ada", "--scope", "read", "--days", "3", "--name", "laptop")
    text = made.stdout.strip()
    assert re.fullmatch(r"apr_[0-9a-f]{12}_[\w-]{43}", text)
    listed = apr("token", "list", "--format", "json").stdout
    assert text.rsplit("_", 1)[1] not in listed
    [token] = json.loads(listed)["tokens"]
    assert (token["user"], token["scope"], token["name"]) == ("ada", "read", "laptop")
    assert "valid" in apr("token", "list").stdout
    assert apr("token", "revoke", token["token"]).exit_code == 0
    assert "ended" in apr("token", "list").stdout
    assert apr("token", "revoke", token["token"]).exit_code == 2


@pytest.mark.parametrize("words", [("Ada",), ("ada", "--scope", "root"), ("a b",)])
def test_a_token_for_nobody_or_of_no_scope_is_refused(apr: Run, words: tuple[str, ...]) -> None:
    assert apr("token", "create", *words).exit_code == 2


def test_serving_others_without_asking_for_tokens_is_refused(apr: Run) -> None:
    result = apr("web", "--host", "0.0.0.0")
    assert result.exit_code == 2
    assert "add --auth" in result.stderr


def test_the_server_starts_on_nothing_and_stops_when_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "apr.cli.main", "web", "--port", "0", "--data", str(tmp_path)]
    variables = {name: value for name, value in os.environ.items() if name != "APR_DATABASE_URL"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=variables) as server:
        assert server.stderr is not None
        try:
            found = re.search(r"http://\S+", server.stderr.readline())
            assert found is not None
            assert httpx.get(f"{found[0]}/api/v1/health").json() == {"status": "ok"}
            assert httpx.get(f"{found[0]}/api/v1/session").json()["user"] == "local"
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(30) in (0, 130)
    assert (tmp_path / "apr.db").is_file()


def test_a_host_is_loopback_only_if_it_says_so() -> None:
    from web.settings import WebSettings, is_loopback

    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "127.9.9.9")] == [
        True
    ] * 4
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "example.org", "10.0.0.1"))
    with pytest.raises(BadInputError):
        WebSettings(host="::").check()
    WebSettings(host="::", authenticate=True).check()
