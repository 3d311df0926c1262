"""What the tests of every backend share: its arena, its cases, and what must hold for each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from apr.core.report import Stage
from support.hostile.arena import Arena, Finding, may_try, unpromised
from support.hostile.cases import RUNNERS_OF_THEIR_OWN, Case, load_cases

ABOUT_THE_SANDBOX = frozenset({"daemons", "escapes", "resources", "state"})
"""Families that a sandbox may hold better or worse than another; the rest is the harness's."""

WITHOUT_LIMITS = ABOUT_THE_SANDBOX - {"resources"}
"""Those that do not take their time limit."""

SUBJECTS_OF = {
    "bubblewrap": ("pytest", "unittest", "command", "java"),
    "docker": ("pytest", "unittest", "command"),  # the image has no Java
    "process": ("pytest", "unittest", "command"),
}


ABOUT_THE_HARNESS = frozenset(case.family for case in load_cases()) - ABOUT_THE_SANDBOX


def cases_of(backend: str) -> list[Case]:
    """Every case that concerns a backend, also those too dangerous for it."""
    return [case for case in load_cases() if case.subject in SUBJECTS_OF[backend]]


def parameters(backend: str, families: Collection[str]) -> pytest.MarkDecorator:
    """One test for every case of the families that may be tried on a backend, named after it.

    The tests try every family in one sandbox, and what concerns the sandbox in all of them; the
    table of the benchmarks tries everything everywhere, slow ones included.
    """
    chosen = (case for case in cases_of(backend) if case.family in families and not case.slow)
    cases = [case for case in chosen if may_try(backend, case) and not case.limits]
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

    It is tried as users meet it and, when it was the gate that stopped it although others can,
    with the gate open. Against what the backend does not promise to hold (see `PROMISES`),
    nothing is asked of it but right verdicts on the candidates after it.
    """
    excused = unpromised(arena.backend, case)
    finding = arena.attack(case, gate=True)
    _assert_harmless(finding, excused)
    if finding.stage is Stage.APPLY and _can_be_held_without_the_gate(case):
        _assert_harmless(arena.attack(case, gate=False), excused)


def _can_be_held_without_the_gate(case: Case) -> bool:
    """A runner of the subject's own is guarded by nobody; its sandbox and its reports are."""
    is_guarded = case.subject not in RUNNERS_OF_THEIR_OWN
    return not case.gate_only and (
        is_guarded or case.family in ABOUT_THE_SANDBOX | {"forged_reports"}
    )


def _assert_harmless(finding: Finding, excused: list[str]) -> None:
    case = finding.case
    assert not finding.harms_the_next, finding
    if excused:
        return
    assert finding.escapes == finding.leaks == (), finding
    may_be_fooled = case.needs_the_gate and not finding.gate
    assert may_be_fooled or not finding.is_fooled, finding
