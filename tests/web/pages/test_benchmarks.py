"""What the pages about benchmarks show of records on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from apr.core.errors import BadInputError
from support.web_runs import write_records
from web.pages.benchmark_records import open_records
from web.pages.benchmarks_view import Wanted, benchmark_view
from web.pages.curves_view import Over


def test_curves_count_the_bugs_fixed_within_so_much(tmp_path: Path) -> None:
    """Of four bugs with two seeds `mcts` fixes three after 1, 10 and 100 candidates."""
    write_records(tmp_path / "a", mcts=(1, 10, 100, None), greedy=(10, 10, None, None))
    view = benchmark_view(tmp_path, ["a"], Wanted())
    assert [tick.label for tick in view.chart.across] == ["1", "2", "5", "10", "20", "50", "100"]
    greedy, mcts = view.chart.lines
    assert (mcts.fixed, mcts.last) == (("1", "1", "1", "2", "2", "2", "3"), "3")
    assert (greedy.fixed, greedy.last) == (("0", "0", "0", "2", "2", "2", "2"), "2")
    assert mcts.path.startswith("M44 226H44V173.0H")
    over_time = benchmark_view(tmp_path, ["a"], Wanted(Over.TIME)).chart
    assert over_time.lines[1].last == "3"
    no_money = benchmark_view(tmp_path, ["a"], Wanted(Over.MONEY)).chart
    assert (no_money.lines, no_money.problem) == ((), "No search cost any money.")


def test_two_benchmark_runs_are_compared_bug_by_bug(tmp_path: Path) -> None:
    write_records(tmp_path / "a", mcts=(1, 10, None, None))
    write_records(tmp_path / "b", mcts=(1, None, None, 50))
    view = benchmark_view(tmp_path, ["a", "b"], Wanted())
    assert view.contrast is not None
    assert (view.contrast.left, view.contrast.right) == ("mcts in a", "mcts in b")
    assert view.contrast.left_only == ("bug-1",) and view.contrast.right_only == ("bug-3",)
    assert view.link(over="time").startswith("/benchmarks/show?name=a&beside=b&over=time&")
    write_records(tmp_path / "c", budget=7, mcts=(1,))
    with pytest.raises(BadInputError, match="one budget"):
        benchmark_view(tmp_path, ["a", "c"], Wanted())


def test_records_are_read_again_when_their_file_has_changed(tmp_path: Path) -> None:
    write_records(tmp_path, mcts=(1, None))
    before = open_records(tmp_path)
    assert before.comparison() is open_records(tmp_path).comparison()
    write_records(tmp_path, mcts=(1, 2))
    assert open_records(tmp_path).comparison().summaries[0].plausible.value == 2
