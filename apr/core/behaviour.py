"""Plausible patches sorted by what they do: which behave alike, and what tells the others apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cluster:
    """Patches, by rank, that no input has told apart.

    `agreement` in [0, 1] is the share of patches that do what this cluster does, on average over
    the inputs that tell any patches apart.
    """

    patches: tuple[int, ...]
    agreement: float


@dataclass(frozen=True, slots=True)
class Choice:
    """An input, and what which patches (by rank) do with it: what a developer can decide.

    `call` and the clauses in `answers` are for readers. `tests` has a pytest file for each answer
    that demands it, empty when there is none that was proven. `unpatched` is the index of the
    answer that the unpatched program gives, None when it gives another.
    """

    call: str
    answers: tuple[tuple[tuple[int, ...], str], ...]
    tests: tuple[str, ...] = ()
    unpatched: int | None = None

    @property
    def test(self) -> str:
        """The test that demands the first answer."""
        return self.tests[0] if self.tests else ""

    @property
    def outcomes(self) -> tuple[tuple[tuple[tuple[int, ...], str], str], ...]:
        """Each answer with its test."""
        lacking = ("",) * (len(self.answers) - len(self.tests))
        return tuple(zip(self.answers, (*self.tests, *lacking), strict=True))

    @property
    def question(self) -> str:
        """`for f(-1), patches 1 and 3 return 0 …` as one sentence."""
        said = "; ".join(f"{name_patches(patches)}: {what}" for patches, what in self.answers)
        return f"for {self.call}: {said}. Which?"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The clusters, the largest first, and the choices between them.

    `executions` counts the inputs that were tried; `left_out` the patches that were not compared.
    """

    clusters: tuple[Cluster, ...]
    choices: tuple[Choice, ...]
    executions: int
    left_out: int
    reason: str


def name_patches(ranks: tuple[int, ...]) -> str:
    """`patch 1`, `patches 1, 2 and 4`."""
    names = [str(rank) for rank in ranks]
    if len(names) == 1:
        return f"patch {names[0]}"
    return f"patches {', '.join(names[:-1])} and {names[-1]}"
