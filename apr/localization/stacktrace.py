"""What the stack traces of failing tests say about the place of a fault.

A frame k steps above the innermost one of the subject counts 1/k, and from the tenth on 0.1, after
Wong, Xiong, Zhang, Hao, Zhang and Mei, "Boosting bug-report-oriented fault localization with
segmentation and stack-trace analysis", ICSME 2014.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from apr.core.location import Location, SuspiciousLocation
from apr.core.report import Frame, TestResult
from apr.core.scope import is_test_path
from apr.localization.traces import parse_trace
from apr.source.statements import SourceIndex, index_source

STACK_TRACE = "stack-trace"
EVIDENCE_WEIGHT = 0.1
_FLOOR = 0.1
_DEPTH = 10
_RUNAWAY = 20

Evidence = Mapping[tuple[str, int], float]
"""(path, 1-based line) to evidence in (0, 1]."""


def collect_evidence(
    failures: Sequence[TestResult],
    paths: Collection[str],
    *,
    exclude: Callable[[str], bool] = is_test_path,
) -> Evidence:
    """The mean over the failing tests with frames in `paths` of each line's evidence.

    A test's own `frames` are used, or, when it has none, those that its message shows. A line that
    occurs several times in one trace (recursion) counts by its innermost occurrence. In a runaway
    recursion the frame that happened to be the last says nothing, so that the lines of the
    recursion count as if they alone were the trace.
    """
    allowed = frozenset(path for path in paths if not exclude(path))
    traces = [_evidence_of(frames_in(result, allowed)) for result in failures]
    telling = [trace for trace in traces if trace]
    lines = sorted({line for trace in telling for line in trace})
    return {line: sum(t.get(line, 0.0) for t in telling) / len(telling) for line in lines}


def frames_in(result: TestResult, paths: Collection[str]) -> tuple[Frame, ...]:
    """The frames of a failing test that lie in `paths`, outermost first."""
    if result.frames:
        return tuple(f for f in result.frames if f.path in paths and f.line > 0)
    return parse_trace(result.message, paths)


def _evidence_of(frames: tuple[Frame, ...]) -> dict[tuple[str, int], float]:
    lines = [(frame.path, frame.line) for frame in frames]
    often = {line for line, count in Counter(lines).items() if count >= _RUNAWAY}
    recursing = [line for line in lines if line in often] or lines
    evidence = dict.fromkeys(lines, _FLOOR)
    for steps, line in list(enumerate(reversed(recursing), 1))[: _DEPTH - 1]:
        evidence[line] = max(evidence[line], 1 / steps)
    return evidence


def rank_by_evidence(
    evidence: Evidence, sources: Mapping[str, str]
) -> tuple[SuspiciousLocation, ...]:
    """The statements that stack traces name, the strongest evidence first.

    Lines beyond the end of their source, or without a statement, are left out.
    """
    indexes = _indexes({path for path, _ in evidence}, sources)
    best: dict[Location, SuspiciousLocation] = {}
    for (path, line), value in evidence.items():
        found = _locate(path, line, value, indexes)
        if found is not None:
            best[found.location] = max(
                best.get(found.location, found), found, key=lambda s: s.suspiciousness
            )
    return tuple(sorted(best.values(), key=lambda s: (-s.suspiciousness, s.location)))


def _indexes(paths: Collection[str], sources: Mapping[str, str]) -> dict[str, SourceIndex]:
    return {path: index_source(path, sources[path]) for path in sorted(paths) if path in sources}


def _locate(
    path: str, line: int, value: float, indexes: Mapping[str, SourceIndex]
) -> SuspiciousLocation | None:
    statement = indexes[path].statement_at(line) if path in indexes else None
    if statement is None:
        return None
    where = Location(path, statement.first, statement.last)
    return SuspiciousLocation(where, value, STACK_TRACE, statement.function)


def combine(
    ranking: Sequence[SuspiciousLocation],
    traced: Sequence[SuspiciousLocation],
    *,
    weight: float = EVIDENCE_WEIGHT,
) -> tuple[SuspiciousLocation, ...]:
    """Suspiciousness s and evidence e become (1 - weight) s + weight e, again in [0, 1].

    The default weight breaks ties and little more, as a crash shows where a wrong value is used and
    not where it is made: on 31 QuixBugs no weight up to 0.3 beats the spectrum alone.

    No location is dropped: evidence for a place that the spectrum lacks adds it with s = 0. Equal
    values keep the order of `ranking`. Without evidence the ranking is returned as it is.
    """
    if not traced:
        return tuple(ranking)
    evidence = {location.location: location.suspiciousness for location in traced}
    ranked = [_mixed(s, s.suspiciousness, evidence.get(s.location, 0.0), weight) for s in ranking]
    known = {location.location for location in ranking}
    added = [_mixed(s, 0.0, s.suspiciousness, weight) for s in traced if s.location not in known]
    return tuple(sorted([*ranked, *added], key=lambda s: -s.suspiciousness))


def _mixed(
    location: SuspiciousLocation, suspiciousness: float, evidence: float, weight: float
) -> SuspiciousLocation:
    mixed = (1 - weight) * suspiciousness + weight * evidence
    return replace(location, suspiciousness=min(1.0, mixed))
