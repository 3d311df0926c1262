"""`apr fix` with a language model: a real server with scripted answers, all else as it is."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import sqlite3
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apr.core.run import Usage
from support.e2e import Apr
from support.openai_server import Reply, Server, answer, serving, streamed

HEAD = "```python\ndef is_leap_year(year):\n    return "
WRONG = f"{HEAD}year % 4 == 0 and year % 400 == 0\n```"
NONSENSE = "I would look at the rule for centuries."
RIGHT = f"{HEAD}year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n```"
CHAIN = ("--search", "aprmcts", "--batch", 1, "--branch", 1)
"""A tree in which every question follows from the answer before."""
CopyBug = Callable[[str], Path]


def scripted(*texts: str) -> Callable[[int, dict[str, Any]], Reply]:
    """The answers in turn, the last one for ever."""
    return lambda number, request: answer(request, texts[min(number, len(texts) - 1)])


def ask(apr: Apr, subject: Path, server: Server, *more: object) -> subprocess.CompletedProcess[str]:
    words = ("--model", "m", "--base-url", server.base_url, *more)
    return apr("fix", subject, "--format", "json", *CHAIN, *words)


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
    assert "could not be used" in server.requests[2]["messages"][-1]["content"]


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


KEY = "sk-secret-123"
HERE = "http://127.0.0.1:9/v1"
MISTAKES = {
    "money without a price": (["m", "--base-url", HERE, "--max-cost", 1], {}, "give --price"),
    "no key": (["gpt-4o-mini"], {}, "set OPENAI_API_KEY"),
    "key in the address": (["m", "--base-url", f"http://x:{KEY}@h/v1"], {}, "--api-key-env"),
    "key as a variable": (["m", "--base-url", HERE, "--api-key-env", KEY], {}, "never a key"),
    "no address": (["m", "--base-url", "localhost:80"], {}, "is no address"),
    "bad key": (["m", "--base-url", HERE], {"OPENAI_API_KEY": f"{KEY} x"}, "OPENAI_API_KEY"),
    "bad price": (["m", "--base-url", HERE, "--price", "1:-2"], {}, "--price"),
    "no table": (["m", "--base-url", HERE, "--prices", "/no/such"], {}, "price table"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_before_the_tests_are_run(
    apr: Apr, copy_bug: CopyBug, mistake: str
) -> None:
    words, environment, told = MISTAKES[mistake]
    done = apr("fix", copy_bug("wrong_operator"), "--model", *words, **environment)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert KEY not in done.stderr


@pytest.mark.parametrize(
    ("status", "message"), [(401, f"bad key {KEY}"), (404, "The model `m` does not exist")]
)
def test_a_model_that_is_refused_is_bad_input(
    apr: Apr, copy_bug: CopyBug, status: int, message: str
) -> None:
    with serving(lambda *_: Reply(status, {"error": {"message": message}})) as server:
        words = ("--model", "m", "--base-url", server.base_url, "--quiet")
        done = apr("fix", copy_bug("wrong_operator"), *words, OPENAI_API_KEY=KEY)
    assert done.returncode == 2
    assert len(server.requests) == 1
    assert done.stderr.startswith(f"apr: the model m at {server.base_url} is refused: ")
    assert len(done.stderr.splitlines()) == 1
    assert KEY not in done.stderr


def test_a_key_never_reaches_output_or_store(apr: Apr, copy_bug: CopyBug, tmp_path: Path) -> None:
    def indiscreet(number: int, request: dict[str, Any]) -> Reply:
        if number == 0:
            return Reply(500, {"error": {"message": f"not for {KEY}"}})
        return answer(request, f"You said {KEY}. {(NONSENSE, RIGHT)[number > 1]}")

    with serving(indiscreet) as server:
        words = ("--model", "m", "--base-url", server.base_url, *CHAIN)
        done = apr("fix", copy_bug("wrong_operator"), *words, OPENAI_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert set(server.keys) == {f"Bearer {KEY}"}
    shown = apr("show", "last", "--format", "json")
    assert "OPENAI_API_KEY" in shown.stdout
    drawn = apr("tree", "last")
    for text in (done.stdout, done.stderr, shown.stdout, shown.stderr, drawn.stdout):
        assert KEY not in text
    kept = list(everything_kept(tmp_path / "data"))
    assert any(b"You said [key]" in content for content in kept), "the reply is kept"
    assert not any(KEY.encode() in content for content in kept)


def everything_kept(folder: Path) -> Iterator[bytes]:
    """All files as they are, and what their tables hold, unpacked."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.read_bytes()
    with contextlib.closing(sqlite3.connect(folder / "apr.db")) as database:
        tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'select * from "{table}"'):
                yield from (unpacked(value) for value in row if isinstance(value, bytes))


def unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def test_an_unreachable_server_is_one_sentence(apr: Apr, copy_bug: CopyBug) -> None:
    words = ("--model", "m", "--base-url", HERE)
    done = apr("fix", copy_bug("wrong_operator"), *words, "--quiet")
    assert done.returncode == 3
    assert done.stderr.startswith(f"apr: the model m at {HERE} gives no reply after 2 attempts")


def test_a_users_price_table_counts_to_the_token(
    apr: Apr, copy_bug: CopyBug, tmp_path: Path
) -> None:
    table = tmp_path / "prices.toml"
    table.write_text("[m]\nprompt = 3\ncompletion = 5\n", encoding="utf-8")
    told = Usage()

    def counting(_: int, request: dict[str, Any]) -> Reply:
        nonlocal told
        reply = answer(request, RIGHT)
        used = reply.body["usage"]
        dollars = (3 * used["prompt_tokens"] + 5 * used["completion_tokens"]) / 1e6
        told = Usage(tokens=told.tokens + used["total_tokens"], cost_usd=told.cost_usd + dollars)
        return reply

    with serving(counting) as server:
        words = ("--model", "m", "--base-url", server.base_url, "--max-cost", 1)
        subject = copy_bug("wrong_operator")
        done = apr("fix", subject, "--format", "json", *words, APR_PRICES=str(table))
    assert done.returncode == 0, done.stderr
    usage = json.loads(done.stdout)["usage"]
    assert usage["tokens"] == told.tokens
    assert usage["cost_usd"] == pytest.approx(told.cost_usd)


