"""What the search needs from the outside, as Protocols; each has one contract suite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from apr.core.bug import Bug, TestId
from apr.core.location import SuspiciousLocation
from apr.core.oracle import Oracle
from apr.core.patch import Patch
from apr.core.report import Baseline, TestResult, ValidationReport
from apr.core.run import (
    Garbage,
    RankedPatch,
    RepairRun,
    RunEvent,
    RunStatus,
    Submission,
    Totals,
    Usage,
)
from apr.core.tree import SearchNode, SearchTree


@dataclass(frozen=True, slots=True)
class Proposal:
    """A patch proposed against the base (not against its parent).

    `score` > 0 orders proposals within one parent, higher first, and is comparable between
    parents of one generator; `origin` names the template or model.
    """

    patch: Patch
    score: float
    origin: str


@dataclass(frozen=True, slots=True)
class RepairContext:
    """What a generator may know: never a hidden test, never the repository's later history.

    `sources` maps subject-relative paths to texts of every file a patch may touch. `locations`
    are the suspects of the base; `relocate` names those of a node, given what its tests said.
    """

    bug: Bug
    sources: Mapping[str, str]
    locations: tuple[SuspiciousLocation, ...]
    failures: tuple[TestResult, ...]
    test_sources: Mapping[str, str]
    seed: int = 0
    relocate: Callable[[SearchNode], tuple[SuspiciousLocation, ...]] | None = None

    def locations_of(self, node: SearchNode) -> tuple[SuspiciousLocation, ...]:
        """The suspects, in base lines, for whoever refines `node`."""
        return self.locations if self.relocate is None else self.relocate(node)


class Generator(Protocol):
    """Proposes patches. Deterministic in (context, parent, calls so far)."""

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]:
        """The next at most `n` patches that refine `parent.patch`, best first.

        Successive calls for one parent continue where the last one stopped; an empty answer
        means that there is nothing left (but see `SamplingGenerator`).
        """
        ...


@runtime_checkable
class ConcurrentGenerator(Protocol):
    """A generator that answers for several parents at once, as one that asks a server can."""

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]: ...

    def propose_many(
        self, context: RepairContext, wants: Sequence[tuple[SearchNode, int]]
    ) -> Sequence[Sequence[Proposal]]:
        """What `propose` would answer to each (parent, n) in turn."""
        ...


@runtime_checkable
class SamplingGenerator(Protocol):
    """A generator that draws its answers, so that an empty one says nothing about the next.

    A language model's answer may hold no patch at all, and its next one the right patch.
    """

    is_sampling: bool

    def propose(self, context: RepairContext, parent: SearchNode, n: int) -> Sequence[Proposal]: ...


class PatchValidator(Protocol):
    """Judges patches against the baseline's oracle, several at a time."""

    def validate(self, patches: Sequence[Patch]) -> Sequence[ValidationReport]:
        """One report per patch, in order.

        Raises:
            EnvironmentUnusableError: when the sandbox itself fails; never because of a patch.
        """
        ...

    def learn(self, reports: Sequence[ValidationReport]) -> None:
        """Hear every verdict of the run between two batches, in order, replayed ones included.

        What the validator makes of them (such as running the tests first that found most patches
        out) thus does not depend on timing or on where a run was interrupted.
        """
        ...

    def confirm(self, patch: Patch) -> ValidationReport:
        """Run every test again in a fresh sandbox, nothing reused."""
        ...


class Evaluator(Protocol):
    """Turns a validated patch into a reward in [-1, 1] for back-propagation."""

    def reward(self, node: SearchNode, parent: SearchNode) -> float: ...


@runtime_checkable
class ConcurrentEvaluator(Protocol):
    """An evaluator that values several patches at once, as one that asks a server can."""

    def reward(self, node: SearchNode, parent: SearchNode) -> float: ...

    def rewards(self, pairs: Sequence[tuple[SearchNode, SearchNode]]) -> Sequence[float]:
        """What `reward` would answer to each (node, parent)."""
        ...


class FaultLocalizer(Protocol):
    """Ranks the locations of a bug, the most suspicious first."""

    def localize(self, bug: Bug, baseline: Baseline) -> Sequence[SuspiciousLocation]: ...


