"""What every RunStore promises: the fake in memory, SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine

from apr.core.bug import Bug, RunnerKind, TestCommand, TestId
from apr.core.coverage import CoverageMatrix
from apr.core.errors import BadInputError, LeaseLostError
from apr.core.oracle import Oracle, Staging
from apr.core.patch import Hunk, Patch
from apr.core.ports import RunStore
from apr.core.report import (
    Baseline,
    CorrectnessLabel,
    Frame,
    Stage,
    TestOutcome,
    TestResult,
    ValidationReport,
    Verdict,
)
from apr.core.run import (
    Budget,
    Garbage,
    RankedPatch,
    RepairRun,
    RunStatus,
    Submission,
    Totals,
    Usage,
)
from apr.core.tree import SearchNode, SearchTree
from apr.storage.engine import make_engine
from apr.storage.memory import InMemoryRunStore
from apr.storage.migrate import ensure_schema
from apr.storage.rules import MAX_LOSSES
from apr.storage.store import SqlRunStore
from apr.storage.tables import Base

START = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
ODD = "naïve \x00 \udc80\udcff \\u0000 \\ 💥\r\n"


@dataclass
class ManualClock:
    """A clock that stands still until told otherwise."""

    now: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def postgres_engine(postgres_server: str) -> Iterator[Engine]:
    engine = make_engine(postgres_server)
    ensure_schema(engine)
    yield engine
    engine.dispose()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> Iterator[RunStore]:
    if request.param == "memory":
        yield InMemoryRunStore(clock)
        return
    if request.param == "sqlite":
        engine = make_engine(f"sqlite:///{tmp_path}/apr.db")
        ensure_schema(engine)
        yield SqlRunStore(engine, clock)
        engine.dispose()
        return
    engine = request.getfixturevalue("postgres_engine")
    yield SqlRunStore(engine, clock)
    with engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


def make_run(run_id: str = "r1", created_at: datetime = START) -> RepairRun:
    command = TestCommand(RunnerKind.PYTEST, ("-x",), "/py", ("*.xml",), (("A", ODD),))
    return RepairRun(
        id=run_id,
        bug=Bug(
            f"/subject {ODD}", command, (TestId(ODD),), ("*.py",), "abc", ODD, "n", (("k", "v"),)
        ),
        settings={"nested": {"list": [1, 2.5, None, ODD]}},
        seed=-(2**63),
        status=RunStatus.QUEUED,
        budget=Budget(candidates=None, seconds=1.5),
        usage=Usage(1, 2, 3.5, 0.25, 2**40, 6),
        created_at=created_at,
    )


def make_report(message: str = "", *, from_cache: bool = False) -> ValidationReport:
    failure = TestResult(
        TestId(f"t.py::{ODD}"), TestOutcome.FAILED, 0.1, ODD, (Frame("a.py", 3, ODD),), 7
    )
    results = (TestResult(TestId("t.py::ok"), TestOutcome.PASSED), failure)
    return ValidationReport(
        Verdict.STILL_FAILS,
        Stage.TRIGGER,
        1,
        2,
        3,
        4,
        5,
        0.5,
        1.25,
        message,
        results,
        "b",
        from_cache,
    )


def make_patch(number: int) -> Patch:
    return Patch((Hunk(f"pkg/{ODD}.py", number, (ODD,), (f"new {number}\n", "\udc80\x00")),))


def make_tree() -> SearchTree:
    tree = SearchTree()
    tree.add(SearchNode(0, None, Patch(), visits=5, total_value=-0.1))
    tree.add(SearchNode(1, 0, make_patch(1), 1, 0.25, "op", 3, 1 / 3, 0.1, True, make_report("1")))
    tree.add(SearchNode(2, 1, make_patch(2), 2, 0.5, ODD))
    tree.add(SearchNode(3, 0, make_patch(3), 1, report=make_report("3", from_cache=True)))
    tree.add(SearchNode(4, 1, make_patch(4), 2, report=make_report(ODD)))
    return tree


def test_a_run_comes_back_equal(store: RunStore) -> None:
    run = replace(make_run(), patches=(RankedPatch(4, 1, ODD, "op", CorrectnessLabel.CORRECT),))
    store.create_run(run)
    assert store.get_run("r1") == run


def test_a_time_of_another_zone_stays_the_same_instant(store: RunStore) -> None:
    zone = timezone(timedelta(hours=9))
    store.create_run(make_run(created_at=START.astimezone(zone)))
    assert store.get_run("r1").created_at == START


def test_a_run_cannot_be_created_twice(store: RunStore) -> None:
    store.create_run(make_run())
    with pytest.raises(BadInputError, match="already"):
        store.create_run(make_run())


@pytest.mark.parametrize("run_id", ["", "x" * 65, "a\nb", "a\x00"])
def test_ids_that_cannot_be_typed_are_refused(store: RunStore, run_id: str) -> None:
    with pytest.raises(BadInputError):
        store.create_run(make_run(run_id))
    with pytest.raises(BadInputError, match="no run"):
        store.get_run(run_id)


def test_a_run_is_found_by_the_start_of_its_id(store: RunStore) -> None:
    for run_id in ("ab1", "ab12", "ac%", "Ad"):
        store.create_run(make_run(run_id))
    assert store.get_run("ab1").id == "ab1"
    assert store.get_run("ac").id == "ac%"
    with pytest.raises(BadInputError, match="ambiguous: it may mean ab1 or ab12"):
        store.get_run("ab")
    with pytest.raises(BadInputError, match="no run"):
        store.get_run("ad")
    with pytest.raises(BadInputError, match="no run"):
        store.get_run("a%")


def test_runs_are_listed_newest_first(store: RunStore) -> None:
    for number in (2, 1, 3):
        store.create_run(make_run(f"r{number}", START + timedelta(seconds=number)))
    store.create_run(make_run("r0", START + timedelta(seconds=3)))
    assert [run.id for run in store.list_runs()] == ["r3", "r0", "r2", "r1"]
    assert [run.id for run in store.list_runs(limit=2, offset=1)] == ["r0", "r2"]


def test_runs_are_listed_by_status(store: RunStore) -> None:
    for name in "abc":
        store.create_run(make_run(name))
    store.set_status("b", RunStatus.FAILED)
    assert [run.id for run in store.list_runs(status=RunStatus.FAILED)] == ["b"]
    assert len(store.list_runs(status=RunStatus.QUEUED)) == 2
    assert store.list_runs(status=RunStatus.CANCELLED) == []


def test_a_final_status_sets_the_end_and_resuming_clears_it(
    store: RunStore, clock: ManualClock
) -> None:
    store.create_run(make_run())
    clock.advance(5)
    store.set_status("r1", RunStatus.FAILED, ODD)
    assert store.status("r1") is RunStatus.FAILED
    run = store.get_run("r1")
    assert (run.status, run.message) == (RunStatus.FAILED, ODD)
    assert run.finished_at == START + timedelta(seconds=5)
    store.set_status("r1", RunStatus.RUNNING)
    assert store.get_run("r1").finished_at is None
    assert store.get_run("r1").message == ""


def test_usage_and_patches_replace_what_was_saved(store: RunStore) -> None:
    store.create_run(make_run())
    store.save_usage("r1", Usage(candidates=9))
    store.save_patches("r1", [RankedPatch(1, 1, "a", "op"), RankedPatch(2, 2, "b", "op")])
    better = [RankedPatch(3, 2, "y", "op"), RankedPatch(2, 1, "x", "op")]
    store.save_patches("r1", better)
    assert store.get_run("r1").usage == Usage(candidates=9)
    assert store.get_run("r1").patches == (better[1], better[0])


def test_a_tree_comes_back_equal(store: RunStore) -> None:
    store.create_run(make_run())
    assert store.load_tree("r1") == SearchTree()
    tree = make_tree()
    store.save_nodes("r1", tree.nodes)
    assert store.load_tree("r1") == tree
    assert store.load_tree("r1").nodes[1].children == [2, 4]


def test_an_outline_is_the_tree_without_what_each_test_did(store: RunStore) -> None:
    store.create_run(make_run())
    assert store.load_outline("r1") == SearchTree()
    tree = make_tree()
    tree.nodes[4].report = replace(make_report(ODD), confirmations=2, flaky=(TestId(ODD),))
    store.save_nodes("r1", tree.nodes)
    for node in tree.nodes:
        if node.report is not None:
            node.report = replace(node.report, message="", results=(), sandbox="", flaky=())
    assert store.load_outline("r1") == tree


def test_saving_nodes_again_updates_statistics_and_reports(store: RunStore) -> None:
    store.create_run(make_run())
    tree = make_tree()
    store.save_nodes("r1", tree.nodes[:3])
    store.save_nodes("r1", [])
    tree.nodes[0].visits, tree.nodes[0].total_value = 9, 2.5
    tree.nodes[2].report, tree.nodes[2].exhausted = make_report("late"), True
    store.save_nodes("r1", [tree.nodes[4], tree.nodes[2], tree.nodes[3], tree.nodes[0]])
    assert store.load_tree("r1") == tree


def test_loaded_nodes_are_copies(store: RunStore) -> None:
    store.create_run(make_run())
    store.save_nodes("r1", make_tree().nodes)
    store.load_tree("r1").nodes[0].visits = 99
    assert store.load_tree("r1") == make_tree()


def test_reports_are_found_by_patch_digest_and_kept_once(store: RunStore) -> None:
    store.create_run(make_run())
    twin = SearchNode(5, 0, make_patch(1), 1, report=make_report("1", from_cache=True))
    store.save_nodes("r1", make_tree().nodes)
    assert store.load_reports("r1") == {
        make_patch(1).digest: make_report("1"),
        make_patch(3).digest: make_report("3", from_cache=True),
        make_patch(4).digest: make_report(ODD),
    }
    store.save_nodes("r1", [twin])
    nodes = store.load_tree("r1").nodes
    assert len(store.load_reports("r1")) == 3
    assert (nodes[1].report, nodes[5].report) == (make_report("1"), twin.report)


def test_runs_do_not_share_nodes_or_events(store: RunStore) -> None:
    store.create_run(make_run("r1"))
    store.create_run(make_run("r2"))
    store.save_nodes("r1", make_tree().nodes)
    store.append_event("r1", "a", {})
    assert len(store.load_tree("r2")) == 0
    assert store.load_reports("r2") == {}
    assert list(store.events("r2")) == []


def test_artifacts_come_back_and_are_replaced(store: RunStore) -> None:
    store.create_run(make_run())
    content = bytes(range(256)) * 100
    store.save_artifact("r1", ODD, content)
    store.save_artifact("r1", "copy", content)
    store.save_artifact("r1", "empty", b"")
    store.save_artifact("r1", "copy", b"other")
    assert store.load_artifact("r1", ODD) == content
    assert store.load_artifact("r1", "copy") == b"other"
    assert store.load_artifact("r1", "empty") == b""
    assert store.load_artifact("r1", "absent") is None


def test_events_are_numbered_without_a_gap(store: RunStore, clock: ManualClock) -> None:
    store.create_run(make_run())
    first = store.append_event("r1", "run.started", {"text": ODD, "pair": (1, 2)})
    assert (first.sequence, first.at, first.data) == (1, START, {"text": ODD, "pair": [1, 2]})
    with pytest.raises(ValueError, match="JSON"):
        store.append_event("r1", "bad", {"number": float("nan")})
    clock.advance(1)
    second = store.append_event("r1", "run.ended", {})
    assert list(store.events("r1")) == [first, second]
    assert list(store.events("r1", after=1)) == [second]


def test_events_appended_at_once_have_distinct_consecutive_numbers(store: RunStore) -> None:
    store.create_run(make_run())
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: store.append_event("r1", "n", {"n": n}), range(20)))
    assert sorted(event.sequence for event in made) == list(range(1, 21))
    assert [event.sequence for event in store.events("r1")] == list(range(1, 21))


def test_a_run_has_one_owner_until_the_lease_ends(store: RunStore, clock: ManualClock) -> None:
    store.create_run(make_run())
    assert store.claim("r1", "a", 10)
    assert not store.claim("r1", "b", 10)
    assert store.claim("r1", "a", 10)
    clock.advance(9.5)
    store.renew("r1", "a", 10)
    clock.advance(9.5)
    assert not store.claim("r1", "b", 10)
    clock.advance(0.5)
    assert store.claim("r1", "b", 10)
    with pytest.raises(LeaseLostError):
        store.renew("r1", "a", 10)


def test_only_the_owner_can_release(store: RunStore) -> None:
    store.create_run(make_run())
    store.claim("r1", "a", 10)
    store.release("r1", "b")
    assert not store.claim("r1", "b", 10)
    store.release("r1", "a")
    assert store.claim("r1", "b", 10)
    with pytest.raises(LeaseLostError):
        store.renew("r1", "a", 10)


def test_of_many_claims_at_once_one_wins(store: RunStore) -> None:
    store.create_run(make_run())
    with ThreadPoolExecutor(6) as pool:
        won = list(pool.map(lambda n: store.claim("r1", f"owner {n}", 10), range(24)))
    assert won.count(True) == 1


WRITES: list[Callable[[RunStore], object]] = [
    lambda s: s.set_status("r1", RunStatus.RUNNING),
    lambda s: s.change_status("r1", [RunStatus.QUEUED], RunStatus.RUNNING),
    lambda s: s.save_usage("r1", Usage(candidates=99)),
    lambda s: s.save_patches("r1", [RankedPatch(1, 1, "d", "o")]),
    lambda s: s.save_nodes("r1", make_tree().nodes),
    lambda s: s.save_artifact("r1", "n", b"x"),
    lambda s: s.append_event("r1", "k", {}),
]


def test_whoever_lost_the_lease_writes_nothing(store: RunStore, clock: ManualClock) -> None:
    store.create_run(make_run())
    store.claim("r1", "a", 10)
    mine = store.fenced("a")
    for write in WRITES:
        write(mine)
    before = (store.get_run("r1"), store.load_tree("r1"), list(store.events("r1")))
    clock.advance(11)
    mine.save_usage("r1", before[0].usage)  # late, but nobody has taken it over
    store.claim("r1", "b", 10)
    for write in WRITES:
        with pytest.raises(LeaseLostError):
            write(mine)
    after = (store.get_run("r1"), store.load_tree("r1"), list(store.events("r1")))
    assert after == before
    for write in WRITES:
        write(store.fenced("b"))


def test_a_takeover_waits_for_the_write_under_way(store: RunStore, clock: ManualClock) -> None:
    """Of an owner that writes and one that takes over, the store lets one go first."""
    store.create_run(make_run())
    for turn in range(20):
        old, new = f"old {turn}", f"new {turn}"
        assert store.claim("r1", old, 10)
        clock.advance(11)

        def write(owner: str = old) -> bool:
            try:
                store.fenced(owner).append_event("r1", owner, {})
            except LeaseLostError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            written, claimed = pool.submit(write), pool.submit(store.claim, "r1", new, 10)
            assert claimed.result()
        store.fenced(new).append_event("r1", new, {})
        kinds = [event.kind for event in store.events("r1")]
        assert kinds[-1] == new
        assert (old in kinds) == written.result()
        clock.advance(11)


def test_submitted_runs_wait_in_the_order_of_urgency_and_age(
    store: RunStore, clock: ManualClock
) -> None:
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5)):
        store.create_run(make_run(name))
        store.submit(name, priority)
        clock.advance(1)
    store.create_run(make_run("embedded"))
    assert [s.run_id for s in store.waiting()] == ["b", "d", "a", "c"]
    assert store.submission("b") == Submission("b", 5)
    assert store.submission("embedded") is None
    store.withdraw("d")
    store.claim("a", "owner", 10)
    store.set_status("c", RunStatus.CANCELLED)
    assert [s.run_id for s in store.waiting()] == ["b"]
    store.submit("c")
    assert [s.run_id for s in store.waiting()] == ["b", "c"]
    assert store.get_run("c").finished_at is None


def test_runs_of_silent_owners_are_reclaimed_once(store: RunStore, clock: ManualClock) -> None:
    for name in ("silent", "alive", "ended", "embedded"):
        store.create_run(make_run(name))
        if name != "embedded":
            store.submit(name, 3)
        store.claim(name, "owner", 10 if name != "alive" else 100)
        store.set_status(name, RunStatus.RUNNING)
    store.set_status("ended", RunStatus.SUCCEEDED)
    assert store.reclaim() == []
    clock.advance(11)
    assert store.reclaim() == [Submission("silent", 3)]
    assert store.reclaim() == []
    assert store.get_run("silent").status is RunStatus.QUEUED
    assert store.get_run("embedded").status is RunStatus.RUNNING
    assert [s.run_id for s in store.waiting()] == ["silent"]


def test_a_run_that_is_lost_again_and_again_fails_unless_it_gets_further(
    store: RunStore, clock: ManualClock
) -> None:
    def lose() -> int:
        store.claim("r1", "owner", 10)
        store.set_status("r1", RunStatus.RUNNING)
        clock.advance(11)
        return len(store.reclaim())

    store.create_run(make_run())
    store.submit("r1")
    for candidates in (5, 6):
        store.save_usage("r1", Usage(candidates=candidates))
        assert [lose() for _ in range(MAX_LOSSES - 1)] == [1] * (MAX_LOSSES - 1)
    store.save_usage("r1", Usage(candidates=2))  # it was being replayed: no progress
    assert lose() == 0
    assert store.status("r1") is RunStatus.FAILED
    assert store.waiting() == []
    store.submit("r1")
    assert lose() == 1


def test_a_status_changes_only_from_those_named(store: RunStore) -> None:
    store.create_run(make_run())
    assert not store.change_status("r1", [RunStatus.RUNNING], RunStatus.SUCCEEDED)
    assert store.get_run("r1").status is RunStatus.QUEUED
    assert store.change_status("r1", [RunStatus.QUEUED], RunStatus.CANCELLED, "by the user")
    run = store.get_run("r1")
    assert (run.status, run.message) == (RunStatus.CANCELLED, "by the user")
    assert run.finished_at is not None


def test_totals_count_every_run(store: RunStore) -> None:
    assert store.totals() == Totals({}, Usage())
    for number in range(3):
        store.create_run(make_run(f"r{number}"))
    store.set_status("r0", RunStatus.RUNNING)
    totals = store.totals()
    assert totals.runs == {RunStatus.QUEUED: 2, RunStatus.RUNNING: 1}
    assert totals.usage == Usage(3, 6, 10.5, 0.75, 3 * 2**40, 18)


def test_old_runs_go_with_what_nobody_else_has(store: RunStore, clock: ManualClock) -> None:
    for name in ("old", "young", "waiting"):
        store.create_run(make_run(name))
        store.save_nodes(name, make_tree().nodes)
        store.save_artifact(name, "shared", b"shared")
        store.save_artifact(name, "own", name.encode())
        store.append_event(name, "k", {})
    store.set_status("old", RunStatus.SUCCEEDED)
    clock.advance(100)
    store.set_status("young", RunStatus.FAILED)
    before = clock() - timedelta(seconds=50)
    assert store.delete_runs(before, only_count=True) == Garbage(1, 1, 3)
    assert len(store.list_runs()) == 3
    assert store.delete_runs(before) == Garbage(1, 1, 3)
    assert {run.id for run in store.list_runs()} == {"young", "waiting"}
    assert store.load_artifact("young", "shared") == b"shared"
    assert len(store.load_tree("waiting").nodes) == len(make_tree().nodes)
    assert store.delete_runs(before) == Garbage(0, 0, 0)


UNKNOWN: list[Callable[[RunStore], object]] = [
    lambda s: s.claim("no", "a", 1),
    lambda s: s.set_status("no", RunStatus.RUNNING),
    lambda s: s.change_status("no", [RunStatus.QUEUED], RunStatus.RUNNING),
    lambda s: s.submit("no"),
    lambda s: s.withdraw("no"),
    lambda s: s.submission("no"),
    lambda s: s.save_usage("no", Usage()),
    lambda s: s.save_patches("no", []),
    lambda s: s.save_nodes("no", make_tree().nodes),
    lambda s: s.status("no"),
    lambda s: s.load_tree("no"),
    lambda s: s.load_outline("no"),
    lambda s: s.load_reports("no"),
    lambda s: s.save_artifact("no", "n", b""),
    lambda s: s.load_artifact("no", "n"),
    lambda s: s.append_event("no", "k", {}),
    lambda s: s.events("no"),
]


def test_a_run_nobody_created_is_bad_input_everywhere(store: RunStore) -> None:
    for use in UNKNOWN:
        with pytest.raises(BadInputError, match="there is no run 'no'"):
            use(store)
    with pytest.raises(LeaseLostError):
        store.renew("no", "a", 1)


def test_verdicts_are_kept_by_key_for_any_run(store: RunStore) -> None:
    assert store.load_outcomes([]) == {}
    known = {"a" * 64: make_report(ODD), "b" * 64: make_report()}
    store.save_outcomes(known)
    assert store.load_outcomes(["a" * 64, "b" * 64, "c" * 64]) == known
    changed = replace(make_report(), confirmations=2, flaky=(TestId(ODD),))
    store.save_outcomes({"a" * 64: changed})
    assert store.load_outcomes(["a" * 64]) == {"a" * 64: changed}


def test_many_verdicts_are_kept_and_found_at_once(store: RunStore) -> None:
    many = {f"{n:064x}": make_report(str(n)) for n in range(1200)}
    store.save_outcomes(many)
    assert store.load_outcomes([*many, "f" * 64]) == many


def make_oracle(duration_s: float = 0.5) -> Oracle:
    failing = (TestResult(TestId(ODD), TestOutcome.FAILED, 0.1, ODD),)
    durations = {TestId(ODD): 0.1, TestId("ok"): 0.2}
    baseline = Baseline(failing, (TestId("ok"),), (), (), durations, duration_s, 2)
    lines = {"m.py": {3: frozenset({0})}}
    return Oracle(baseline, CoverageMatrix(failing, lines, {"m.py": frozenset({1})}), (), "d")


def test_an_oracle_is_kept_by_key_and_the_first_one_holds(store: RunStore) -> None:
    key, first, second = "a" * 64, make_oracle(0.5), make_oracle(0.7)
    assert store.load_oracle(key) is None
    assert store.keep_oracle(key, first) == first
    assert store.keep_oracle(key, second) == first
    assert store.load_oracle(key) == first
    assert store.load_oracle("b" * 64) is None


def test_an_oracle_is_completed_once(store: RunStore) -> None:
    key, oracle = "a" * 64, make_oracle()
    store.keep_oracle(key, oracle)
    staged = replace(oracle, staging=Staging(is_staged=True, writable=False))
    other = replace(make_oracle(0.7), staging=Staging(is_staged=False, writable=True))
    assert store.keep_oracle(key, staged) == staged
    assert store.keep_oracle(key, other) == staged
    assert store.load_oracle(key) == staged


def test_of_many_oracles_at_once_all_get_the_same(store: RunStore) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda n: store.keep_oracle("a" * 64, make_oracle(n)), range(24)))
    assert all(each == found[0] for each in found)
    assert store.load_oracle("a" * 64) == found[0]