def test_a_base_model_continues_a_text(apr: Apr, copy_bug: CopyBug) -> None:
    body = RIGHT.split("\n")[2]
    with serving(lambda _, request: streamed(answer(request, body))) as server:
        done = ask(apr, copy_bug("wrong_operator"), server, "--completions", "--stream")
    assert done.returncode == 0, done.stderr
    assert server.requests[0]["stream"] is True
    assert server.requests[0]["prompt"].endswith("def is_leap_year(year):\n")
    assert server.requests[0]["stop"] == ["```"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_was_asked_before_an_interruption_is_not_paid_for_twice(
    apr: Apr, copy_bug: CopyBug, how: signal.Signals
) -> None:
    subject = copy_bug("wrong_operator")
    hang = threading.Event()

    def script(number: int, request: dict[str, Any]) -> Reply:
        if number == 1:
            hang.wait(60)
        return answer(request, WRONG if number == 0 else RIGHT)

    with serving(script) as server:
        words = ("--model", "m", "--base-url", server.base_url, "--price", "1:1", *CHAIN)
        status = apr.stop_after(lambda: len(server.requests) == 2, how, "fix", subject, *words)
        assert status == (130 if how is signal.SIGINT else -signal.SIGKILL)
        shown = json.loads(apr("show", "last", "--format", "json").stdout)["usage"]
        hang.set()
        done = apr("resume", "last", "--format", "json")
    assert done.returncode == 0, done.stderr
    first, given_up, again = server.requests
    assert given_up == again != first
    # What was under way may have been charged for: it counts with all that was reserved.
    bound = sum(len(m["content"]) + 64 for m in given_up["messages"]) + 64
    bound += given_up["max_tokens"]
    assert (shown["calls"], shown["tokens"]) == (2, tokens_of(first, WRONG) + bound)
    usage = json.loads(done.stdout)["usage"]
    assert (usage["calls"], usage["tokens"]) == (3, shown["tokens"] + tokens_of(again, RIGHT))


def tokens_of(request: dict[str, Any], text: str) -> int:
    """What the server says of its answer to a request."""
    total: int = answer(request, text).body["usage"]["total_tokens"]
    return total


def test_a_run_survives_a_storm(apr: Apr, copy_bug: CopyBug) -> None:
    faults = [
        Reply(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.1"}),
        Reply(503, b"<html>busy</html>"),
        Reply(body=b"{no"),
        Reply(body={"choices": []}, cut=0, reset=True),
        Reply(400, {"error": {"message": "Unrecognized request argument supplied: seed"}}),
    ]

    def script(number: int, request: dict[str, Any]) -> Reply:
        return faults[number] if number < len(faults) else answer(request, RIGHT)

    with serving(script) as server:
        done = ask(apr, copy_bug("wrong_operator"), server)
    assert done.returncode == 0, done.stderr
    assert "seed" in server.requests[4]
    assert "seed" not in server.requests[5]
    assert json.loads(done.stdout)["usage"]["calls"] == 6


HIDDEN = "the_hidden_reference"
ROW = {
    "task_id": "Python/0",
    "declaration": "def add(a, b):\n",
    "buggy_solution": "    return a - b\n",
    "test": "def check(add):\n    assert add(2, 2) == 4\n    assert add(1, 0) == 1\n\ncheck(add)",
    "entry_point": "add",
    "prompt": f"# {HIDDEN} in prose\n",
    "docstring": HIDDEN,
    "bug_type": "operator misuse",
}


def test_what_is_hidden_enters_neither_prompt_nor_reward(apr: Apr, tmp_path: Path) -> None:
    """The reference version decides a label afterwards, and nothing that happens before it."""
    texts = ["```python\ndef add(a, b):\n    return a * b\n```", NONSENSE, "40"]
    outcomes = []
    for number, reference in enumerate(("a + b", "a + b + 1")):
        data = tmp_path / f"{number}.jsonl"
        solution = f"    {HIDDEN} = {reference}\n    return {HIDDEN}\n"
        data.write_text(json.dumps({**ROW, "canonical_solution": solution}) + "\n")
        with serving(judging(*texts)) as server:
            words = ("--model", "m", "--base-url", server.base_url, "--judge", 0.5, *CHAIN)
            limits = ("--candidates", 2, "--max-calls", 12, "--output", tmp_path / f"out{number}")
            environment = {"APR_DATA_DIR": str(tmp_path / f"data{number}")}
            command = ("bench", "humanevalfix", "--data", data, *words, *limits)
            done = apr(*command, "--format", "json", **environment)
        assert done.returncode == 0, done.stderr
        assert len(server.requests) > 2
        assert HIDDEN not in json.dumps(server.requests)
        drawn = apr("tree", "last", "--format", "json", **environment)
        rewards = [node["reward"] for node in json.loads(drawn.stdout)["nodes"]]
        outcomes.append((server.requests, rewards))
    assert outcomes[0] == outcomes[1]


def judging(*texts: str) -> Callable[[int, dict[str, Any]], Reply]:
    """A model that answers in turn, and as a judge always with the last of the texts."""
    asked = itertools.count()

    def script(_: int, request: dict[str, Any]) -> Reply:
        is_judge = "You judge patches" in request["messages"][0]["content"]
        number = len(texts) - 1 if is_judge else next(asked) % (len(texts) - 1)
        return answer(request, texts[number])

    return script
