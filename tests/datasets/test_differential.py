"""Real child processes, real programs: what counts as a difference and what does not."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator

import pytest

from apr.core.report import CorrectnessLabel
from apr.datasets.cases import Case, NodeRef, NodeSpec
from apr.datasets.differential import (
    CHILD_SCRIPT,
    Comparison,
    Difference,
    Limits,
    compare_programs,
    label_correctness,
    outcomes_agree,
    process_execute,
)
from apr.datasets.differential_child import decode, encode

LIMITS = Limits(cases=20, batch=10, candidate_call_s=0.3, seconds=20)


def numbers(count: int = 20) -> Iterator[Case]:
    return (Case((number,)) for number in range(count))


def compare(
    candidate: str, reference: str, cases: Iterable[Case] | None = None, tolerance: float = 0.0
) -> Comparison:
    return compare_programs(
        candidate,
        reference,
        "f",
        iter(numbers() if cases is None else cases),
        process_execute(),
        limits=LIMITS,
        tolerance=lambda _case: tolerance,
    )


def test_equivalent_programs_agree_on_every_case() -> None:
    comparison = compare("def f(n):\n    return n + n\n", "def f(n):\n    return 2 * n\n")
    assert comparison == Comparison(20, 20)
    assert label_correctness(comparison) is CorrectnessLabel.CORRECT


def test_first_difference_is_recorded_with_its_input() -> None:
    comparison = compare("def f(n):\n    return n if n < 12 else -n\n", "def f(n):\n    return n\n")
    assert comparison == Comparison(13, 12, Difference(Case((12,)), "12", "-12"))
    assert label_correctness(comparison) is CorrectnessLabel.OVERFITTING


def test_few_agreements_prove_nothing() -> None:
    assert label_correctness(Comparison(3, 3)) is CorrectnessLabel.UNKNOWN
    assert label_correctness(Comparison(3, 3), minimum=3) is CorrectnessLabel.CORRECT


def test_inputs_that_the_reference_refuses_do_not_count() -> None:
    reference = "def f(n):\n    if n % 2:\n        raise ValueError\n    return n\n"
    assert compare("def f(n):\n    return n\n", reference) == Comparison(10, 10)


def test_candidate_that_raises_differs() -> None:
    comparison = compare(
        "def f(n):\n    return 1 // (n - 3)\n",
        "def f(n):\n    return 1 // (n - 3) if n != 3 else 0\n",
    )
    assert comparison.first_difference == Difference(Case((3,)), "0", "raises ZeroDivisionError")


def test_endless_candidate_differs_even_when_it_swallows_everything() -> None:
    endless = (
        "def f(n):\n    while n:\n        try:\n            n += 1\n"
        "        except Exception:\n            pass\n    return n\n"
    )
    comparison = compare(endless, "def f(n):\n    return n\n")
    assert comparison.first_difference is not None
    assert comparison.first_difference.actual == "does not end in time"


def test_endless_reference_only_loses_that_case() -> None:
    reference = "def f(n):\n    while n == 3:\n        pass\n    return n\n"
    assert compare("def f(n):\n    return n\n", reference) == Comparison(19, 19)


def test_candidate_that_kills_its_process_differs() -> None:
    killer = "import os\ndef f(n):\n    if n == 2:\n        os._exit(0)\n    return n\n"
    comparison = compare(killer, "def f(n):\n    return n\n")
    assert comparison.first_difference == Difference(Case((2,)), "2", "the process died")


def test_candidate_that_cannot_be_loaded_differs() -> None:
    comparison = compare("def f(n) return n\n", "def f(n):\n    return n\n")
    assert comparison.first_difference is not None
    assert comparison.first_difference.actual == "raises ImportError"


def test_printing_does_not_disturb_the_protocol() -> None:
    noisy = "def f(n):\n    print('{\"value\": 0}', flush=True)\n    return n\n"
    assert compare(noisy, "def f(n):\n    return n\n") == Comparison(20, 20)


def test_generators_are_read_out_and_memory_is_bounded() -> None:
    lazy = "def f(n):\n    yield from range(n)\n"
    assert compare(lazy, lazy) == Comparison(20, 20)
    greedy = "def f(n):\n    return len(bytearray(1 << 40)) * 0 + n\n"
    comparison = compare(greedy, "def f(n):\n    return n\n")
    assert comparison.first_difference is not None
    assert comparison.first_difference.actual == "raises MemoryError"


def test_set_iteration_does_not_vary_between_processes() -> None:
    source = "def f(n):\n    return list({'a', 'b', 'c', 'd', str(n)})\n"
    assert compare(source, source) == Comparison(20, 20)


def test_numbers_agree_within_the_tolerance_of_the_case() -> None:
    exact, rough = "def f(n):\n    return n / 3\n", "def f(n):\n    return n / 3 + 0.01\n"
    assert compare(rough, exact).first_difference is not None
    assert compare(rough, exact, tolerance=0.02) == Comparison(20, 20)


def test_nodes_are_compared_by_identity_and_final_links() -> None:
    cells = (NodeSpec("a", {"successor": 1}), NodeSpec("b", {"successor": None}))
    cases = [Case((NodeRef(0),), cells)]
    reverse = (
        "def f(node):\n    last = None\n    while node:\n"
        "        node.successor, last, node = last, node, node.successor\n    return last\n"
    )
    end = (
        "def f(node):\n    while node.successor:\n        node = node.successor\n    return node\n"
    )
    assert compare(reverse, reverse, cases) == Comparison(1, 1)
    assert compare(end, reverse, cases).first_difference is not None


def test_the_caller_runs_the_child() -> None:
    requests = []

    def execute(request: bytes, timeout_s: float) -> bytes:
        requests.append(json.loads(request))
        assert 0 < timeout_s <= 20
        return process_execute()(request, timeout_s)

    compare_programs(
        "def f(n):\n    return 'candidate'\n",
        "def f(n):\n    return 'reference'\n",
        "f",
        numbers(3),
        execute,
        limits=LIMITS,
    )
    sources = ["reference" in request["source"] for request in requests]
    assert sources == [True, False]


def test_child_runs_within_tighter_limits_of_its_sandbox() -> None:
    request = {
        "source": "def f(n):\n    return n\n",
        "entry_point": "f",
        "cases": [Case((5,)).to_json()],
        "call_limit_s": 1.0,
        "memory_mib": 1024,
        "stop_at_timeout": True,
    }
    command = f'ulimit -f 2048 -v 524288; exec "{sys.executable}" "{CHILD_SCRIPT}"'
    done = subprocess.run(
        ["sh", "-c", command],
        input=json.dumps(request).encode() + b"\n",
        capture_output=True,
        timeout=20,
    )
    assert done.stdout == b'{"value": 5}\n{"done": true}\n'


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -2.5, "text", [1, [2]], (1, "a"), {1, 2}, frozenset({3}), {(0, 1): [2]}],
)
def test_values_survive_the_journey(value: object) -> None:
    copy = decode(json.loads(json.dumps(encode(value))))
    assert copy == value
    assert type(copy) is type(value)


def test_structures_agree_by_value_and_kind() -> None:
    assert outcomes_agree(encode([1, 2.0]), encode([1.0, 2]))
    assert outcomes_agree(encode(float("nan")), encode(float("nan")))
    assert not outcomes_agree(encode([1, 2]), encode((1, 2)))
    assert not outcomes_agree(encode([1]), encode([1, 1]))
    assert not outcomes_agree(encode(None), encode(0))
