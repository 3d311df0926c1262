"""What PatchDiff asks and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from apr.core.bug import TestId
from apr.core.report import TestOutcome
from validation.patchdiff.values import describe_value


@dataclass(frozen=True, slots=True)
class DiffSettings:
    """How long and how hard versions are compared.

    `seconds` bounds the exploration, in wall-clock time, `trace_s` the tracing of the suite
    before it. `call_s` is the CPU time of one call;
    `repeats` counts the fresh sandboxes in which a difference has to show again; `wanted` is how
    many different ones are looked for. `inputs` bounds the inputs of one function, `minimum` is
    how many must have run before versions may be called equivalent.
    """

    seconds: float = 60.0
    trace_s: float = 120.0
    seed: int = 0
    batch: int = 40
    call_s: float = 0.5
    repeats: int = 5
    wanted: int = 3
    inputs: int = 1200
    minimum: int = 20
    targets: int = 10
    tolerance: float = 1e-9


@dataclass(frozen=True, slots=True)
class Target:
    """A function that is called on every version; `module` is what the suite imports it as.

    `is_changed` is false for one that only leads to changed functions, which `reaches` names.
    """

    path: str
    module: str
    name: str
    is_changed: bool
    reaches: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}::{self.name}"


@dataclass(frozen=True, slots=True)
class Call:
    """Arguments for a target: plain data and `Opaque` values.

    `origin` says where they come from: observed in the test `test`, varied, or made.
    """

    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...] = ()
    origin: str = "observed"
    test: str = ""

    def document(self, target: Target) -> dict[str, Any]:
        """The call as a sandbox performs it."""
        return {
            "m": target.module,
            "q": target.name,
            "a": [describe_value(value) for value in self.arguments],
            "k": {"t": "dict", "v": [[name, describe_value(v)] for name, v in self.keywords]},
        }


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception: its class, its text, and whether the subject's own `raise` raised it."""

    type: str
    message: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that was seen of one call. Values are descriptions (see `apr_probe.values`).

    `ended` is "returned", "raised", "timeout" or "died"; "unusable" means that it could not be
    called at all. `invalid` says why the input is declared invalid, empty when nothing does.
    `arguments` are those that the call has changed, by position; `state` the module's changed
    data; `files` what was written, by path. `lines` are the watched lines it executed.
    """

    ended: str
    value: Any = None
    raised: Raised | None = None
    invalid: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    stdout: str = ""
    stderr: str = ""
    warnings: tuple[tuple[str, str], ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    lines: frozenset[tuple[str, int]] = frozenset()
    message: str = ""


class Aspect(StrEnum):
    """In what two outcomes differ."""

    ENDING = "ending"  # one returns, the other raises or does not end
    VALUE = "value"
    EXCEPTION = "exception"
    MESSAGE = "message"  # of an exception that the subject itself raises
    ARGUMENTS = "arguments"
    OUTPUT = "output"
    WARNINGS = "warnings"
    STATE = "state"
    FILES = "files"


WORDING = (Aspect.MESSAGE, Aspect.WARNINGS)
"""What is said rather than done."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of a difference in fresh sandboxes.

    `steady` says of each version whether all its repeats agree; `runs` counts the repeats.
    """

    runs: int
    differed: int
    steady: tuple[bool, ...]

    @property
    def is_confirmed(self) -> bool:
        """It showed every time, and no version contradicted itself."""
        return self.runs > 0 and self.differed == self.runs and all(self.steady)

    @property
    def is_unsteady(self) -> bool:
        """It showed now and then, or a version contradicted itself."""
        return 0 < self.differed < self.runs or not all(self.steady)


@dataclass(frozen=True, slots=True)
class Witness:
    """A differentiating test: a pytest file.

    `passes` and `fails` name the versions; `is_proven` says that this was seen, several times.
    """

    name: str
    text: str
    passes: tuple[str, ...]
    fails: tuple[str, ...]
    is_proven: bool = False


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One input for which versions differ. `outcomes` has one entry a version, in their order.

    `base` is what the unpatched program does with it. `question` puts the difference to a reader.
    `witness` demands what one version does, `alternatives` what others do.
    """

    target: Target
    call: Call
    aspects: tuple[Aspect, ...]
    outcomes: tuple[Outcome, ...]
    confirmation: Confirmation
    base: Outcome | None = None
    witness: Witness | None = None
    alternatives: tuple[Witness, ...] = ()
    question: str = ""

    @property
    def invalid(self) -> str:
        """Why the input is declared invalid by some version; empty when none does."""
        return next((outcome.invalid for outcome in self.outcomes if outcome.invalid), "")

    @property
    def is_internal(self) -> bool:
        """Whether it was seen on a function that is private by its name: nobody else calls it."""
        parts = [*self.target.module.split("."), *self.target.name.split(".")]
        return any(part.startswith("_") and not part.endswith("__") for part in parts)

    @property
    def is_wording(self) -> bool:
        """Whether only the text of an exception or a warning differs."""
        return set(self.aspects) <= set(WORDING)


class DiffVerdict(StrEnum):
    """What the comparison came to."""

    DIVERGENT = "divergent"
    EQUIVALENT = "equivalent-as-far-as-tested"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class SuiteDifference:
    """A test that tells versions apart by passing on one and failing on another."""

    test: TestId
    outcomes: tuple[TestOutcome, ...]


@dataclass(frozen=True, slots=True)
class WrittenTest:
    """A pytest file with one test function."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class WrittenDifference:
    """A written test that tells versions apart; `base` is its outcome on the unpatched program."""

    test: WrittenTest
    difference: SuiteDifference
    base: TestOutcome | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of written tests.

    `internal` and `invalid` were never run: they name implementation details, or do not compile.
    `broken` fail on all versions that were tried, `alike` pass on all, `unsteady` contradict
    themselves.
    """

    differences: tuple[WrittenDifference, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many tests were written."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many of the lines on which a version differs from others were executed in it."""

    reached: int
    total: int


@dataclass(frozen=True, slots=True)
class DiffReport:
    """The comparison of versions, with the evidence it rests on.

    `discrepancies` are confirmed, on inputs that nothing declares invalid; `invalid` are those
    on inputs that something does, `rejected` counts those that chance may explain. `skipped`
    counts observed calls whose arguments could not be described. `coverage` has one entry a
    version; `first_s` is when the first discrepancy was seen, in seconds from the start. `written`
    says what became of tests that were written for the comparison; None when nobody was asked.
    """

    versions: tuple[str, ...]
    verdict: DiffVerdict
    reason: str
    targets: tuple[Target, ...]
    discrepancies: tuple[Discrepancy, ...]
    invalid: tuple[Discrepancy, ...]
    suite: tuple[SuiteDifference, ...]
    coverage: tuple[Coverage, ...]
    executions: int
    observed: int
    skipped: int
    rejected: int
    duration_s: float
    first_s: float | None = None
    notes: tuple[str, ...] = ()
    written: Written | None = None
