"""Trees and diffs by the hundred: we accept what `git apply` accepts, and write the same bytes.

benchmarks/diff_fuzz.py runs the same comparison by the hundred thousand.
"""

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.diff_cases import make_case
from support.git_apply import GitApply, compare, ours

CASES = 300


def test_made_up_cases_end_as_in_git(tmp_path: Path) -> None:
    git = GitApply(tmp_path)
    cases = [make_case(Random(f"0/{number}")) for number in range(CASES)]
    told = {number: compare(case, git) for number, case in enumerate(cases)}
    assert {number: said for number, said in told.items() if said} == {}
    accepted = sum(ours(case) is not None for case in cases)
    assert CASES / 5 < accepted < CASES / 2  # neither side merely refuses everything


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(random=st.randoms(use_true_random=False))
def test_cases_that_hypothesis_steers_end_as_in_git(tmp_path: Path, random: Random) -> None:
    case = make_case(random)
    assert compare(case, GitApply(tmp_path)) is None


@pytest.mark.parametrize("seed", range(3))
def test_reading_nonsense_never_raises_anything_unexpected(seed: int) -> None:
    random = Random(seed)
    for _ in range(300):
        case = make_case(random)
        ours(type(case)(case.tree, random.randbytes(random.randint(0, 40)) + case.diff))
