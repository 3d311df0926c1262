"""Requests that are too large, too slow, too many, malformed, or ask for what nobody may choose."""

from __future__ import annotations

import time
from contextlib import ExitStack

import httpx
import pytest

from apr.core.errors import BadInputError
from support.attacks.base import RUN_ID, World, attack
from web.settings import WebSettings

SIZE, SLOW, MANY = "oversize", "slow clients", "floods"
WIRE, CHOICE = "malformed HTTP", "forbidden choices"


def _head(world: World, *lines: str, path: str = "/api/v1/sources/archive") -> bytes:
    token = world.server.token("attacker")
    all_lines = (f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {token}")
    return "\r\n".join((*all_lines, *lines, "Connection: close", "", "")).encode()


def _status(answer: bytes) -> str:
    line = answer.split(b"\r\n", 1)[0].decode("latin-1")
    assert line.startswith(("HTTP/1.1 4", "HTTP/1.0 4")), answer[:300]
    return line.split(" ", 1)[1]


@attack(SIZE, "an upload whose length says that it is too large")
def too_long(world: World) -> str:
    return _status(world.raw(_head(world, "Content-Length: 99999999")))


@attack(SIZE, "an upload in pieces that never says how large it is")
def endless_pieces(world: World) -> str:
    piece = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    head = _head(world, "Transfer-Encoding: chunked")
    return _status(world.raw(head, then=[piece] * 31))


@attack(SIZE, "a JSON body that is too large")
def large_json(world: World) -> object:
    asked = {"kind": "patch", "base": world.victim_source, "diff": "x" * 300_000}
    return world.attacker.post("/sources", json=asked)


@attack(SIZE, "JSON that is nested too deeply")
def nested_json(world: World) -> object:
    body = b'{"source":' + b"[" * 90_000 + b"]" * 90_000 + b"}"
    headers = {"Content-Type": "application/json"}
    return world.attacker.post("/runs", content=body, headers=headers)


@attack(SIZE, "a number that is too large")
def large_number(world: World) -> object:
    body = b'{"source":"src-0000000000000000","seed":' + b"9" * 5000 + b"}"
    return world.attacker.post("/runs", content=body, headers={"Content-Type": "application/json"})


@attack(SIZE, "a header of a megabyte")
def large_header(world: World) -> str:
    answer = world.raw(_head(world, "X-Padding: " + "x" * 1_000_000))
    return _status(answer) if answer else "hung up"


@attack(SLOW, "a request whose headers never end (slowloris)")
def slow_headers(world: World) -> str:
    begun = time.monotonic()
    world.raw(_head(world)[:-2], wait_s=8)
    assert time.monotonic() - begun < 7
    return "hung up"


@attack(SLOW, "a second request on a connection whose headers never end")
def slow_second_request(world: World) -> str:
    begun = time.monotonic()
    whole = b"GET /api/v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert b"200 OK" in world.raw(whole + whole[:-2], wait_s=8)
    assert time.monotonic() - begun < 7
    return "hung up"


@attack(SLOW, "a body that never comes")
def slow_body(world: World) -> str:
    return _status(world.raw(_head(world, "Content-Length: 1000") + b"x", wait_s=8))


@attack(MANY, "a thousand wrong tokens")
def guessing(world: World) -> object:
    from support.web_server import web_server

    folder = world.folder / "guessing"
    with web_server(folder, authenticate=True, failures_per_minute=5) as server:
        for _ in range(20):
            found = httpx.get(
                f"{server.url}/api/v1/runs", headers={"Authorization": "Bearer apr_x"}
            )
    assert found.status_code == 429 and int(found.headers["retry-after"]) > 0
    return found


@attack(MANY, "more requests than anybody needs, and more streams than one user may have open")
def flood(world: World) -> object:
    from support.web_server import web_server

    folder = world.folder / "flood"
    limits = {"requests_per_second": 1.0, "burst": 30, "max_listeners_each": 3}
    with web_server(folder, **limits) as server, ExitStack() as stack:
        client = stack.enter_context(server.client(None))
        with pytest.raises(httpx.HTTPStatusError) as refused:
            for _ in range(40):
                client.get("/health").raise_for_status()
        return refused.value.response


@attack(WIRE, "a length and pieces at once (request smuggling)")
def smuggling(world: World) -> str:
    head = _head(world, "Content-Length: 5", "Transfer-Encoding: chunked")
    answer = world.raw(head + b"0\r\n\r\nGET /api/v1/health HTTP/1.1\r\n\r\n")
    return _status(answer)


@attack(WIRE, "two lengths")
def two_lengths(world: World) -> str:
    return _status(world.raw(_head(world, "Content-Length: 5", "Content-Length: 6") + b"hello"))


@attack(WIRE, "a length that is no number")
def odd_length(world: World) -> str:
    return _status(world.raw(_head(world, "Content-Length: -5") + b"hello"))


@attack(WIRE, "two hosts")
def two_hosts(world: World) -> str:
    return _status(world.raw(_head(world, "Host: evil.example", "Content-Length: 0")))


@attack(WIRE, "a line end in a header's value")
def header_injection(world: World) -> str:
    head = _head(world, "Idempotency-Key: a\r\n\tb", "Content-Length: 2", path="/api/v1/runs")
    return _status(world.raw(head + b"{}"))


@attack(WIRE, "no HTTP at all")
def no_http(world: World) -> str:
    answer = world.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20)
    return _status(answer) if answer else "hung up"


