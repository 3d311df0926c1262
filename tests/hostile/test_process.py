"""Attacks on the weakest sandbox: it holds what it promises, and no verdict is wrong.

Attacks that only stronger sandboxes promise to hold are tried here behind the gate, and with the
gate open as far as they cannot harm the machine.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.hostile.arena import Arena
from support.hostile.cases import Case
from support.hostile.suite import WITHOUT_LIMITS, assert_held, open_arena, parameters


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    yield from open_arena("process", tmp_path_factory.mktemp("arena"))


@parameters("process", WITHOUT_LIMITS)
def test_attack_is_held_as_far_as_promised(arena: Arena, case: Case) -> None:
    assert_held(arena, case)
