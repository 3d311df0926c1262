"""Compares a repaired program with the reference version on extra inputs, after the search."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from apr.core.report import CorrectnessLabel
from apr.datasets.cases import Case
from validation.patchdiff.compare import agree

CHILD_SCRIPT = Path(__file__).with_name("differential_child.py")
"""Runs with any Python 3.11 or later, and the harness: `python differential_child.py`."""

RELATIVE_TOLERANCE = 1e-6
"""Of floats: a repaired program may compute in another order than the reference."""

Execute = Callable[[bytes, float], bytes]
"""Runs `CHILD_SCRIPT` with one request line on its standard input, within so many seconds, and
returns what it wrote on standard output; what it wrote before a kill counts. With PYTHONHASHSEED=0
in its environment the child need not start itself anew."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and on how many inputs two programs are compared.

    `cases` counts the inputs on which the reference returns; `reference_call_s` is the processor
    time that the reference gets for one call, `candidate_call_s` what the candidate gets before
    it counts as hanging; `seconds` bounds the wall-clock time of the whole comparison.
    """

    cases: int = 200
    batch: int = 100
    reference_call_s: float = 0.2
    candidate_call_s: float = 2.0
    seconds: float = 30.0
    memory_mib: int = 1024


@dataclass(frozen=True, slots=True)
class Difference:
    """An input on which the candidate does not behave as the reference does."""

    case: Case
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many valid inputs both programs ran on, and the first that tells them apart."""

    executed: int
    agreed: int
    first_difference: Difference | None = None


def label_correctness(comparison: Comparison, minimum: int = 15) -> CorrectnessLabel:
    """Overfitting on a difference, correct (as far as tested) on `minimum` agreements or more."""
    if comparison.first_difference is not None:
        return CorrectnessLabel.OVERFITTING
    if comparison.agreed >= minimum:
        return CorrectnessLabel.CORRECT
    return CorrectnessLabel.UNKNOWN


def process_execute(python: str = sys.executable) -> Execute:
    """Run the child as a plain process under its own resource limits: no sandbox."""

    def execute(request: bytes, timeout_s: float) -> bytes:
        try:
            done = subprocess.run(
                [python, "-B", str(CHILD_SCRIPT)],
                input=request,
                env={**os.environ, "PYTHONHASHSEED": "0"},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            return expired.stdout or b""
        return done.stdout

    return execute


@dataclass(frozen=True, slots=True)
class _Program:
    source: str
    entry_point: str
    call_limit_s: float
    stop_at_timeout: bool


def compare_programs(
    candidate: str,
    reference: str,
    entry_point: str,
    cases: Iterator[Case],
    execute: Execute,
    *,
    limits: Limits | None = None,
    tolerance: Callable[[Case], float] = lambda _case: 0.0,
    clock: Callable[[], float] = time.monotonic,
) -> Comparison:
    """Run both sources on the same cases until they differ, or the limits are reached.

    A case counts only when the reference returns a value. Floats agree within a relative 1e-6
    or the case's absolute `tolerance`; exceptions of the candidate never agree with a value.
    """
    limit = limits or Limits()
    deadline = clock() + limit.seconds
    trusted = _Program(reference, entry_point, limit.reference_call_s, False)
    judged = _Program(candidate, entry_point, limit.candidate_call_s, True)
    agreed = 0
    while agreed < limit.cases and (left := deadline - clock()) > 0:
        batch = list(islice(cases, limit.batch))
        if not batch:
            break
        expected = _run(trusted, batch, execute, limit, left)
        valid = [(c, e) for c, e in zip(batch, expected, strict=True) if "value" in e]
        valid = valid[: limit.cases - agreed]
        left = max(deadline - clock(), limit.candidate_call_s * 2)
        actual = _run(judged, [case for case, _ in valid], execute, limit, left)
        for (case, want), got in zip(valid, actual, strict=True):
            if "skipped" in got:
                return Comparison(agreed, agreed)
            if not outcomes_agree(want, got, tolerance(case)):
                return Comparison(agreed + 1, agreed, Difference(case, _show(want), _show(got)))
            agreed += 1
    return Comparison(agreed, agreed)


def _run(
    program: _Program, cases: Sequence[Case], execute: Execute, limits: Limits, seconds: float
) -> list[dict[str, Any]]:
    """An outcome per case; after a death or a timeout that ends the batch, the rest is skipped."""
    if not cases:
        return []
    request = {
        "source": program.source,
        "entry_point": program.entry_point,
        "cases": [case.to_json() for case in cases],
        "call_limit_s": program.call_limit_s,
        "memory_mib": limits.memory_mib,
        "stop_at_timeout": program.stop_at_timeout,
    }
    output = execute(json.dumps(request).encode() + b"\n", seconds)
    outcomes = _parse_outcomes(output)[: len(cases)]
    if len(outcomes) < len(cases) and not (outcomes and "timeout" in outcomes[-1]):
        outcomes.append({"died": True})
    return outcomes + [{"skipped": True}] * (len(cases) - len(outcomes))


def _parse_outcomes(output: bytes) -> list[dict[str, Any]]:
    outcomes = []
    for line in output.split(b"\n"):
        try:
            outcome = json.loads(line)
        except ValueError:
            break
        if "done" in outcome:
            break
        outcomes.append(outcome)
    return outcomes


def outcomes_agree(expected: Any, actual: Any, tolerance: float = 0.0) -> bool:
    """Structural equality of two encoded outcomes; numbers within the tolerance."""
    return agree(expected, actual, RELATIVE_TOLERANCE, tolerance)


def _show(outcome: dict[str, Any], length: int = 300) -> str:
    if "raised" in outcome:
        return f"raises {outcome['raised']}"
    if "timeout" in outcome:
        return "does not end in time"
    if "died" in outcome:
        return "the process died"
    return json.dumps(outcome.get("value"))[:length]
