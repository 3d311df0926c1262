"""Thousands of requests to a server with every fault at once: is anything lost or overspent?

Usage: python benchmarks/model_faults.py [--requests N] [--percent N] [--concurrency N] [--seed N]

A real HTTP server on the loopback interface turns requests away, cuts, resets and delays replies,
and keeps its own accounts of what it charges for. The same questions are put whole and streamed,
without caps, and then once for each cap, set to about half of what they took. The exit code says
whether all that is promised held.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from apr.core.errors import BudgetExhaustedError  # noqa: E402
from apr.core.model import ModelReply  # noqa: E402
from apr.core.run import Budget, Usage  # noqa: E402
from apr.llm.client import OpenAIClient  # noqa: E402
from apr.llm.endpoint import Endpoint  # noqa: E402
from apr.llm.prices import Price  # noqa: E402
from apr.llm.retry import RetryPolicy  # noqa: E402
from apr.search.budget import BudgetMeter  # noqa: E402
from support.model_storm import NEVER_READ, Storm, lost_attempts, misread, question  # noqa: E402
from support.openai_server import serving  # noqa: E402

RETRY = RetryPolicy(attempts=40, first_s=0.01, longest_s=0.1)
BATCH = 500


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of all requests, on both sides."""

    name: str
    replies: dict[int, ModelReply]
    used: Usage
    storm: Storm
    sent: int
    seconds: float


def run(name: str, options: argparse.Namespace, budget: Budget, *, is_stream: bool) -> Trial:
    """Put all questions, or as many as the budget allows."""
    storm = Storm(options.seed, options.percent, slow_s=1.5, is_stream=is_stream)
    purse = BudgetMeter(budget, time.monotonic)
    replies: dict[int, ModelReply] = {}
    started = time.monotonic()
    with serving(storm) as server:
        endpoint = Endpoint(
            "m",
            server.base_url,
            price=Price(*storm.prices),
            concurrency=options.concurrency,
            timeout_s=1.0,
            stream=is_stream,
            retry=RETRY,
            max_reply_bytes=200_000,
        )
        with OpenAIClient(endpoint, purse, seed=options.seed) as client:
            ask_all(client, options.requests, replies)
        sent = len(server.requests)
    return Trial(name, replies, purse.usage, storm, sent, time.monotonic() - started)


def ask_all(client: OpenAIClient, requests: int, replies: dict[int, ModelReply]) -> None:
    for start in range(0, requests, BATCH):
        numbers = range(start, min(start + BATCH, requests))

        def keep(position: int, reply: ModelReply, start: int = start) -> None:
            replies[start + position] = reply

        try:
            client.complete([question(number) for number in numbers], keep)
        except BudgetExhaustedError:
            return


def broken_promises(trial: Trial, requests: int, budget: Budget) -> list[str]:
    """Sentences about what did not hold; none when all is well."""
    storm, used = trial.storm, trial.used
    found = []
    if wrong := misread(trial.replies):
        found.append(f"{len(wrong)} replies are another question's, or counted wrongly")
    lost, rest = lost_attempts(used, trial.replies)
    if rest or lost < sum(storm.faults[kind] for kind in NEVER_READ):
        found.append("some tokens are not accounted for")
    if used.calls < trial.sent:
        found.append(f"{trial.sent} requests came, {used.calls} were counted")
    if used.tokens < storm.charged.tokens or used.cost_usd < storm.charged.cost_usd:
        found.append("the server has charged more than was counted")
    caps: list[tuple[str, Any, Any]] = [
        ("calls", budget.calls, max(used.calls, trial.sent)),
        ("tokens", budget.tokens, max(used.tokens, storm.charged.tokens)),
        ("dollars", budget.cost_usd, max(used.cost_usd, storm.charged.cost_usd)),
    ]
    found += [f"the cap on {n} was overshot" for n, cap, x in caps if cap is not None and x > cap]
    is_free = budget == Budget(candidates=None)
    if is_free and len(trial.replies) != requests:
        found.append(f"{requests - len(trial.replies)} requests have no reply")
    return found


def report(trial: Trial, broken: list[str]) -> None:
    storm, used = trial.storm, trial.used
    lost, _ = lost_attempts(used, trial.replies)
    told = sum(reply.usage.total for reply in trial.replies.values())
    print(
        f"| {trial.name} | {len(trial.replies):,} | {trial.sent:,} | {lost:,} | {told:,} |"
        f" {storm.charged.tokens:,} | {used.tokens:,} | {storm.charged.cost_usd:.4f} |"
        f" {used.cost_usd:.4f} | {trial.seconds:.0f} s | {'; '.join(broken) or 'yes'} |",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--percent", type=int, default=40)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        "| trial | replies | requests | replies lost | tokens read | tokens charged |"
        " tokens counted | $ charged | $ counted | time | all promises held |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    free = Budget(candidates=None)
    whole = run("whole", options, free, is_stream=False)
    half = whole.used
    trials = [
        (whole, free),
        (run("streamed", options, free, is_stream=True), free),
    ]
    report(whole, broken_promises(whole, options.requests, free))
    report(trials[1][0], broken_promises(trials[1][0], options.requests, free))
    for name, caps in {
        "cap on calls": {"calls": half.calls // 2},
        "cap on tokens": {"tokens": half.tokens // 2},
        "cap on money": {"cost_usd": half.cost_usd / 2},
    }.items():
        budget = Budget(candidates=None, **caps)
        trial = run(name, options, budget, is_stream=False)
        report(trial, broken_promises(trial, options.requests, budget))
        trials.append((trial, budget))
    return int(any(broken_promises(t, options.requests, budget) for t, budget in trials))


if __name__ == "__main__":
    raise SystemExit(main())
