"""Attacks on the web server, all to be refused; their table is in benchmarks/results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.attacks import ATTACKS, Attack, World, make_world
from support.web_server import WebServer


@pytest.fixture(scope="module")
def world(server: WebServer) -> Iterator[World]:
    made = make_world(server, server.folder)
    with made.clients:
        yield made


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.kind}: {attack.name}")
def test_attack_is_refused(attack: Attack, world: World) -> None:
    assert attack.try_it(world)


def test_attackers_left_nothing_behind(world: World) -> None:
    assert not Path("/tmp/owned").exists()
    assert world.victim.get(f"/runs/{world.victim_run}").json()["status"] == "queued"
