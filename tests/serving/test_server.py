"""The server as clients meet it: a process of its own, asked by the `openai` package."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from support.e2e import BUGS, Apr
from support.tiny_model import save_tiny_model

START_S = 120
HI: Any = [{"role": "user", "content": "hi"}]


@dataclass(frozen=True)
class Server:
    process: subprocess.Popen[str]
    base_url: str

    @property
    def root(self) -> str:
        return self.base_url.removesuffix("/v1")

    def client(self, key: str = "any") -> openai.OpenAI:
        return openai.OpenAI(base_url=self.base_url, api_key=key, max_retries=0, timeout=60)

    def metric(self, name: str) -> float:
        text = httpx.get(f"{self.root}/metrics").text
        return float(re.search(rf"^{re.escape(name)} (.*)$", text, re.MULTILINE)[1])  # type: ignore[index]


@contextmanager
def serving(model: Path, *options: object, **environment: str) -> Iterator[Server]:
    """A server on a free port; it must end in good order."""
    words = ["--port", "0", "--device", "cpu", *map(str, options)]
    command = [sys.executable, "-m", "apr.cli.main", "serve", str(model), *words]
    process = subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        found = re.search(r"at (http://\S+)", line)
        assert found, line + process.stderr.read()
        yield Server(process, found[1])
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read() == "apr: stopped\n"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(tiny_folder: Path) -> Iterator[Server]:
    with serving(tiny_folder, "--slots", 4, "--queue", 12, "--name", "tiny") as running:
        yield running


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    return server.client()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_chat_is_answered_and_its_tokens_counted(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="tiny", messages=HI, max_tokens=12, n=3, seed=1, temperature=0.9
    )
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in reply.choices}) == 3
    assert {choice.message.role for choice in reply.choices} == {"assistant"}
    usage = reply.usage
    assert usage is not None
    # <|start|>user\nhi<|end|><|start|>assistant\n, "in" and "re" being the only longer words
    assert usage.prompt_tokens == 1 + 5 + 2 + 1 + 1 + 10
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    details = usage.completion_tokens_details
    assert details is not None
    assert details.accepted_prediction_tokens is not None


def test_a_seed_gives_the_same_text_alone_in_a_crowd_and_in_a_stream(
    client: openai.OpenAI,
) -> None:
    def ask(seed: int) -> str:
        reply = client.completions.create(model="tiny", prompt="x =", max_tokens=24, seed=seed)
        return reply.choices[0].text

    alone = [ask(seed) for seed in range(6)]
    with ThreadPoolExecutor(12) as crowd:
        assert list(crowd.map(ask, [*range(6), *range(6)])) == alone * 2
    stream = client.completions.create(
        model="tiny", prompt="x =", max_tokens=24, seed=3, stream=True
    )
    assert "".join(piece.choices[0].text for piece in stream) == alone[3]


def test_a_streamed_chat_tells_roles_ends_and_usage(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "tiny", "messages": HI, "max_tokens": 9, "seed": 2, "n": 2}
    whole = client.chat.completions.create(**asked)
    texts, ends, roles = ["", ""], ["", ""], ["", ""]
    usage = None
    options = {"include_usage": True}
    for piece in client.chat.completions.create(**asked, stream=True, stream_options=options):
        usage = piece.usage or usage
        for choice in piece.choices:
            texts[choice.index] += choice.delta.content or ""
            ends[choice.index] += choice.finish_reason or ""
            roles[choice.index] += choice.delta.role or ""
    assert texts == [choice.message.content for choice in whole.choices]
    assert ends == [choice.finish_reason for choice in whole.choices]
    assert roles == ["assistant", "assistant"]
    assert whole.usage is not None
    assert usage.completion_tokens == whole.usage.completion_tokens


def test_how_likely_tokens_were_is_told_whole_and_in_pieces(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "tiny", "messages": HI, "max_tokens": 9, "temperature": 0}
    asked |= {"logprobs": True, "top_logprobs": 2}
    whole = client.chat.completions.create(**asked).choices[0]
    assert whole.logprobs is not None
    content = whole.logprobs.content or []
    assert b"".join(bytes(one.bytes or []) for one in content).decode("utf-8", "replace") == (
        whole.message.content
    )
    for one in content:  # what is greedy takes the likeliest
        assert one.logprob == one.top_logprobs[0].logprob >= one.top_logprobs[1].logprob
    pieces = [
        piece.choices[0].logprobs.content or []
        for piece in client.chat.completions.create(**asked, stream=True)
        if piece.choices[0].logprobs is not None
    ]
    streamed = [one for piece in pieces for one in piece]
    assert [one.token for one in streamed] == [one.token for one in content]
    assert [one.logprob for one in streamed] == pytest.approx(
        [one.logprob for one in content], abs=1e-4
    )


def test_a_completion_tells_odds_and_offsets_and_may_begin_with_its_prompt(
    client: openai.OpenAI,
) -> None:
    asked: dict[str, Any] = {"model": "tiny", "prompt": "x =", "max_tokens": 8, "seed": 1}
    told = client.completions.create(**asked, logprobs=2).choices[0]
    odds = told.logprobs
    assert odds is not None and odds.tokens and odds.text_offset and odds.top_logprobs
    ends = [at + len(token) for at, token in zip(odds.text_offset, odds.tokens, strict=True)]
    assert odds.text_offset == [0, *ends[:-1]]
    assert all(len(likeliest) <= 2 for likeliest in odds.top_logprobs)
    echoed = client.completions.create(**asked, echo=True).choices[0].text
    streamed = client.completions.create(**asked, echo=True, stream=True)
    assert echoed == "".join(piece.choices[0].text for piece in streamed) == "x =" + told.text


def test_prompts_come_as_texts_token_ids_and_lists_of_them(client: openai.OpenAI) -> None:
    def texts(prompt: Any) -> list[str]:
        reply = client.completions.create(
            model="tiny", prompt=prompt, max_tokens=5, temperature=0, n=2
        )
        return [choice.text for choice in reply.choices]

    one = texts("ab")
    assert one[0] == one[1]
    assert texts(["ab", "zz"])[:2] == one
    ids = [sorted(map(chr, range(33, 127))).index(letter) for letter in "ab"]
    assert texts(ids) == one
    assert texts([ids, ids]) == one * 2


def test_the_model_is_listed(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.id == "tiny"


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"max_tokens": 100_000}, 400, "context length"),
        ({"temperature": -1}, 400, "temperature"),
        ({"n": 0}, 400, "n:"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 600}]}, 400, "context length"),
        ({"model": "another"}, 404, "another"),
        ({"n": 17}, 400, "16 at most"),
        ({"top_logprobs": 2}, 400, "top_logprobs needs logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, 400, "top_logprobs"),
        ({"stop": [str(i) for i in range(17)]}, 400, "stop"),
        ({"stream": True, "n": 17}, 400, "16 at most"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    client: openai.OpenAI, wrong: dict[str, Any], status: int, said: str
) -> None:
    asked: dict[str, Any] = {"model": "tiny", "messages": HI, "max_tokens": 2}
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**{**asked, **wrong})
    assert caught.value.status_code == status
    assert said in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"messages": 3}', b"\xff\xfe"])
def test_garbage_is_refused_and_harms_nobody(
    server: Server, client: openai.OpenAI, body: bytes
) -> None:
    found = httpx.post(f"{server.base_url}/chat/completions", content=body)
    assert found.status_code == 400
    assert found.json()["error"]["type"] == "invalid_request_error"
    assert client.completions.create(model="tiny", prompt="a", max_tokens=1).choices


def test_a_full_queue_is_told_and_passes(server: Server, client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "tiny", "prompt": "a", "max_tokens": 400, "temperature": 0}
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(client.completions.create, **asked, n=16)
        wait_for(lambda: server.metric("apr_sequences_under_way") == 16)
        with pytest.raises(openai.RateLimitError) as caught:
            client.completions.create(**{**asked, "max_tokens": 1})
        assert caught.value.response.headers["retry-after"] == "1"
        assert len(long.result().choices) == 16
    assert client.completions.create(**{**asked, "max_tokens": 1}).choices


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_its_slots(server: Server, stream: bool) -> None:
    body = {"prompt": "a", "max_tokens": 450, "n": 16, "stream": stream, "temperature": 0}
    host, port = server.root.removeprefix("http://").split(":")
    text = json.dumps(body)
    head = "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n{text}".encode())
        wait_for(lambda: server.metric("apr_slots_taken") == 4)
    began = server.metric("apr_completion_tokens_total")
    wait_for(lambda: server.metric("apr_sequences_under_way") == 0)
    reply = server.client().completions.create(model="tiny", prompt="a", max_tokens=1)
    assert reply.choices
    assert server.metric("apr_completion_tokens_total") - began < 16 * 450 / 2


def test_health_and_metrics(server: Server, client: openai.OpenAI) -> None:
    before = server.metric("apr_completion_tokens_total")
    reply = client.completions.create(model="tiny", prompt="ab", max_tokens=6)
    assert reply.usage is not None
    written = server.metric("apr_completion_tokens_total") - before
    assert written == reply.usage.completion_tokens
    assert httpx.get(f"{server.root}/health").json() == {"status": "ok", "under_way": 0}
    assert server.metric("apr_slots") == 4
    assert server.metric('apr_requests_total{path="/v1/completions",status="200"}') >= 1


def test_a_token_is_asked_for_and_requests_may_time_out(tiny_folder: Path) -> None:
    options = ("--timeout", "0.2", "--slots", 1)
    with serving(tiny_folder, *options, APR_SERVE_TOKEN="secret-7") as server:
        assert httpx.get(f"{server.root}/health").status_code == 200
        for key in ("any", "secret-71", "ä"):
            headers = {"Authorization": f"Bearer {key}".encode()}
            assert httpx.get(f"{server.base_url}/models", headers=headers).status_code == 401
        client = server.client("secret-7")
        assert client.models.list().data[0].id == tiny_folder.name
        asked: dict[str, Any] = {"model": "", "prompt": "a", "max_tokens": 400, "n": 40}
        with pytest.raises(openai.InternalServerError, match="not answered within") as caught:
            client.completions.create(**asked)
        assert caught.value.status_code == 504
        with pytest.raises(openai.APIError, match="not answered within"):
            list(client.completions.create(**asked, stream=True))
        wait_for(lambda: httpx.get(f"{server.root}/health").json()["under_way"] == 0)


def test_apr_fix_asks_it_with_one_flag(tmp_path: Path) -> None:
    # The tokens of the tiny model are bytes, so that a prompt has many of them.
    model = save_tiny_model(tmp_path / "model", max_position_embeddings=32768)
    subject = tmp_path / "subject"
    shutil.copytree(BUGS / "wrong_operator" / "subject", subject)
    with serving(model, "--slots", 2, "--max-length", 16384) as server:
        words = ("--model", "model", "--base-url", server.base_url, "--answer-tokens", 16)
        done = Apr(tmp_path)("fix", subject, *words, "--max-calls", 2, "--format", "json")
        written = server.metric("apr_completion_tokens_total")
    assert done.returncode in (1, 4), done.stderr  # a random model writes no patch
    usage = json.loads(done.stdout)["usage"]
    assert usage["calls"] == 2
    assert 0 < written < usage["tokens"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("no/such/model",), 2, "no model at no/such/model"),
        ((".", "--device", "cpu"), 2, "no config.json"),
        (("MODEL", "--device", "cpu", "--slots", "100000000"), 2, "memory has room for"),
        (("MODEL", "--device", "cpu", "--max-length", "100000"), 2, "beyond the 512 tokens"),
        (("MODEL", "--port", "99999"), 2, "--port"),
        (("MODEL", "--host", "203.0.113.1"), 3, "cannot listen"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_sentence(
    tiny_folder: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    named = [str(tiny_folder) if word == "MODEL" else word for word in words]
    port = [] if "--port" in named else ["--port", "0"]
    command = [sys.executable, "-m", "apr.cli.main", "serve", *named, *port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert done.stderr.startswith("apr: ")
    assert done.stderr.count("\n") == 1