@attack(WIRE, "a method that echoes the request (TRACE)")
def trace(world: World) -> object:
    return world.attacker.request("TRACE", "/runs")


@attack(WIRE, "a body of another kind than the API takes")
def other_kind(world: World) -> object:
    xml = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'
    return world.attacker.post("/runs", content=xml, headers={"Content-Type": "application/xml"})


@attack(WIRE, "an event number that is none")
def odd_event_number(world: World) -> object:
    return world.victim.get(f"/runs/{RUN_ID}/events", headers={"Last-Event-ID": "1 OR 1=1"})


@attack(WIRE, "a file of a run by a path")
def artifact_path(world: World) -> object:
    return world.victim.get(f"/runs/{RUN_ID}/artifacts/..%2f..%2fapr.db")


def _run(name: str, **asked: object) -> None:
    @attack(CHOICE, name)
    def refused(world: World) -> object:
        from support.attacks.base import plain_file, tar_of

        taken = world.attacker.post("/sources/archive", content=tar_of(plain_file("a.py")))
        return world.attacker.post("/runs", json={"source": taken.json()["source"], **asked})


_run("a model server of the attacker's own", llm={"model": "x", "base_url": "https://evil.example"})
_run("a model that the server does not offer", model="gpt-9")
_run("the weak sandbox", sandbox="process")
_run("an image that the server does not offer", image="evil/image")
_run("an interpreter", python="/tmp/python")
_run("a report that names an external entity", junit_report='<!DOCTYPE x SYSTEM "file:///x"><x/>')
_run("an absolute pattern of reports", junit=["/etc/*"])
_run("a budget without end", budget={"seconds": 1e300})
_run("a budget that is no number", budget={"seconds": "NaN"})


@attack(CHOICE, "a path as a project")
def path_as_source(world: World) -> object:
    return world.attacker.post("/runs", json={"source": "/etc"})


@attack(CHOICE, "a key that was used for another request")
def reused_key(world: World) -> object:
    key = {"Idempotency-Key": "twice"}
    first = {"source": world.victim_source}
    assert world.victim.post("/runs", json=first, headers=key).status_code == 202
    return world.victim.post("/runs", json={**first, "seed": 1}, headers=key)


@attack(CHOICE, "serving others without asking for a token")
def open_to_all(world: World) -> str:
    with pytest.raises(BadInputError, match="add --auth"):
        WebSettings(host="0.0.0.0").check()
    return "refused to start"
