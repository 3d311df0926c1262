"""What the tests of every backend share: its arena, its cases, and what must hold for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hostile.arena import Arena, Finding, may_try, unpromised
from support.hostile.cases import Case, load_cases

ABOUT_THE_SANDBOX = frozenset({"daemons", "early_exit", "escapes", "resources", "state"})
"""Families that a sandbox may hold better or worse than another; the rest is the harness's."""

SUBJECTS_OF = {
    "bubblewrap": ("pytest", "unittest", "command", "java"),
    "docker": ("pytest", "unittest", "command"),  # the image has no Java
    "process": ("pytest", "unittest", "command"),
}


def cases_of(backend: str) -> list[Case]:
    """Every case that concerns a backend, also those too dangerous for it."""
    return [case for case in load_cases() if case.subject in SUBJECTS_OF[backend]]


def parameters(backend: str) -> pytest.MarkDecorator:
    """One test for every case that may be tried on a backend, named after it."""
    cases = [case for case in cases_of(backend) if may_try(backend, case)]
    return pytest.mark.parametrize("case", cases, ids=[case.id for case in cases])


def open_arena(backend: str, folder: Path, image: str | None = None) -> Iterator[Arena]:
    """The arena for all tests of a module; at its end nothing of any attack may be left."""
    folder.chmod(0o755)  # other users of the sandboxes look for the canaries in there
    with Arena(backend, folder, image) as arena:
        yield arena
        verdicts = {subject: arena.confirm_honest(subject) for subject in arena.subjects}
        arena.close_validators()
        assert arena.left_at_the_end() == []
        assert set(verdicts.values()) <= {"plausible"}, verdicts


def assert_held(arena: Arena, case: Case) -> None:
    """The attack is no fix, gets nowhere, leaves nothing and harms no candidate after it.

    It is tried as users meet it and, unless nothing else can stop it, with the gate open; what
    only concerns the harness in one sandbox, the table of the benchmarks tries in all of them.
    Against what the backend does not promise to hold (see `PROMISES`), nothing is asked of it
    but right verdicts on the candidates after it.
    """
    excused = unpromised(arena.backend, case)
    _assert_harmless(arena.attack(case, gate=True), excused)
    is_told_elsewhere = arena.backend != "bubblewrap" and case.family not in ABOUT_THE_SANDBOX
    if case.gate_only or case.limits or is_told_elsewhere:
        return
    _assert_harmless(arena.attack(case, gate=False), excused)


def _assert_harmless(finding: Finding, excused: list[str]) -> None:
    case = finding.case
    assert not finding.harms_the_next, finding
    if excused:
        return
    assert finding.escapes == finding.leaks == (), finding
    is_known = case.limits or (case.needs_the_gate and not finding.gate)
    assert is_known or not finding.is_fooled, finding
