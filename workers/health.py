"""Tells machines how a worker is: /health, /ready, and /metrics for Prometheus."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from apr.core.errors import AprError, EnvironmentUnusableError
from apr.core.ports import RunStore
from workers.app import QUEUES
from workers.drain import Draining
from workers.queue import CeleryQueue

TEXT = "text/plain; version=0.0.4; charset=utf-8"


@contextmanager
def serving_health(
    port: int, store: RunStore, queue: CeleryQueue, draining: Draining, host: str = "127.0.0.1"
) -> Iterator[int]:
    """Answer on the port, 0 for any, which is yielded, until the block ends.

    Raises:
        EnvironmentUnusableError: when the port is taken.
    """
    health = Health(store, queue, draining)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = health.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """A probe every second is no news."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise EnvironmentUnusableError(f"port {port} cannot be used: {error.strerror}") from error
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Health:
    """The answers, without the server."""

    def __init__(self, store: RunStore, queue: CeleryQueue, draining: Draining) -> None:
        self._store = store
        self._queue = queue
        self._draining = draining
        self._registry = CollectorRegistry()
        self._registry.register(_Installation(store, queue))
        ProcessCollector(registry=self._registry)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a path."""
        if path == "/health":
            return 200, "application/json", b'{"status": "alive"}'
        if path == "/ready":
            return self._ready()
        if path == "/metrics":
            return 200, TEXT, generate_latest(self._registry)
        return 404, "application/json", b'{"error": "there are /health, /ready and /metrics"}'

    def _ready(self) -> tuple[int, str, bytes]:
        """Ready is who can reach the database and the broker, and is not stopping."""
        reason = "the worker is stopping" if self._draining else None
        try:
            self._store.totals()
            self._queue.depth()
        except AprError as error:
            reason = str(error)
        body = json.dumps({"status": "ready" if reason is None else reason})
        return (200 if reason is None else 503), "application/json", body.encode()


class _Installation:
    """What the database and the broker say when they are asked; nothing when they do not answer."""

    def __init__(self, store: RunStore, queue: CeleryQueue) -> None:
        self._store = store
        self._queue = queue

    def collect(self) -> Iterable[Metric]:
        """See `prometheus_client`: called for every scrape."""
        up = GaugeMetricFamily("apr_up", "Whether it can be reached.", labels=["what"])
        try:
            yield from self._runs()
            up.add_metric(["database"], 1)
        except AprError:
            up.add_metric(["database"], 0)
        try:
            yield self._depths()
            up.add_metric(["broker"], 1)
        except AprError:
            up.add_metric(["broker"], 0)
        yield up

    def _runs(self) -> Iterable[Metric]:
        totals = self._store.totals()
        runs = GaugeMetricFamily("apr_runs", "Runs by their status.", labels=["status"])
        for status, count in totals.runs.items():
            runs.add_metric([status.value], count)
        yield runs
        spent = totals.usage
        for name, value, about in (
            ("candidates", spent.candidates, "Candidates judged, those known already included."),
            ("validations", spent.validations, "Candidates validated."),
            ("search_seconds", spent.seconds, "Seconds spent on searching."),
            ("tokens", spent.tokens, "Tokens asked and answered."),
            ("cost_usd", spent.cost_usd, "US dollars spent on models."),
            ("model_calls", spent.calls, "Requests to models."),
        ):
            yield CounterMetricFamily(f"apr_{name}", about, value=value)

    def _depths(self) -> Metric:
        depth = GaugeMetricFamily("apr_queue_depth", "Messages nobody has taken.", labels=["queue"])
        for name in QUEUES:
            depth.add_metric([name], self._queue.depth(name))
        return depth
