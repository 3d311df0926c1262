"""`apr fix` with a language model: a real server with scripted answers, all else as it is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.e2e import Apr
from support.openai_server import Reply, Server, answer, serving

HEAD = "```python\ndef is_leap_year(year):\n    return "
WRONG = f"{HEAD}year % 4 == 0 and year % 400 == 0\n```"
NONSENSE = "I would look at the rule for centuries."
RIGHT = f"{HEAD}year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n```"
CopyBug = Callable[[str], Path]


def scripted(*texts: str) -> Callable[[int, dict[str, Any]], Reply]:
    """The answers in turn, the last one for ever."""
    return lambda number, request: answer(request, texts[min(number, len(texts) - 1)])


def ask(apr: Apr, subject: Path, server: Server, *more: object) -> subprocess.CompletedProcess[str]:
    words = ("--model", "m", "--base-url", server.base_url, *more)
    shape = ("--search", "aprmcts", "--batch", 1, "--branch", 1)
    return apr("fix", subject, "--format", "json", *shape, *words)


def test_a_model_repairs_after_seeing_what_its_first_patch_did(apr: Apr, copy_bug: CopyBug) -> None:
    subject = copy_bug("wrong_operator")
    with serving(scripted(WRONG, NONSENSE, RIGHT)) as server:
        done = ask(apr, subject, server, "--price", "1:2")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert "or year % 400 == 0" in document["patches"][0]["diff"]
    assert document["patches"][0]["origin"].endswith("m")
    usage = document["usage"]
    assert usage["calls"] == len(server.requests) == 3
    assert usage["candidates"] == 2
    assert usage["cost_usd"] > 0
    second = server.requests[1]["messages"][-1]["content"]
    assert "It already holds this change" in second
    assert "cannot be used" in server.requests[2]["messages"][-1]["content"]


def test_the_template_generator_is_asked_when_there_is_no_model(
    apr: Apr, copy_bug: CopyBug
) -> None:
    done = apr("fix", copy_bug("wrong_operator"), "--generator", "llm")
    assert done.returncode == 2
    assert "--model" in done.stderr


@pytest.mark.parametrize("cap", [("--max-tokens", 50), ("--max-calls", 2)])
def test_a_cap_ends_the_run_before_it_is_overshot(
    apr: Apr, copy_bug: CopyBug, cap: tuple[str, int]
) -> None:
    with serving(scripted(WRONG)) as server:
        done = ask(apr, copy_bug("wrong_operator"), server, *cap)
    assert done.returncode == 4, done.stderr
    usage = json.loads(done.stdout)["usage"]
    assert usage["tokens" if "tokens" in cap[0] else "calls"] <= cap[1]
    assert len(server.requests) <= 2


def test_money_cannot_be_capped_without_a_price(apr: Apr, copy_bug: CopyBug) -> None:
    words = ("--model", "nobodys-model", "--max-cost", 1)
    done = apr("fix", copy_bug("wrong_operator"), *words, OPENAI_API_KEY="sk-x")
    assert done.returncode == 2
    assert "--price" in done.stderr


def test_a_key_never_reaches_output_or_store(apr: Apr, copy_bug: CopyBug, tmp_path: Path) -> None:
    body = {"error": {"message": "bad key sk-secret-123"}}
    with serving(lambda *_: Reply(401, body)) as server:
        words = ("--model", "m", "--base-url", server.base_url)
        subject = copy_bug("wrong_operator")
        done = apr("fix", subject, *words, OPENAI_API_KEY="sk-secret-123")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "gives no reply" in done.stderr
    assert "sk-secret-123" not in done.stdout + done.stderr
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"sk-secret-123" not in path.read_bytes()


def test_an_unreachable_server_is_one_sentence(apr: Apr, copy_bug: CopyBug) -> None:
    words = ("--model", "m", "--base-url", "http://127.0.0.1:9/v1")
    done = apr("fix", copy_bug("wrong_operator"), *words, "--quiet")
    assert done.returncode == 3
    assert done.stderr.startswith("apr: the model m gives no reply after")