class SandboxProcess(Protocol):
    """A running sandboxed process with a byte stream in and out.

    `stdin` and `stdout` carry the harness protocol; what the code under test prints never
    reaches them. `kill` ends the whole sandbox, every descendant included.
    """

    def send(self, data: bytes) -> None: ...

    def receive_line(self, timeout_s: float) -> bytes:
        """The next line without its LF.

        Raises:
            TimeoutError: when none came in time.
            SandboxDiedError: when the process has ended or the line exceeds the output limit.
        """
        ...

    def stderr_tail(self) -> str:
        """The last few KiB of standard error, for diagnosis."""
        ...

    def kill(self) -> None: ...

    def wait(self, timeout_s: float) -> int:
        """The exit status as the system tells it, once the process has ended.

        What it writes to standard output meanwhile is read and forgotten.

        Raises:
            TimeoutError: when it has not ended in time.
            SandboxDiedError: when it had to be ended, so that there is no status of its own.
        """
        ...

    def collect(self, globs: Sequence[str], limit_bytes: int) -> Mapping[str, bytes]:
        """End every process, then read the files that a writable start has made or changed.

        Relative POSIX paths that match one of `globs`, which start at the workspace's folder,
        to contents. Links are not followed; what goes beyond `limit_bytes` in all is left out.
        """
        ...


class Sandbox(Protocol):
    """Starts processes that cannot harm this machine; `name` says which kind.

    The workspace, an absolute folder path, is never written. When `writable`, the process works
    in a scratch copy of it, which vanishes, and the variable `APR_SOURCE` names the path at which
    the live workspace can be read; else it sees the live workspace, which it cannot change.
    """

    name: str

    def start(
        self, argv: Sequence[str], workspace: str, *, writable: bool, environment: Mapping[str, str]
    ) -> AbstractContextManager[SandboxProcess]: ...

    def close(self) -> None:
        """End everything that is kept warm between starts."""
        ...


class OutcomeStore(Protocol):
    """Keeps verdicts for later runs, by a key that says all that they depend on."""

    def load_outcomes(self, keys: Sequence[str]) -> Mapping[str, ValidationReport]:
        """Those of the verdicts that are known."""
        ...

    def save_outcomes(self, reports: Mapping[str, ValidationReport]) -> None:
        """Keep verdicts by their keys, SHA-256 in hexadecimal; the least used may be forgotten."""
        ...


class OracleStore(Protocol):
    """Keeps what was measured of subjects, by a key that says all that it depends on."""

    def load_oracle(self, key: str) -> Oracle | None:
        """The oracle that is known, which counts as used now."""
        ...

    def keep_oracle(self, key: str, oracle: Oracle) -> Oracle:
        """Keep an oracle by its key, SHA-256 in hexadecimal, and return what is kept there.

        That is the one kept first, so that all runs agree; only its staging, when it has none
        yet, is taken from a later one. Those unused for longest may be forgotten.
        """
        ...


class SubmissionStore(Protocol):
    """Knows which runs are in the queue's care, whatever becomes of the broker."""

    def submit(self, run_id: str, priority: int = 0) -> None:
        """Hand the run to the queue: it is QUEUED, whatever it was."""
        ...

    def withdraw(self, run_id: str) -> None:
        """Take the run out of the queue's care; its status stays."""
        ...

    def submission(self, run_id: str) -> Submission | None:
        """None when the run is not in the queue's care."""
        ...

    def reclaim(self) -> Sequence[Submission]:
        """Make those runs QUEUED whose owner let the lease run out, and return them.

        Of several callers at once, one is told of each. A run that is lost again and again, and
        gets no further meanwhile, is FAILED instead: it would take down one worker after the other.
        """
        ...

    def waiting(self) -> Sequence[Submission]:
        """The submitted runs that are QUEUED, the most urgent and then the oldest first."""
        ...


