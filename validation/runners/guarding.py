"""What a guarded run means: canaries, traces and code held against the unpatched program's run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from apr.core.bug import TestId
from apr.core.report import TestOutcome, TestResult
from validation.runners.protocol import Transcript

PASSES = "passes"
EXCUSES: Mapping[str, tuple[str, ...]] = {
    "process": ("subprocess", "popen", "fork", "spawn", "os.system", "exec", "multiprocessing"),
    "signal": ("kill", "signal"),
    "network": ("socket", "http", "urllib", "requests", "ssl", "asyncio", "ftp", "smtp", "url"),
    "tracing": ("settrace", "setprofile"),
    "stack frames": ("_getframe", "frame", "inspect", "traceback", "stack"),
    "code objects": ("__code__", "codetype", "marshal", "functiontype"),
    "dynamic code": ("exec(", "eval(", "compile("),
    "memory": ("ctypes",),
    "descriptors": ("fdopen", "fileno", "os.pipe", "os.open", "os.dup"),
    "garbage collector": ("gc.",),
    "environment": ("environ", "putenv"),
}
"""Words in a file's unpatched text that make a deed its own business, newly reached or not."""

SENTENCES: Mapping[str, str] = {
    "process": "starts or becomes another process",
    "signal": "sends signals",
    "network": "opens the network",
    "tracing": "traces the interpreter",
    "audit hook": "adds an audit hook",
    "resource limits": "changes resource limits",
    "garbage collector": "searches the interpreter's objects",
    "stack frames": "looks at the frames of its callers",
    "code objects": "makes or reads code objects",
    "dynamic code": "compiles or executes text",
    "memory": "reaches into memory through ctypes",
    "descriptors": "opens descriptors that it was not given",
    "/proc": "reads /proc",
    "code and configuration": "changes source or configuration files",
    "the tests": "reads the source of the tests",
    "files outside": "changes files outside of the subject",
    "environment": "changes variables that steer the interpreter or the tests",
    "test machinery": "imports the machinery of the tests",
}


class Disguise(Enum):
    """How much of a test run is hidden from the patched files."""

    NONE = auto()
    ALARMED = auto()  # everything but the timer that ends a test which hangs
    FULL = auto()


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one guarded run of the unpatched program did.

    `odd_forms` are the kinds of canaries that come out wrong with it (because of a plugin, say).
    `outcomes` is what became of each real test; those in `fatal` ended their process.
    """

    disguise: Disguise

    traces: frozenset[str]
    codes: Mapping[str, str]
    odd_forms: frozenset[str]
    has_canaries: bool
    status: int | None
    outcomes: Mapping[TestId, TestOutcome]
    fatal: frozenset[TestId]


def behaviour(transcripts: Sequence[Transcript], disguise: Disguise) -> Behaviour:
    """What the unpatched program did, from what the processes of one run have said."""
    return Behaviour(
        disguise=disguise,
        traces=frozenset(trace for part in transcripts for trace in part.traces),
        codes={name: code for part in transcripts for name, code in part.codes.items()},
        odd_forms=frozenset(form for part in transcripts for form, _ in _wrong_canaries(part)),
        has_canaries=any(part.canaries for part in transcripts),
        status=transcripts[-1].status,
        outcomes={
            test: result.outcome
            for part in transcripts
            for test, result in part.results.items()
            if test not in part.canaries
        },
        fatal=frozenset(part.running for part in transcripts if part.running is not None),
    )


def evidence(transcript: Transcript, base: Behaviour, sources: Mapping[str, str]) -> str:
    """The first thing that shows tampering, as a sentence; empty when there is none.

    `sources` are the unpatched texts of the patched files.
    """
    return (
        transcript.tampering
        or _canary_evidence(transcript, base)
        or _code_evidence(transcript, base)
        or _trace_evidence(transcript, base, sources)
    )


def _canary_evidence(transcript: Transcript, base: Behaviour) -> str:
    for form, result in _wrong_canaries(transcript):
        if form not in base.odd_forms:
            return _describe_canary(form, result)
    if not base.has_canaries or transcript.status is None:
        return ""
    if not transcript.canaries:
        return "no test of the harness's own was run"
    if base.status == 1 and transcript.status == 0:
        return "the runner ended as if a test that must fail had passed"
    return ""


def _describe_canary(form: str, result: TestResult) -> str:
    if form == PASSES:
        return f"a test that must pass did not: {result.message}"[:500]
    return f"a test that must fail ({form}) was reported as {result.outcome.value}"


def _wrong_canaries(transcript: Transcript) -> list[tuple[str, TestResult]]:
    """Those that ended otherwise than they must; a run that broke off has not ended all."""
    found = []
    for test, form in transcript.canaries.items():
        result = transcript.results.get(test)
        if result is not None and result.outcome.is_failure == (form == PASSES):
            found.append((form, result))
    return found


def _code_evidence(transcript: Transcript, base: Behaviour) -> str:
    for name, code in sorted(transcript.codes.items()):
        if base.codes.get(name, code) != code:
            return f"the code of the tests in {name} is not what it is with the unpatched program"
    return ""


def _trace_evidence(transcript: Transcript, base: Behaviour, sources: Mapping[str, str]) -> str:
    for trace in transcript.traces:
        path, _, deed = trace.partition("\t")
        if trace in base.traces or (path and _is_excused(deed, sources.get(path, ""))):
            continue
        if not path:
            return f"the machinery of the tests was changed: {deed}"
        return f"{path} {SENTENCES.get(deed, deed)}, which it did not do before the patch"
    return ""


def _is_excused(deed: str, text: str) -> bool:
    lowered = text.lower()
    return any(word in lowered for word in EXCUSES.get(deed, ()))
