"""A search with a model that is stopped goes on where it was, and nothing is asked twice."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import seeded_model
from support.e2e import BUGS, Apr, nodes_saved, tree_of
from support.openai_server import Server, serving

SUBJECT = BUGS / seeded_model.SUBJECT / "subject"
BUDGET = ("--candidates", 16, "--seed", 3, "--format", "json")
SEARCH = ("--reward", "mixed", "--judge", 0.3, "--parallel", 2)
UNDER_WAY = 8
"""Two nodes' questions, corrections and judgements."""
COSTS = frozenset({"calls", "tokens", "cost_usd"})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(seeded_model.reply) as running:
        yield running


def asking(server: Server) -> tuple[object, ...]:
    model = ("--model", "m", "--base-url", server.base_url)
    return ("fix", SUBJECT, *BUDGET, *SEARCH, *model)


@pytest.fixture(scope="module")
def undisturbed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[list, int]:
    """The tree, and how many requests it took."""
    apr = Apr(tmp_path_factory.mktemp("undisturbed"))
    done = apr(*asking(server))
    assert done.returncode == 1, done.stderr
    usage, nodes = json.loads(done.stdout)["usage"], tree_of(apr)
    assert sum(node["calls"] for node in nodes) == usage["calls"] == len(server.requests)
    assert sum(node["tokens"] for node in nodes) == usage["tokens"]
    assert len(nodes) == 17
    return tree_of(apr, leave_out=COSTS), len(server.requests)


@pytest.mark.parametrize(("number", "reached"), [(signal.SIGKILL, 4), (signal.SIGINT, 8)])
def test_a_stopped_search_resumes_to_the_same_tree(
    apr: Apr,
    server: Server,
    undisturbed: tuple[list, int],
    tmp_path: Path,
    number: signal.Signals,
    reached: int,
) -> None:
    tree, asked = undisturbed
    server.requests.clear()
    apr.stop_after(lambda: nodes_saved(tmp_path / "data") > reached, number, *asking(server))
    assert reached < nodes_saved(tmp_path / "data") < len(tree)
    resumed = apr("resume", "last", "--format", "json")
    assert resumed.returncode == 1, resumed.stderr
    assert tree_of(apr, leave_out=COSTS) == tree
    assert asked <= len(server.requests) <= asked + UNDER_WAY
