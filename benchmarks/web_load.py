"""How fast the web server answers with many runs, a large tree and many listeners.

    python benchmarks/web_load.py --part all

Fills a store, serves it (`apr web`, in a process of its own) and measures, one part or all:

- `api`: p50 and p95 of lists and of one run with a large tree, one request after the other, and the
  processor time that the server used for each;
- `pages`: the same of every page of the dashboard, with its weight: the page, its style sheets,
  scripts and pictures, as a browser loads them that has none of them yet;
- `listeners`: how soon an event reaches many listeners of one run;
- `wrk`: requests per second, beside a FastAPI application that says hello, served by the same
  uvicorn in the same minutes. Needs `wrk`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from web_load_store import LARGE, VARIANTS, fill, make_run

from apr.bootstrap import bootstrap
from apr.core.run import RunStatus
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
PARTS = ("api", "pages", "listeners", "wrk")
RUN, RUN_API = f"/runs/{LARGE}", f"/api/v1/runs/{LARGE}"
BENCHMARK = f"/benchmarks/show?name={VARIANTS}"
REQUESTS = {
    "list of 50 runs": "/api/v1/runs",
    "list, searched and sorted": "/api/v1/runs?q=project&order=candidates",
    "last page of the list": "/api/v1/runs?offset=950",
    "a run": RUN_API,
    "its 50 best candidates": f"{RUN_API}/candidates",
    "one candidate": f"{RUN_API}/candidates/77",
    "its whole tree": f"{RUN_API}/tree",
    "its log": f"{RUN_API}/log",
}
PAGES = {
    "runs": "/runs",
    "runs, of one status": "/runs?status=exhausted",
    "runs, searched and sorted": "/runs?q=project&sort=candidates",
    "runs, page 20": "/runs?page=20",
    "new run": "/new",
    "the run": RUN,
    "its tree": f"{RUN}/tree",
    "its tree from node 5, wide": f"{RUN}/tree?at=5&children=200",
    "a node": f"{RUN}/nodes/77",
    "the winner's node": f"{RUN}/nodes/4999",
    "candidates": f"{RUN}/candidates",
    "candidates, page 60": f"{RUN}/candidates?page=60",
    "heat map": f"{RUN}/heat",
    "behaviour": f"{RUN}/questions",
    "hunks": f"{RUN}/hunks",
    "log": f"{RUN}/log",
    "benchmarks": "/benchmarks",
    "a benchmark": BENCHMARK,
    "a benchmark, over time": f"{BENCHMARK}&over=time",
    "a benchmark, two others": f"{BENCHMARK}&left=breadth-first&right=no-feedback",
    "machines": "/machines",
}


def main() -> None:
    options = _options()
    parts = PARTS if options.part == "all" else (options.part,)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        service = bootstrap(AppSettings(data_dir=folder, database_url=None))
        fill(service, folder, options.runs, options.nodes)
        print(f"{options.runs:,} runs, a tree of {options.nodes:,} nodes")
        with serving(folder) as (url, server):
            if "api" in parts:
                print(tabulate(url, REQUESTS, options.times, server, "application/json"))
            if "pages" in parts:
                print(tabulate(url, PAGES, options.times, server, "text/html"))
            if "listeners" in parts:
                print("\n" + asyncio.run(listen(url, service, options.listeners)))
            if "wrk" in parts:
                print(compare(url, options.seconds))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=4, help="of each measurement with wrk")
    return parser.parse_args()


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """`apr web` on the store, without a limit on requests; its address and process."""
    command = [sys.executable, "-m", "apr.cli.main", "web", "--port", "0", "--runs", "0"]
    settings = {
        "APR_WEB_REQUESTS_PER_SECOND": "0",
        "APR_WEB_BENCHMARKS": str(folder / "benchmarks"),
    }
    with subprocess.Popen(
        [*command, "--data", str(folder)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | settings,
    ) as server:
        assert server.stderr is not None
        try:
            found = re.search(r"http://\S+", server.stderr.readline())
            assert found is not None
            yield found[0], server.pid
        finally:
            server.terminate()


def tabulate(url: str, targets: dict[str, str], times: int, server: int, kind: str) -> str:
    """A line of figures for each target."""
    lines = ["", f"| {kind} | first ms | p50 ms | p95 ms | processor ms | kB | kB with its files |"]
    lines.append("|---" * 7 + "|")
    for name, path in targets.items():
        with httpx.Client(headers={"Accept": kind}, base_url=url, timeout=60) as client:
            lines.append(f"| {name} | {measure(client, path, times, server)} |")
    return "\n".join(lines)


def measure(client: httpx.Client, path: str, times: int, server: int) -> str:
    """Times of one request after the other, and sizes.

    Processor time is what the server itself has used, whatever else the machine was doing.
    """
    first, answer = timed(client, path)
    used = processor_s(server)
    took = sorted(timed(client, path)[0] for _ in range(times))
    busy = (processor_s(server) - used) * 1000 / times
    p95 = took[max(0, round(0.95 * len(took)) - 1)]
    figures = (first, statistics.median(took), p95, busy)
    size, files = len(answer.content), re.findall(r'"(/static/[^"]+)"', answer.text)
    weight = size + sum(len(client.get(file).content) for file in set(files))
    told = [f"{figure:.1f}" for figure in (*figures, size / 1000, weight / 1000)]
    return " | ".join(told)


def timed(client: httpx.Client, path: str) -> tuple[float, httpx.Response]:
    """The milliseconds that a request took, and its answer."""
    begun = time.perf_counter()
    answer = client.get(path)
    took = (time.perf_counter() - begun) * 1000
    assert answer.status_code == 200, f"{path}: status {answer.status_code}"
    return took, answer


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


def compare(url: str, seconds: int) -> str:
    """Requests per second beside a bare application, twice in turn."""
    with subprocess.Popen([sys.executable, "-c", HELLO, "8199"]) as bare:
        try:
            _wait("http://127.0.0.1:8199/")
            targets = [
                ("FastAPI, hello world", "http://127.0.0.1:8199/"),
                ("health", f"{url}/api/v1/health"),
                ("list of 50 runs", f"{url}/api/v1/runs"),
                ("a run", f"{url}{RUN_API}"),
                ("page: runs", f"{url}/runs"),
                ("page: the run", f"{url}{RUN}"),
            ]
            rates: dict[str, list[float]] = {name: [] for name, _ in targets}
            for _ in range(2):
                for name, target in targets:
                    rates[name].append(wrk(target, seconds))
        finally:
            bare.terminate()
    base = statistics.mean(rates[targets[0][0]])
    lines = ["", "| under wrk, 16 connections | requests/s | to hello world |", "|---|---|---|"]
    for name, found in rates.items():
        rate = statistics.mean(found)
        lines.append(f"| {name} | {rate:,.0f} | {rate / base:.3f} |")
    return "\n".join(lines)


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
