"""What a real model's answers are worth: usable, distinct and plausible ones, by benchmark.

Usage: python benchmarks/model_answers.py --base-url URL --model NAME [--quixbugs DIR]
       [--humanevalfix FILE] [--bugs N] [--answers N] [--seed N] [--keep FILE]
       [--set NAME=VALUE]...

Each bug's first question is put once, with N answers drawn to it; an answer that cannot be used
is sent back once with the reason, as in a run. The patches are validated as in a run. Nothing is
cached. `--keep` writes every question and answer as JSON lines, to be read by people. `--set`
changes a field of `PromptSettings`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from apr.core.bug import Bug
from apr.core.model import ModelReply, ModelRequest
from apr.core.patch import Patch
from apr.core.ports import RepairContext
from apr.core.run import Budget
from apr.core.tree import SearchNode
from apr.datasets import humanevalfix, quixbugs
from apr.generation.prompt.generator import PromptGenerator
from apr.generation.prompt.settings import AnswerFormat, PromptSettings
from apr.llm.client import OpenAIClient
from apr.llm.endpoint import Endpoint
from apr.repair import measure_oracle, open_validator
from apr.search.budget import BudgetMeter
from apr.settings import RunSettings
from apr.subject import prepare_subject
from validation.temporary import temporary_folder

SETTINGS = RunSettings(jobs=2, test_timeout_s=5.0, suite_timeout_s=120.0)


@dataclass
class Recorder:
    """A `ModelClient` that keeps what passes through it."""

    client: OpenAIClient
    name: str = ""
    exchanges: list[tuple[ModelRequest, ModelReply]] = field(default_factory=list)

    def complete(self, requests: Sequence[ModelRequest], *more: Any) -> list[ModelReply]:
        replies = list(self.client.complete(requests, *more))
        self.exchanges.extend(zip(requests, replies, strict=True))
        return replies


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over one or more bugs; `usable` answers became a patch, corrected ones included."""

    bugs: int = 0
    answers: int = 0
    first_time: int = 0
    usable: int = 0
    distinct: int = 0
    plausible: int = 0
    mended: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        pairs = ((f.name, getattr(self, f.name) + getattr(other, f.name)) for f in fields(self))
        return Tally(**dict(pairs))


def ask(bug: Bug, client: Recorder, prompts: PromptSettings, n: int, seed: int) -> Any:
    """One bug's tally and why answers were rejected."""
    silent = lambda kind, data: None  # noqa: E731
    with prepare_subject(bug, SETTINGS) as subject:
        oracle = measure_oracle(bug, subject, SETTINGS, silent)
        context = RepairContext(
            bug,
            subject.sources,
            oracle.locations,
            oracle.baseline.failing,
            subject.test_sources,
            seed,
        )
        generator = PromptGenerator(client, prompts)
        started = time.monotonic()
        found = generator.propose(context, SearchNode(0, None, Patch()), n)
        seconds = time.monotonic() - started
        with open_validator(subject, oracle, SETTINGS) as validator:
            reports = validator.validate([proposal.patch for proposal in found])
    return tally(client, generator, found, reports, n, seconds), generator.rejected


def tally(
    client: Recorder, generator: Any, found: Any, reports: Any, n: int, seconds: float
) -> Tally:
    """The counts of one bug."""
    plausible = sum(report.is_plausible for report in reports)
    replies = [reply for _, reply in client.exchanges]
    answers = sum(len(reply.answers) for reply in replies)
    bad = sum(generator.rejected.values())
    corrections = max(0, answers - n)
    return Tally(
        bugs=1,
        answers=n,
        first_time=n - (corrections or bad),
        usable=answers - bad,
        distinct=len(found),
        plausible=plausible,
        mended=int(plausible > 0),
        prompt_tokens=sum(reply.usage.prompt for reply in replies),
        answer_tokens=sum(reply.usage.completion for reply in replies),
        seconds=seconds,
    )


def load(options: argparse.Namespace, work: Path) -> Iterator[tuple[str, Bug]]:
    """Evenly spaced bugs of each benchmark."""
    sets: dict[str, Sequence[Bug]] = {}
    if options.quixbugs:
        sets["QuixBugs"] = quixbugs.load(options.quixbugs, work / "q").bugs
    if options.humanevalfix:
        sets["HumanEvalFix"] = humanevalfix.load(options.humanevalfix, work / "h").bugs
    for name, bugs in sets.items():
        step = len(bugs) / options.bugs
        for number in range(min(options.bugs, len(bugs))):
            yield name, bugs[int(number * step)]


def keep(path: Path, bug: Bug, client: Recorder, counted: Tally, rejected: Counter[str]) -> None:
    """Append a bug's exchanges to the file for people."""
    document = {
        "bug": bug.name,
        "tally": asdict(counted),
        "rejected": dict(rejected),
        "exchanges": [
            {"prompt": asdict(request)["prompt"], "answers": [a.text for a in reply.answers]}
            for request, reply in client.exchanges
        ],
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(document) + "\n")


def changed(settings: PromptSettings, pairs: Sequence[str]) -> PromptSettings:
    """The settings with NAME=VALUE put in."""
    for pair in pairs:
        name, _, value = pair.partition("=")
        is_word = name == "answer_format"
        given = AnswerFormat(value) if is_word else json.loads(value)
        settings = replace(settings, **{name: given})
    return settings


def report(name: str, total: Tally) -> None:
    share = lambda count: f"{count} ({100 * count / max(total.answers, 1):.0f} %)"  # noqa: E731
    print(
        f"{name}: {total.bugs} bugs, {total.answers} answers: {share(total.first_time)} usable at"
        f" once, {share(total.usable)} in the end, {share(total.distinct)} distinct,"
        f" {share(total.plausible)} plausible; {total.mended} bugs with a plausible one;"
        f" {total.prompt_tokens:,} + {total.answer_tokens:,} tokens, {total.seconds:.0f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--quixbugs", type=Path)
    parser.add_argument("--humanevalfix", type=Path)
    parser.add_argument("--bugs", type=int, default=12)
    parser.add_argument("--answers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    prompts = changed(PromptSettings(), options.set)
    totals: dict[str, Tally] = {}
    reasons: Counter[str] = Counter()
    with temporary_folder("answers") as work:
        for name, bug in load(options, work):
            endpoint = Endpoint(options.model, options.base_url, timeout_s=600.0)
            with OpenAIClient(endpoint, BudgetMeter(Budget(), time.monotonic)) as client:
                recorder = Recorder(client, options.model)
                counted, rejected = ask(bug, recorder, prompts, options.answers, options.seed)
            report(bug.name, counted)
            sys.stdout.flush()
            totals[name] = totals.get(name, Tally()) + counted
            reasons += rejected
            if options.keep:
                keep(options.keep, bug, recorder, counted, rejected)
    for name, total in totals.items():
        report(name, total)
    report("all", sum(totals.values(), Tally()))
    for reason, count in reasons.most_common(20):
        print(f"{count:5} {reason}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