class RunStore(OutcomeStore, OracleStore, SubmissionStore, Protocol):
    """Keeps runs, nodes, reports and events. Every method is one transaction."""

    def fenced(self, owner: str) -> RunStore:
        """This store, as the owner of a run is to see it.

        Whatever it writes about a run, it raises LeaseLostError instead when the run is no longer
        the owner's, even if that happens in the very moment of writing.
        """
        ...

    def create_run(self, run: RepairRun) -> None: ...

    def get_run(self, run_id: str) -> RepairRun:
        """Raises BadInputError when no run, or more than one, has an id starting so."""
        ...

    def status(self, run_id: str) -> RunStatus:
        """Of one run, by its whole id; whoever takes part in a run asks for it twice a second."""
        ...

    def list_runs(
        self, *, limit: int = 50, offset: int = 0, status: RunStatus | None = None
    ) -> Sequence[RepairRun]: ...

    def totals(self) -> Totals: ...

    def claim(self, run_id: str, owner: str, ttl_s: float) -> bool:
        """Become the one searcher of the run until `ttl_s` from now; False if someone else is."""
        ...

    def renew(self, run_id: str, owner: str, ttl_s: float) -> None:
        """Raises LeaseLostError when the lease is no longer this owner's."""
        ...

    def release(self, run_id: str, owner: str) -> None: ...

    def set_status(self, run_id: str, status: RunStatus, message: str = "") -> None: ...

    def change_status(
        self, run_id: str, before: Collection[RunStatus], status: RunStatus, message: str = ""
    ) -> bool:
        """Set the status if it is one of `before`; False if it was not."""
        ...

    def save_usage(self, run_id: str, usage: Usage) -> None: ...

    def save_patches(self, run_id: str, patches: Sequence[RankedPatch]) -> None: ...

    def save_nodes(self, run_id: str, nodes: Sequence[SearchNode]) -> None:
        """Insert new nodes and update the statistics of known ones."""
        ...

    def load_tree(self, run_id: str) -> SearchTree: ...

    def load_outline(self, run_id: str) -> SearchTree:
        """The tree as a drawing needs it, and much sooner.

        Its reports lack what each test did, the message, the sandbox, and which tests are flaky.
        """
        ...

    def load_reports(self, run_id: str) -> Mapping[str, ValidationReport]:
        """Every verdict of the run so far, by patch digest."""
        ...

    def save_artifact(self, run_id: str, name: str, content: bytes) -> None: ...

    def load_artifact(self, run_id: str, name: str) -> bytes | None: ...

    def delete_runs(self, ended_before: datetime, *, only_count: bool = False) -> Garbage:
        """Delete, or only count, the runs that ended before then, and what no other run has.

        What is kept for later runs (verdicts, oracles, replies) is bounded by itself.
        """
        ...

    def append_event(self, run_id: str, kind: str, data: Mapping[str, Any]) -> RunEvent: ...

    def events(self, run_id: str, after: int = 0) -> Iterator[RunEvent]: ...


@dataclass(frozen=True, slots=True)
class BoardItem:
    """A patch that a searcher wants judged: number `index` of its `batch`.

    `learned` is what the searcher's validator has made of earlier verdicts: how many patches each
    test has found out. A helper that adopts it runs the tests in the same order.
    """

    batch: str
    index: int
    patch: Patch
    learned: Mapping[TestId, int]


@dataclass(frozen=True, slots=True)
class BoardResult:
    """What became of an item."""

    batch: str
    index: int
    report: ValidationReport


class ValidationBoard(Protocol):
    """Where a searcher lays out patches and helpers take them; it may lose anything at any time.

    Every method raises BoardUnavailableError when it cannot be reached.
    """

    def lay_out(self, run_id: str, items: Sequence[BoardItem]) -> None:
        """Replace whatever lies there of the run, and have helpers called."""
        ...

    def take(self, run_id: str, count: int, wait_s: float = 0.0) -> Sequence[BoardItem]:
        """At most `count` items, which nobody else gets; wait for the first one if need be."""
        ...

    def hand_in(self, run_id: str, result: BoardResult, more: int = 0) -> Sequence[BoardItem]:
        """Hand in a result and take at most `more` items, on one way."""
        ...

    def results(self, run_id: str, wait_s: float = 0.0) -> Sequence[BoardResult]:
        """The results handed in since the last call; wait for one if need be."""
        ...


class JobQueue(Protocol):
    """Carries a run's id to whoever executes it, and nothing else.

    An id may come twice, or never: the store knows better, and whoever executes asks it.
    """

    def submit(self, submission: Submission) -> None:
        """Raises QueueUnavailableError when the queue cannot be reached."""
        ...

    def depth(self) -> int:
        """How many ids nobody has taken yet.

        Raises:
            QueueUnavailableError: when the queue cannot be reached.
        """
        ...
