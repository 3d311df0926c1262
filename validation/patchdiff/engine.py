"""Compares versions of a program from end to end: targets, capture, exploration, evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from random import Random
from typing import Any

from apr.core.bug import TestId
from apr.core.errors import BadInputError, EnvironmentUnusableError
from validation.patchdiff.capture import Captured, Seen, can_trace, capture, merge
from validation.patchdiff.confirm import aspects_of, confirm
from validation.patchdiff.explore import Exploration, Sighting
from validation.patchdiff.generate import Inputs
from validation.patchdiff.hints import hinted_shape
from validation.patchdiff.model import (
    Call,
    Coverage,
    DiffReport,
    DiffSettings,
    DiffVerdict,
    Discrepancy,
    SuiteDifference,
    Target,
    Written,
)
from validation.patchdiff.render import show_call, show_outcome
from validation.patchdiff.sessions import Place, Session, Version, perform
from validation.patchdiff.shrink import shrink
from validation.patchdiff.suite import differing_tests, keep_steady
from validation.patchdiff.targets import Changes, Span, Texts, find_changes, list_functions
from validation.patchdiff.witness import prove, write_witnesses
from validation.patchdiff.written import Author, collect, view
from validation.runners.base import RunLimits

SHRINK_S = 10.0
SUITE_REPEATS = 2
MOST_TESTS = 20
"""Tests of the suite that are run again when they tell versions apart."""
PATIENCE = 4
"""A call that is confirmed may take so many times as long as one that explores."""

Notify = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """Versions of one program. `texts` has for each the files that any of them changes.

    `base` is the unpatched program; `files` are its source files, by relative path, with texts.
    `first_tests` are those that are traced before the others.
    """

    versions: tuple[Version, ...]
    texts: tuple[Texts, ...]
    base: Version | None
    files: Mapping[str, str]
    place: Place
    limits: RunLimits
    first_tests: tuple[TestId, ...] = ()


def compare_versions(
    subject: Subject,
    settings: DiffSettings,
    notify: Notify = lambda kind, data: None,
    author: Author | None = None,
) -> DiffReport:
    """Find out in what the versions behave differently.

    The `author` writes tests of the affected functions, which are one more source of inputs.

    Raises:
        BadInputError: when the subject's tests are not run by pytest or unittest.
        EnvironmentUnusableError: when its suite cannot be run, or a version not be imported.
    """
    if not can_trace(subject.place.command.kind):
        raise BadInputError("only programs whose tests pytest or unittest runs can be compared")
    return _Comparison(subject, settings, notify, author).run()


class _Comparison:
    def __init__(
        self, subject: Subject, settings: DiffSettings, notify: Notify, author: Author | None
    ) -> None:
        self._author = author
        self._written: Written | None = None
        self._subject = subject
        self._settings = settings
        self._notify = notify
        self._started = time.monotonic()
        self._changes = find_changes(subject.texts)
        self._names = tuple(version.name for version in subject.versions)
        self._spans = _Spans(subject, self._changes)
        self._found: list[Discrepancy] = []
        self._invalid: list[Discrepancy] = []
        self._rejected = 0
        self._first_s: float | None = None

    def run(self) -> DiffReport:
        if not self._changes.functions and not _differ(self._changes):
            return self._report((), [], (), None, "the versions have the same Python code")
        self._notify("phase", {"name": "trace"})
        captures = self._trace(self._subject.place, self._subject.first_tests)
        seen = self._targets(captures)
        more = self._ask_author(seen)
        if more:
            seen = self._targets([*captures, *more])
        suite = self._suite_differences(captures) if len(captures) == len(self._names) else ()
        self._notify("phase", {"name": "compare"})
        place = replace(
            self._subject.place,
            path=tuple(dict.fromkeys(path for each in captures for path in each.path)),
            modules=tuple(dict.fromkeys(each.target.module for each in seen)),
        )
        exploration = self._try_to_explore(seen, place, suite) if seen else None
        self._prove()
        return self._report(suite, captures, seen, exploration, "")

    def _trace(self, place: Place, first: Sequence[TestId]) -> list[Captured]:
        """The suite's calls in two versions at most: candidates of one bug pass the same tests."""
        wanted = list(self._changes.functions)

        def trace(version: Version) -> Captured:
            limits = self._subject.limits
            seconds = min(limits.total_s, self._settings.trace_s)
            return capture(version, place, limits, self._spans.paths, wanted, seconds, first)

        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(trace, self._subject.versions[:2]))

    def _suite_differences(self, captures: Sequence[Captured]) -> tuple[SuiteDifference, ...]:
        """Tests that pass on one version and fail on another, each time they are run."""
        subject = self._subject
        found = differing_tests(captures)[:MOST_TESTS]
        return keep_steady(found, subject.versions, subject.place, subject.limits, SUITE_REPEATS)

    def _ask_author(self, seen: Sequence[Seen]) -> list[Captured]:
        """Have tests written for what the suite has shown; the calls that they make."""
        if self._author is None:
            return []
        self._notify("phase", {"name": "write"})
        subject = self._subject
        views = [view(each.target, self._texts_of(each.target), each.calls) for each in seen]
        captures, self._written = collect(
            self._author(views),
            lambda place: self._trace(place, ()),
            subject.versions,
            subject.base,
            subject.place,
            subject.limits,
            self._settings.repeats,
        )
        return captures

    def _texts_of(self, target: Target) -> tuple[str, ...]:
        """The source of a function in each version."""
        key = f"{target.path}:{target.name}"
        found = []
        for texts in self._subject.texts:
            text = texts.get(target.path) if target.path in texts else None
            text = text or self._subject.files.get(target.path) or ""
            spans = (span for span in list_functions(target.path, text) if span.key == key)
            span = next(spans, None)
            lines = text.splitlines()[span.first - 1 : span.last] if span is not None else []
            found.append("\n".join(lines))
        return tuple(found)

    def _targets(self, captures: Sequence[Captured]) -> list[Seen]:
        seen = [each for each in merge(captures, 1 << 30) if self._is_comparable(each.target)]
        known = {f"{each.target.path}:{each.target.name}" for each in seen}
        for key in sorted(self._changes.functions.keys() & self._changes.common - known):
            span = self._changes.functions[key]
            hinted = [hinted_shape(hint) for hint in span.hints]
            if "." not in span.name and hinted and None not in hinted:
                target = Target(span.path, _module_of(span.path), span.name, is_changed=True)
                seen.append(Seen(target))
        return seen[: self._settings.targets]

    def _is_comparable(self, target: Target) -> bool:
        """Whether all versions have it with the same parameters, where others can call it."""
        if "<locals>" in target.name or "<lambda>" in target.name:
            return False
        touched = any(target.path in texts for texts in self._subject.texts)
        return not touched or f"{target.path}:{target.name}" in self._changes.common

    def _try_to_explore(
        self, seen: Sequence[Seen], place: Place, suite: Sequence[SuiteDifference]
    ) -> Exploration | None:
        """A version that cannot be imported is a result when the suite says so of it alone."""
        try:
            return self._explore(seen, place)
        except EnvironmentUnusableError:
            if not suite:
                raise
            return None

    def _explore(self, seen: Sequence[Seen], place: Place) -> Exploration:
        rng = Random(self._settings.seed)
        inputs = [(each.target, self._inputs(each, rng)) for each in seen]
        with ExitStack() as stack:
            sessions = [
                stack.enter_context(Session(version, place, watched))
                for version, watched in zip(
                    self._subject.versions, self._changes.watched, strict=True
                )
            ]
            exploration = Exploration(sessions, inputs, self._settings)
            deadline = time.monotonic() + self._settings.seconds
            for sighting in exploration.sightings(deadline):
                is_real = self._follow(sighting, sessions, place)
                exploration.settle(sighting, was_real=is_real)
                if len(self._found) >= self._settings.wanted:
                    break
        return exploration

    def _inputs(self, seen: Seen, rng: Random) -> Inputs:
        span = self._spans.get(f"{seen.target.path}:{seen.target.name}")
        hints = span.hints if span is not None else ()
        return Inputs(
            seen.calls,
            hints,
            self._changes.constants,
            Random(rng.random()),
            is_method="." in seen.target.name,
        )

    def _follow(self, sighting: Sighting, sessions: Sequence[Session], place: Place) -> bool:
        """Shrink what was seen, and keep it if it shows in fresh sandboxes too."""
        if self._first_s is None:
            self._first_s = time.monotonic() - self._started
        settings = self._settings

        def shows(calls: Sequence[Call]) -> list[bool]:
            rows = perform(sessions, sighting.target, calls, settings.call_s, watched=False)
            return [
                sighting.aspects[0] in aspects_of(row, settings.tolerance)
                and (bool(sighting.invalid) or not any(o and o.invalid for o in row))
                for row in rows
            ]

        call = shrink(sighting.call, shows, SHRINK_S, settings.batch)
        self._notify("confirm", {"call": show_call(sighting.target, call)})
        confirmed = confirm(
            self._subject.versions,
            self._subject.base,
            place,
            sighting.target,
            call,
            limit_s=settings.call_s * PATIENCE,
            repeats=settings.repeats,
            tolerance=settings.tolerance,
        )
        if not confirmed.confirmation.is_confirmed:
            # What never shows again was a matter of the time limit, or of the calls before it.
            self._rejected += confirmed.confirmation.is_unsteady
            return False
        discrepancy = Discrepancy(
            sighting.target,
            call,
            confirmed.aspects,
            confirmed.outcomes,
            confirmed.confirmation,
            confirmed.base,
        )
        self._keep(discrepancy)
        return True

    def _keep(self, found: Discrepancy) -> None:
        said = ", ".join(
            f"{name} {show_outcome(outcome, found.aspects)}"
            for name, outcome in zip(self._names, found.outcomes, strict=True)
        )
        found = replace(
            found, question=f"for {show_call(found.target, found.call)}, {said}: which?"
        )
        if found.invalid:
            self._invalid.append(found)
            return
        number = len(self._found) + 1
        written = write_witnesses(found, self._names, self._spans, number)
        witness = written[0] if written else None
        self._found.append(replace(found, witness=witness, alternatives=written[1:]))
        self._notify("discrepancy", {"question": found.question})

    def _prove(self) -> None:
        """Run the tests that were written on all versions."""
        subject = self._subject
        written = [
            witness
            for each in self._found
            for witness in (each.witness, *each.alternatives)
            if witness is not None
        ]
        proven = {
            w.name: w for w in prove(written, subject.versions, subject.place, subject.limits)
        }
        self._found = [
            replace(
                each,
                witness=proven.get(each.witness.name) if each.witness else None,
                alternatives=tuple(proven[other.name] for other in each.alternatives),
            )
            for each in self._found
        ]

    def _report(
        self,
        suite: Sequence[SuiteDifference],
        captures: Sequence[Captured],
        seen: Sequence[Seen],
        exploration: Exploration | None,
        reason: str,
    ) -> DiffReport:
        coverage = self._coverage(exploration)
        executions = exploration.executions if exploration is not None else 0
        verdict, why = self._judge(suite, seen, executions, coverage)
        if reason:
            verdict, why = DiffVerdict.EQUIVALENT, reason
        return DiffReport(
            versions=self._names,
            verdict=verdict,
            reason=why,
            targets=tuple(each.target for each in seen),
            discrepancies=tuple(self._found),
            invalid=tuple(self._invalid),
            suite=tuple(suite),
            coverage=coverage,
            executions=executions,
            observed=sum(len(each.calls) for each in seen),
            skipped=sum(each.skipped for each in seen),
            rejected=self._rejected,
            duration_s=time.monotonic() - self._started,
            first_s=self._first_s if self._found else None,
            notes=tuple(_notes(seen)),
            written=self._written,
        )

    def _coverage(self, exploration: Exploration | None) -> tuple[Coverage, ...]:
        found = []
        for index, lines in enumerate(self._changes.lines):
            wanted = {(path, number) for path, numbers in lines.items() for number in numbers}
            reached = exploration.lines[index] & wanted if exploration is not None else set()
            found.append(Coverage(len(reached), len(wanted)))
        return tuple(found)

    def _judge(
        self,
        suite: Sequence[SuiteDifference],
        seen: Sequence[Seen],
        executions: int,
        coverage: Sequence[Coverage],
    ) -> tuple[DiffVerdict, str]:
        if self._found:
            return DiffVerdict.DIVERGENT, "the same valid input has different effects"
        if suite:
            return DiffVerdict.DIVERGENT, f"the suite's own {suite[0].test} tells them apart"
        if self._written is not None and self._written.differences:
            test = self._written.differences[0].test.name
            return DiffVerdict.DIVERGENT, f"the written test {test} tells them apart"
        if not seen:
            return DiffVerdict.UNDECIDED, "no changed function, nor a caller of one, can be called"
        if executions < self._settings.minimum:
            return DiffVerdict.UNDECIDED, f"only {executions} inputs could be tried"
        if any(each.total and not each.reached for each in coverage):
            return DiffVerdict.UNDECIDED, "no input has reached the lines that differ"
        if self._rejected:
            return DiffVerdict.UNDECIDED, "differences were seen that do not repeat reliably"
        if self._invalid:
            return DiffVerdict.EQUIVALENT, "they differ only for inputs that are declared invalid"
        return DiffVerdict.EQUIVALENT, f"{executions} inputs have the same effects"


