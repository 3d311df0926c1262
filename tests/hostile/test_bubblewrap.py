"""Attacks on the sandbox, held by bubblewrap; all of them on the same warm validators."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.hostile.arena import Arena
from support.hostile.cases import Case
from support.hostile.suite import ABOUT_THE_SANDBOX, assert_held, open_arena, parameters
from validation.sandbox.policy import SandboxPolicy
from validation.sandbox.select import available


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    reason = available(SandboxPolicy())["bubblewrap"]
    if reason is not None:
        pytest.skip(reason)
    yield from open_arena("bubblewrap", tmp_path_factory.mktemp("arena"))


@parameters("bubblewrap", ABOUT_THE_SANDBOX)
def test_attack_is_held(arena: Arena, case: Case) -> None:
    assert_held(arena, case)
