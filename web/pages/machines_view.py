"""Workers and model servers, as their own metrics tell of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apr.core.run import RunStatus, Totals
from web.pages import words

_SAMPLE = re.compile(r"([a-z_]+)(?:\{([^}]*)\})? ([-+0-9.eE]+|NaN|[+-]?Inf)")
_LABEL = re.compile(r'([a-z_]+)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of a text that Prometheus reads."""

    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Reading:
    """What an address answered, or why it did not."""

    address: str
    text: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """A worker or a model server; `facts` are what it says of itself."""

    address: str
    kind: str
    problem: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MachinesView:
    """The installation: its runs, its queue, and who was asked for metrics."""

    statuses: tuple[tuple[RunStatus, int], ...]
    totals: tuple[tuple[str, str], ...]
    waiting: int
    has_queue: bool
    runs_here: int
    machines: tuple[Machine, ...]


def machines_view(
    totals: Totals, waiting: int, runs_here: int, readings: Sequence[Reading], *, has_queue: bool
) -> MachinesView:
    """`runs_here`: how many runs this server executes at once itself."""
    usage = totals.usage
    spent = [
        ("candidates judged", f"{usage.candidates:,}"),
        ("validations", f"{usage.validations:,}"),
        ("time spent searching", words.duration(usage.seconds)),
    ]
    if usage.seconds:
        spent.append(("speed", f"{usage.candidates / usage.seconds:,.1f} candidates/s"))
    if usage.calls:
        spent.append(("model calls", f"{usage.calls:,}"))
        spent.append(("tokens", f"{usage.tokens:,}"))
        spent.append(("money", words.money(usage.cost_usd)))
    return MachinesView(
        tuple((status, totals.runs[status]) for status in RunStatus if totals.runs.get(status)),
        tuple(spent),
        waiting,
        has_queue,
        runs_here,
        tuple(machine(reading) for reading in readings),
    )


def machine(reading: Reading) -> Machine:
    """What a reading says, as a worker's or a model server's."""
    samples = parse_samples(reading.text)
    if reading.problem:
        return Machine(reading.address, "unreachable", reading.problem, ())
    if any(sample.name == "apr_slots" for sample in samples):
        return Machine(reading.address, "model server", "", _server_facts(samples))
    if any(sample.name == "apr_up" for sample in samples):
        return Machine(reading.address, "worker", "", _worker_facts(samples))
    return Machine(reading.address, "unknown", "it answers, but not with the metrics of APR", ())


def parse_samples(text: str) -> list[Sample]:
    """The samples of a text; what is none is left out."""
    found = (_SAMPLE.fullmatch(line.strip()) for line in text.splitlines())
    return [
        Sample(each[1], dict(_LABEL.findall(each[2] or "")), float(each[3]))
        for each in found
        if each is not None
    ]


def _server_facts(samples: Sequence[Sample]) -> tuple[tuple[str, str], ...]:
    number = {sample.name: sample.value for sample in samples if not sample.labels}
    seconds = sum(s.value for s in samples if s.name == "apr_request_seconds_total")
    tokens = number.get("apr_completion_tokens_total", 0.0)
    drafted = number.get("apr_drafted_tokens_total", 0.0)
    accepted = number.get("apr_accepted_tokens_total", 0.0)
    prompt = number.get("apr_prompt_tokens_total", 0.0)
    cached = number.get("apr_prompt_tokens_cached_total", 0.0)
    steps = number.get("apr_steps_total", 0.0)
    facts = [
        ("slots taken", f"{number.get('apr_slots_taken', 0):.0f} of {number['apr_slots']:.0f}"),
        ("waiting", f"{number.get('apr_sequences_waiting', 0):.0f}"),
        ("tokens written", f"{tokens:,.0f}"),
    ]
    if seconds and tokens:
        facts.append(("tokens a second of request", f"{tokens / seconds:,.1f}"))
    if steps and tokens:
        facts.append(("tokens a step", f"{tokens / steps:.2f}"))
    if drafted:
        facts.append(("guesses accepted", f"{100 * accepted / drafted:.0f} % of {drafted:,.0f}"))
    if prompt:
        facts.append(("prompt known already", f"{100 * cached / prompt:.0f} % of {prompt:,.0f}"))
    return tuple(facts)


def _worker_facts(samples: Sequence[Sample]) -> tuple[tuple[str, str], ...]:
    facts = []
    for sample in samples:
        if sample.name == "apr_up":
            state = "reached" if sample.value else "not reached"
            facts.append((sample.labels.get("what", ""), state))
        elif sample.name == "apr_queue_depth":
            queue = sample.labels.get("queue", "")
            facts.append((f"queue {queue}", words.count(int(sample.value), "message")))
        elif sample.name == "process_resident_memory_bytes":
            facts.append(("memory", f"{sample.value / 2**20:,.0f} MiB"))
        elif sample.name == "process_cpu_seconds_total":
            facts.append(("processor time", words.duration(sample.value)))
    return tuple(facts)
