"""How fast the web server answers with many runs, a large tree and many listeners.

    python benchmarks/web_load.py --runs 1000 --nodes 5000 --listeners 200

Fills a store, serves it (`apr web`, in a process of its own) and prints: p50 and p95 of the lists
and of one run with a large tree, one client after the other, and the processor time that the server
used for each; how soon an event reaches so many listeners of one run; and requests per second under
`wrk`, beside a FastAPI application that says hello, served by the same uvicorn in the same minutes.
Needs `wrk` for the last.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from apr.bootstrap import bootstrap
from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.patch import Hunk, Patch
from apr.core.report import Stage, TestOutcome, TestResult, ValidationReport, Verdict
from apr.core.run import Budget, RankedPatch, RepairRun, RunStatus, Usage
from apr.core.tree import SearchNode
from apr.service import Service
from apr.settings import AppSettings

HELLO = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def hello() -> dict[str, str]:
    return {"hello": "world"}
uvicorn.run(app, port=int(sys.argv[1]), log_level="warning", access_log=False, http="httptools")
"""
LARGE = "260101-000000-large0"
VERDICTS = (Verdict.STILL_FAILS, Verdict.REGRESSES, Verdict.DOES_NOT_BUILD)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        service = bootstrap(AppSettings(data_dir=Path(folder), database_url=None))
        fill(service, options.runs, options.nodes)
        with serving(Path(folder)) as (url, server):
            print(f"{options.runs:,} runs, a tree of {options.nodes:,} nodes\n")
            print("| request | p50 ms | p95 ms | processor ms | kB |\n|---|---|---|---|---|")
            for name, path in paths():
                print(measure(name, url + path, options.times, server))
            print()
            print(asyncio.run(listen(url, service, options.listeners)))
            print()
            if shutil.which("wrk"):
                compare(url, options.seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement with wrk")
    return parser.parse_args()


def fill(service: Service, runs: int, nodes: int) -> None:
    """A store with many runs, one of them with a large tree and a patch."""
    statuses = [s for s in RunStatus if s not in (RunStatus.QUEUED, RunStatus.RUNNING)]
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    for index in range(runs - 1):
        run = make_run(f"260102-{index:06}-{index:06x}", statuses[index % len(statuses)])
        service.store.create_run(replace(run, created_at=begun + timedelta(minutes=index)))
    diff = "--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-old\n+new\n"
    large = make_run(LARGE, RunStatus.SUCCEEDED)
    patches = (RankedPatch(nodes - 1, 1, diff, "template"),)
    service.store.create_run(replace(large, created_at=begun, patches=patches))
    service.store.save_nodes(LARGE, [SearchNode(0, None, Patch())])
    for first in range(1, nodes, 500):
        block = [make_node(index) for index in range(first, min(first + 500, nodes))]
        service.store.save_nodes(LARGE, block)
    for index in range(100):
        service.store.append_event(LARGE, "phase", {"name": f"phase {index}"})


def make_run(run_id: str, status: RunStatus) -> RepairRun:
    bug = Bug(f"/projects/{run_id}", TestCommand(RunnerKind.PYTEST), name=f"project {run_id}")
    settings = {"formula": "ochiai", "sandbox": "bubblewrap"}
    usage = Usage(120, 100, 30.0)
    return RepairRun(run_id, bug, settings, 0, status, Budget(), usage, datetime.now(UTC))


def make_node(index: int) -> SearchNode:
    tests = tuple(
        TestResult(TestId(f"tests/test_m.py::test_{i}"), TestOutcome.FAILED, message="x" * 200)
        for i in range(10)
    )
    report = ValidationReport(
        VERDICTS[index % len(VERDICTS)],
        Stage.FULL,
        triggers_total=10,
        regressions_total=80,
        results=tests,
    )
    patch = Patch((Hunk("m.py", index, ("old\n",), (f"new {index}\n",)),))
    parent = 0 if index < 10 else index // 10
    return SearchNode(
        index, parent, patch, 1 + len(str(index)), origin="comparison-operator", report=report
    )


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """`apr web` on the store, without a limit on requests; its address and process."""
    command = [sys.executable, "-m", "apr.cli.main", "web", "--port", "0", "--runs", "0"]
    environment = os.environ | {"APR_WEB_REQUESTS_PER_SECOND": "0"}
    with subprocess.Popen(
        [*command, "--data", str(folder)], stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stderr is not None
        try:
            found = re.search(r"http://\S+", server.stderr.readline())
            assert found is not None
            yield found[0], server.pid
        finally:
            server.terminate()


def paths() -> list[tuple[str, str]]:
    """The API's requests, and the dashboard's pages where there are any."""
    return [
        ("list of 50 runs", "/api/v1/runs"),
        ("list, searched and sorted", "/api/v1/runs?q=project&order=candidates"),
        ("last page of the list", "/api/v1/runs?offset=950"),
        ("a run", f"/api/v1/runs/{LARGE}"),
        ("its 50 best candidates", f"/api/v1/runs/{LARGE}/candidates"),
        ("one candidate", f"/api/v1/runs/{LARGE}/candidates/77"),
        ("its whole tree", f"/api/v1/runs/{LARGE}/tree"),
        ("its log", f"/api/v1/runs/{LARGE}/log"),
        ("page: runs", "/"),
        ("page: the run", f"/runs/{LARGE}"),
    ]


def measure(name: str, url: str, times: int, server: int) -> str:
    """One line of the table; a page that is not there says so.

    Processor time is what the server itself has used, whatever else the machine was doing.
    """
    headers = {"Accept": "text/html" if name.startswith("page") else "application/json"}
    took = []
    with httpx.Client(headers=headers, follow_redirects=True) as client:
        for turn in range(times + 3):
            if turn == 3:
                used = processor_s(server)
            begun = time.perf_counter()
            answer = client.get(url)
            took.append((time.perf_counter() - begun) * 1000)
            if answer.status_code != 200:
                return f"| {name} | status {answer.status_code} | | | |"
    busy = (processor_s(server) - used) * 1000 / times
    took = sorted(took[3:])
    p95 = took[max(0, round(0.95 * len(took)) - 1)]
    size = len(answer.content) / 1000
    return f"| {name} | {statistics.median(took):.1f} | {p95:.1f} | {busy:.1f} | {size:.1f} |"


def processor_s(process: int) -> float:
    """Seconds of processor time that a process has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def listen(url: str, service: Service, count: int) -> str:
    """How long events take to reach all of so many listeners of one run that goes on."""
    run = make_run("260103-000000-watched", RunStatus.RUNNING)
    service.store.create_run(run)
    heard: list[float] = []
    ready = asyncio.Event()
    waiting = set(range(count))

    async def follow(client: httpx.AsyncClient, index: int) -> int:
        seen = 0
        path = f"{url}/api/v1/runs/{run.id}/events"
        async with client.stream("GET", path) as stream:
            async for line in stream.aiter_lines():
                waiting.discard(index)
                if not waiting:
                    ready.set()
                if line.startswith("event: phase"):
                    heard.append(time.monotonic())
                    seen += 1
        return seen

    limits = httpx.Limits(max_connections=count + 5)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        tasks = [asyncio.create_task(follow(client, index)) for index in range(count)]
        await asyncio.wait_for(ready.wait(), 60)
        told = []
        for index in range(10):
            told.append(time.monotonic())
            event = {"name": f"phase {index}"}
            await asyncio.to_thread(service.store.append_event, run.id, "phase", event)
            await asyncio.sleep(0.5)
        await asyncio.to_thread(service.cancel_run, run.id)
        counts = await asyncio.gather(*tasks)
    late = sorted(at - told[order // count] for order, at in enumerate(sorted(heard)))
    assert counts == [10] * count, "somebody missed an event"
    median, p95 = late[len(late) // 2], late[round(0.95 * len(late)) - 1]
    return (
        f"{count} listeners of one run: each got all of 10 events and the end;"
        f" median {median * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms after it was stored"
    )


def compare(url: str, seconds: int) -> None:
    """Requests per second beside a bare application, twice in turn."""
    with subprocess.Popen([sys.executable, "-c", HELLO, "8199"]) as bare:
        try:
            _wait("http://127.0.0.1:8199/")
            targets = [
                ("FastAPI, hello world", "http://127.0.0.1:8199/"),
                ("health", f"{url}/api/v1/health"),
                ("list of 50 runs", f"{url}/api/v1/runs"),
                ("a run with 5,000 nodes", f"{url}/api/v1/runs/{LARGE}"),
            ]
            rates: dict[str, list[float]] = {name: [] for name, _ in targets}
            for _ in range(2):
                for name, target in targets:
                    rates[name].append(wrk(target, seconds))
        finally:
            bare.terminate()
    base = statistics.mean(rates[targets[0][0]])
    print("| under wrk, 16 connections | requests/s | to hello world |\n|---|---|---|")
    for name, found in rates.items():
        rate = statistics.mean(found)
        print(f"| {name} | {rate:,.0f} | {rate / base:.2f} |")


def wrk(url: str, seconds: int) -> float:
    """Requests per second with status 2xx."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            httpx.get(url)
            return
        except httpx.ConnectError:
            time.sleep(0.1)
    raise RuntimeError(f"{url} does not answer")


if __name__ == "__main__":
    main()
