"""What came of each bug of a benchmark, and under which conditions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from apr.bench.journal import Journal
from apr.core.report import CorrectnessLabel
from apr.core.run import Budget
from apr.settings import RunSettings

PLAUSIBLE, NONE = "plausible", "none"


@dataclass(frozen=True, slots=True)
class BugRecord:
    """What became of one bug.

    `verdict` is plausible, none, or error (the question could not be asked; it stays in the
    denominator). `first_plausible` counts candidates up to the first plausible one. `seconds` is
    the search alone, `wall_s` everything. `difference` tells an overfitting patch apart. What a
    language model used counts without the replies that were known already.

    `localization` is how the suspects were found; `perfect` has read the reference patch.
    `reproduction` says who wrote the trigger test where an issue had to be reproduced first.
    `exact` tells whether the repair is the reference version but for layout and comments, None
    where there is none; `divergence` how it behaves beside it, empty when that was not compared.
    """

    bug: str
    verdict: str
    run: str = ""
    status: str = ""
    label: str = CorrectnessLabel.UNKNOWN.value
    candidates: int = 0
    first_plausible: int | None = None
    validations: int = 0
    seconds: float = 0.0
    wall_s: float = 0.0
    message: str = ""
    baseline: Mapping[str, int] | None = None
    origin: str = ""
    diff: str = ""
    agreed_inputs: int = 0
    difference: Mapping[str, str] | None = None
    calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    localization: str = ""
    reproduction: str = ""
    exact: bool | None = None
    divergence: str = ""

    @property
    def key(self) -> str:
        """A protocol asks about each bug once."""
        return self.bug


@dataclass(frozen=True, slots=True)
class Protocol:
    """Under which conditions the bugs are run: the part of a record that must not vary.

    `variant` names them where several are compared. A repair is compared by behaviour with the
    reference version for `divergence_s`; 0: not at all.
    """

    settings: RunSettings
    budget: Budget
    seed: int
    variant: str = ""
    divergence_s: float = 0.0

    def document(self) -> dict[str, Any]:
        """The conditions as JSON."""
        settings = self.settings.model_dump(mode="json")
        budget = asdict(self.budget)
        return {
            "settings": settings,
            "budget": budget,
            "seed": self.seed,
            "variant": self.variant,
            "divergence_s": self.divergence_s,
        }


class RecordFile(Journal[BugRecord]):
    """The records of one protocol; see `Journal`."""

    def __init__(self, path: Path | None, protocol: Protocol, forget: Collection[str] = ()) -> None:
        super().__init__(path, protocol.document(), parse_record, forget)


def parse_record(fields: Mapping[str, Any]) -> BugRecord:
    """A record of its fields; TypeError when they are others."""
    return BugRecord(**fields)
