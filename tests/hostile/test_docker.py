"""Attacks on the sandbox, held by Docker; all of them on the same warm validators."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.hostile.arena import Arena
from support.hostile.cases import Case
from support.hostile.suite import WITHOUT_LIMITS, assert_held, open_arena, parameters

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory, docker_image: str) -> Iterator[Arena]:
    yield from open_arena("docker", tmp_path_factory.mktemp("arena"), docker_image)


@parameters("docker", WITHOUT_LIMITS)
def test_attack_is_held(arena: Arena, case: Case) -> None:
    assert_held(arena, case)
