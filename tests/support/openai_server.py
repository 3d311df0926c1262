"""A real HTTP server that speaks the OpenAI protocol and misbehaves as it is told to."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NO_LINGER = struct.pack("ii", 1, 0)


@dataclass
class Reply:
    """What the server does with one request.

    `cut` closes the connection after so many bytes of the body, with a reset when `reset`, which
    comes before the headers when nothing is to be sent at all (`cut` 0). `delay_s` is waited
    before the reply, `trickle_s` after each 20 bytes of it.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int | None = None
    reset: bool = False
    trickle_s: float = 0.0


def tokens(text: str) -> int:
    """The server's own count: words."""
    return len(text.split())


def answer(request: dict[str, Any], text: str = "an answer") -> Reply:
    """A well-formed reply with `n` times `text`."""
    n = request.get("n", 1)
    if "messages" in request:
        prompt = " ".join(message["content"] for message in request["messages"])
        choices = [
            {
                "index": i,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": text},
            }
            for i in range(n)
        ]
    else:
        prompt = request["prompt"]
        choices = [{"index": i, "finish_reason": "stop", "text": text} for i in range(n)]
    usage = {"prompt_tokens": tokens(prompt), "completion_tokens": n * tokens(text)}
    usage["total_tokens"] = sum(usage.values())
    body = {
        "id": "x",
        "object": "chat.completion" if "messages" in request else "text_completion",
        "created": 1,
        "model": request["model"],
        "choices": choices,
        "usage": usage,
    }
    return Reply(body=body)


def streamed(reply: Reply, *, end: bool = True) -> Reply:
    """The same reply as a stream of two pieces an answer, its usage at the end."""
    body = reply.body
    chunks = [
        {**body, "object": "chat.completion.chunk", "usage": None, "choices": [piece]}
        for choice in body["choices"]
        for piece in _pieces(choice)
    ]
    chunks.append({**body, "choices": []})
    lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    data = (lines + ("data: [DONE]\n\n" if end else "")).encode()
    return Reply(body=data, headers={"Content-Type": "text/event-stream"})


def _pieces(choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    half = len(text) // 2
    for part, reason in ((text[:half], None), (text[half:], choice["finish_reason"])):
        content = {"delta": {"content": part}} if "message" in choice else {"text": part}
        yield {"index": choice["index"], "finish_reason": reason, **content}


class Server:
    """Keeps what it was asked; `script` says what happens to each request."""

    def __init__(self, script: Callable[[int, dict[str, Any]], Reply]) -> None:
        self.script = script
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.arrivals: list[float] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        self.base_url = ""

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        body = handler.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError  # a client that was killed while it asked
        request = json.loads(body)
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            self.keys.append(handler.headers.get("Authorization", ""))
            self.arrivals.append(time.monotonic())
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            reply = self.script(number, request)
            time.sleep(reply.delay_s)
        finally:
            # Before a word of the reply is out: its reader may ask again at once.
            with self._lock:
                self._now -= 1
        self._respond(handler, reply)

    def _respond(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        handler.close_connection = True
        if not (reply.reset and reply.cut == 0):
            handler.send_response(reply.status)
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            for name, value in (headers | reply.headers).items():
                handler.send_header(name, value)
            handler.end_headers()
            self._write(handler, body if reply.cut is None else body[: reply.cut], reply.trickle_s)
        if reply.reset:
            # A socket that is closed without lingering resets its connection.
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)

    def _write(self, handler: BaseHTTPRequestHandler, body: bytes, trickle_s: float) -> None:
        step = 20 if trickle_s else max(len(body), 1)
        for start in range(0, len(body), step):
            handler.wfile.write(body[start : start + step])
            handler.wfile.flush()
            time.sleep(trickle_s)


@contextmanager
def serving(script: Callable[[int, dict[str, Any]], Reply]) -> Iterator[Server]:
    """A server on a free port of the loopback interface."""
    server = Server(script)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                server.handle(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # a client that gave up

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server.base_url = f"http://127.0.0.1:{http.server_port}/v1"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
