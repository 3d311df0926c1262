"""The repair model and the templates as one ranked stream, and as one program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from apr.core.patch import Hunk, Patch
from apr.core.ports import Proposal, RepairContext
from apr.core.tree import ROOT, SearchNode
from apr.generation.seq2seq.bundle import VARIABLE
from apr.generation.seq2seq.calibration import LEAST, as_it_is, as_probability, calibrate_by
from apr.generation.seq2seq.hybrid import HybridGenerator, Voice
from support.e2e import Apr

from .conftest import BUGGY, FIXED, make_context


@dataclass
class Fixed:
    """Proposes patches by their numbers, each with its score."""

    name: str
    scores: list[tuple[int, float]]
    offset: int = 0

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        chosen = self.scores[self.offset : self.offset + n]
        self.offset += n
        return [
            Proposal(Patch((Hunk("m.py", number, (), ("x\n",)),)), score, self.name)
            for number, score in chosen
        ]


def test_the_likelier_comes_first_and_each_patch_once() -> None:
    left = Fixed("left", [(1, 0.8), (2, 0.5), (3, 0.1)])
    right = Fixed("right", [(4, 1.0), (2, 0.9), (5, 0.2)])
    voices = [Voice(left, as_it_is), Voice(right, lambda score: score / 2)]
    generator = HybridGenerator(voices)
    root, context = SearchNode(ROOT, None, Patch()), make_context()
    found = [p for _ in range(6) for p in generator.propose(context, root, 1)]
    assert [(p.patch.hunks[0].first, p.origin, p.score) for p in found] == [
        *[(1, "left", 0.8), (2, "left", 0.5), (4, "right", 0.5), (3, "left", 0.1)],
        (5, "right", 0.1),
    ]
    assert generator.propose(context, root, 5) == []


def test_a_table_is_read_between_its_points() -> None:
    probability = calibrate_by(((-4.0, 0.0), (-2.0, 0.2), (0.0, 0.8)))
    assert probability(-1.0) == pytest.approx(0.5)
    assert probability(-2.0) == pytest.approx(0.2)
    assert probability(7.0) == pytest.approx(0.8)
    assert probability(-9.0) == LEAST
    assert as_probability(math.log(0.25)) == pytest.approx(0.25)
    assert as_probability(1.0) == 1.0


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    folder = tmp_path / "subject"
    folder.mkdir()
    (folder / "m.py").write_text(BUGGY)
    test = "from m import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
    (folder / "test_m.py").write_text(test)
    return folder


def test_a_bundle_makes_hybrid_the_default(bundle: Path, subject: Path, tmp_path: Path) -> None:
    apr = Apr(tmp_path)
    done = apr("fix", subject, "--location", "m.py:2", **{VARIABLE: str(bundle)})
    assert done.returncode == 0, done.stderr
    assert f"+{FIXED}" in done.stdout
    shown = apr("show", "last", "--format", "json").stdout
    assert '"generator": "hybrid"' in shown
    assert '"origin": "tiny"' in shown


def test_the_model_alone_is_asked_for_hunks_too(
    bundle: Path, subject: Path, tmp_path: Path
) -> None:
    (subject / "n.py").write_text(BUGGY)
    test = "from n import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
    (subject / "test_n.py").write_text(test)
    where = ("--location", "m.py:2", "--location", "n.py:2", "--search", "multimend")
    done = Apr(tmp_path)(
        "fix", subject, *where, "--generator", "seq2seq", **{VARIABLE: str(bundle)}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"+{FIXED}") == 2
    assert "2 hunks: judged 1 of" in done.stderr, "the same edit in both is tried first"


def test_what_cannot_be_used_is_said_at_once(subject: Path, tmp_path: Path) -> None:
    apr = Apr(tmp_path)
    done = apr("fix", subject, "--generator", "hybrid")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"name its folder in {VARIABLE}" in done.stderr
    done = apr("fix", subject, **{VARIABLE: str(subject)})
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds no repair model" in done.stderr
    done = apr("fix", subject, "--generator", "seq2seq", "--model", "m")
    assert done.returncode == 2
    assert "--generator seq2seq has no use for --model" in done.stderr