def _differ(changes: Changes) -> bool:
    return any(numbers for lines in changes.lines for numbers in lines.values())


class _Spans(Mapping[str, Span]):
    """The functions of every source file by key, as the first version has them.

    A file is read only when a function of it is asked for: programs can have thousands.
    """

    def __init__(self, subject: Subject, changes: Changes) -> None:
        self._texts: dict[str, str | None] = {**subject.files, **subject.texts[0]}
        self._found: dict[str, Span] = {}
        self._changed = changes.functions
        self._read: set[str] = set()
        changed = {span.path for span in changes.functions.values()}
        self.paths = {path for path in {*self._texts, *changed} if path.endswith(".py")}

    def __getitem__(self, key: str) -> Span:
        path = key.partition(":")[0]
        if path in self.paths and path not in self._read:
            self._read.add(path)
            text = self._texts.get(path) or ""
            self._found.update((span.key, span) for span in list_functions(path, text))
        return self._found[key] if key in self._found else self._changed[key]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._changed, **self._found})

    def __len__(self) -> int:
        return len({**self._changed, **self._found})


def _module_of(path: str) -> str:
    """The name under which a file is imported, by the layout of its folders."""
    parts = PurePosixPath(path).with_suffix("").parts
    if len(parts) > 1 and parts[0] == "src":
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _notes(seen: Sequence[Seen]) -> list[str]:
    return [
        f"{each.skipped} calls of {each.target} were left out: {each.why_skipped}"
        for each in seen
        if each.skipped
    ]
