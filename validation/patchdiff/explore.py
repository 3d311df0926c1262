"""The same inputs on all versions until they differ, the time is over, or nothing is new."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from validation.patchdiff.clusters import classes_of
from validation.patchdiff.confirm import aspects_of
from validation.patchdiff.generate import Inputs
from validation.patchdiff.model import WORDING, Aspect, Call, DiffSettings, Outcome, Target
from validation.patchdiff.sessions import Session, perform

MAX_OF_A_KIND = 2
"""How often a kind of difference may turn out to be chance before it is no longer looked at."""

SHORTEST = 0.1
"""Where calls do not end, later ones get less time, down to this share of it."""

Row = tuple[Outcome | None, ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """An input for which versions seem to differ; `kind` groups sightings of one cause."""

    target: Target
    call: Call
    aspects: tuple[Aspect, ...]
    kind: str
    invalid: str


@dataclass(slots=True)
class _Field:
    """A target and what was tried on it."""

    target: Target
    inputs: Inputs
    tried: int = 0
    limit_s: float = 0.0
    is_watched: bool = True
    is_over: bool = False
    shapes: set[object] = field(default_factory=set)


class Exploration:
    """Runs batches on all versions, target after target."""

    def __init__(
        self,
        sessions: Sequence[Session],
        inputs: Sequence[tuple[Target, Inputs]],
        settings: DiffSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.executions = 0
        self.tried: Counter[str] = Counter()
        self.lines: list[set[tuple[str, int]]] = [set() for _ in sessions]
        self._sessions = sessions
        self._fields = [_Field(t, source, limit_s=settings.call_s) for t, source in inputs]
        self._settings = settings
        self._clock = clock
        self._kinds: Counter[str] = Counter()

    def sightings(self, deadline: float) -> Iterator[Sighting]:
        """Differences, the simplest of a batch first; whoever takes one tells `settle` of it.

        Those in words alone come last of all: confirming one takes the time of many inputs.
        """
        wordings: list[Sighting] = []
        while self._clock() < deadline and any(not each.is_over for each in self._fields):
            for each in self._fields:
                if not each.is_over and self._clock() < deadline:
                    for sighting in self._advance(each):
                        if sighting.aspects[0] in WORDING:
                            wordings.append(sighting)
                        else:
                            yield sighting
        yield from (each for each in wordings if self._kinds[each.kind] < MAX_OF_A_KIND)

    def settle(self, sighting: Sighting, *, was_real: bool) -> None:
        """Differences of this kind are known now; after some that were chance, it is given up."""
        self._kinds[sighting.kind] += MAX_OF_A_KIND if was_real else 1

    def _advance(self, each: _Field) -> Iterator[Sighting]:
        settings = self._settings
        calls = each.inputs.take(settings.batch)
        each.tried += len(calls)
        each.is_over = not calls or each.tried >= settings.inputs
        if not calls:
            return
        rows = perform(self._sessions, each.target, calls, each.limit_s, watched=each.is_watched)
        left = [call for call, row in zip(calls, rows, strict=True) if None in row]
        each.inputs.put_back(left)
        each.tried -= len(left)
        found = [s for s in map(self._note, [each] * len(calls), calls, rows) if s is not None]
        found.sort(key=lambda sighting: (bool(sighting.invalid), len(repr(sighting.call))))
        for sighting in found:
            if self._kinds[sighting.kind] < MAX_OF_A_KIND:
                yield sighting

    def _note(self, each: _Field, call: Call, row: Row) -> Sighting | None:
        outcomes = [outcome for outcome in row if outcome is not None]
        if len(outcomes) < len(row):
            return None
        if all(outcome.ended == "unusable" for outcome in outcomes):
            return None
        if all(outcome.ended == "timeout" for outcome in outcomes):
            # What never ends on any version would use up the time of what does.
            if each.is_watched:
                each.is_watched = False  # watching may be what takes so long
                each.inputs.put_back([call])
            else:
                each.inputs.forget(call)
                each.limit_s = max(each.limit_s / 2, self._settings.call_s * SHORTEST)
            return None
        self.executions += 1
        self.tried[str(each.target)] += 1
        for seen, outcome in zip(self.lines, outcomes, strict=True):
            seen.update(outcome.lines)
        shape = tuple((o.lines, o.ended, o.raised and o.raised.type) for o in outcomes)
        if shape not in each.shapes:
            each.shapes.add(shape)
            each.inputs.learn(call)
        aspects = aspects_of(outcomes, self._settings.tolerance)
        if not aspects:
            return None
        invalid = next((outcome.invalid for outcome in outcomes if outcome.invalid), "")
        return Sighting(each.target, call, aspects, _kind(each.target, outcomes, aspects), invalid)


def _kind(target: Target, outcomes: Sequence[Outcome], aspects: Sequence[Aspect]) -> str:
    endings = [o.raised.type if o.raised is not None else o.ended for o in outcomes]
    sides = classes_of(outcomes)
    is_valid = not any(outcome.invalid for outcome in outcomes)
    return f"{target} {endings} {sides} {aspects[0].value} {is_valid}"
