"""The gate: refuses, before anything runs, the patches that would tamper with their own judgement.

Pure, and cheap for an ordinary candidate: only files with a suspicious word or shape near the edit
are read as a whole, and what the original of a file reaches for is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apr.core.errors import BadInputError, PatchDoesNotApplyError
from apr.core.patch import Patch
from apr.core.scope import matches_glob
from validation.integrity.languages import Original, read_original
from validation.integrity.paths import Scope, import_roots, judge_path
from validation.integrity.reach import Reach, TestNames
from validation.integrity.violation import CAPABILITY_KINDS, Violation, ViolationKind


@dataclass(frozen=True, slots=True)
class IntegritySettings:
    """What the user vouches for.

    `allow_paths` are .gitignore-like patterns of files that patches may touch and whose new text is
    not examined. `allow_reaches` are kinds of capability that a patch may newly reach for.
    """

    allow_paths: tuple[str, ...] = ()
    allow_reaches: frozenset[ViolationKind] = field(default=frozenset())


def parse_reaches(texts: tuple[str, ...]) -> frozenset[ViolationKind]:
    """The kinds that a user named.

    Raises:
        BadInputError: when one does not exist or is about paths.
    """
    known = {str(kind): kind for kind in CAPABILITY_KINDS}
    for text in texts:
        if text not in known:
            raise BadInputError(
                f"{text!r} is no reach that can be allowed; known: {', '.join(known)}"
            )
    return frozenset(known[text] for text in texts)


class IntegrityGate:
    """Judges patches of one subject by their text.

    `sources` are the files that the repair set out to patch, by relative path. Safe to use from
    several threads: what is remembered is only ever added to.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        scope: Scope | None = None,
        settings: IntegritySettings | None = None,
    ) -> None:
        self._sources = sources
        self._scope = scope or Scope()
        self._settings = settings or IntegritySettings()
        self._own = import_roots(sources)
        self._tests = TestNames(self._scope.tests)
        self._originals: dict[str, Original | None] = {}

    def check(self, patch: Patch) -> Violation | None:
        """The first reason to refuse the patch; None: nothing speaks against trying it.

        A patch that does not apply is not refused here: that it does not is its own verdict.
        """
        examined = []
        for path in patch.paths:
            violation = self._check_path(path, patch)
            is_inside = violation is None or violation.kind is not ViolationKind.OUTSIDE_SUBJECT
            if is_inside and self._is_allowed(path):
                continue
            if violation is not None:
                return violation
            examined.append(path)
        for path in examined:
            violation = self._check_content(path, patch)
            if violation is not None:
                return violation
        return None

    def _is_allowed(self, path: str) -> bool:
        return any(matches_glob(path, glob) for glob in self._settings.allow_paths)

    def _check_path(self, path: str, patch: Patch) -> Violation | None:
        is_new = path in patch.created
        found = judge_path(path, self._sources, self._scope, is_new)
        if found is None:
            return None
        kind, what = found
        advice = (
            "" if kind is ViolationKind.OUTSIDE_SUBJECT else f" (--allow-path {path} allows it)"
        )
        return Violation(kind, path, 0, f"the patch touches {path!r}, which {what}{advice}")

    def _check_content(self, path: str, patch: Patch) -> Violation | None:
        original = self._original(path, patch)
        edits = tuple(hunk for hunk in patch.hunks if hunk.path == path)
        if original is None or original.is_plain_edit(edits):
            return None
        try:
            base = {} if path in patch.created else {path: self._sources.get(path, "")}
            text = patch.only(path).apply(base)[path]
        except PatchDoesNotApplyError:
            return None
        for reach, line in original.newly(text) if text is not None else ():
            if reach.kind not in self._settings.allow_reaches:
                return _refusal(reach, path, line)
        return None

    def _original(self, path: str, patch: Patch) -> Original | None:
        if path in patch.created:
            # A file that was renamed or split may do what the files did that it comes from.
            gone = "\n".join(self._sources.get(each, "") for each in patch.deleted)
            return read_original(path, gone, self._own, self._tests)
        if path not in self._originals:
            text = self._sources.get(path, "")
            self._originals[path] = read_original(path, text, self._own, self._tests)
        return self._originals[path]


def _refusal(reach: Reach, path: str, line: int) -> Violation:
    return Violation(
        reach.kind,
        path,
        line,
        f"{path}:{line} newly uses {reach.what}, which {_WHY[reach.kind]}"
        f" (--allow-reach {reach.kind} allows it)",
    )


_WHY: Mapping[ViolationKind, str] = {
    ViolationKind.TEST_MACHINERY: "belongs to what runs the tests",
    ViolationKind.TEST_AWARENESS: "lets a program behave differently under test",
    ViolationKind.PROCESS_CONTROL: "can end or steer the process that runs the tests",
    ViolationKind.INTROSPECTION: "lets a program look at who runs it",
    ViolationKind.REFLECTION: "hides what the program really uses",
    ViolationKind.IMPORT_MACHINERY: "can change which code is imported",
    ViolationKind.RAW_OUTPUT: "can forge what the tests report",
    ViolationKind.NATIVE_CODE: "escapes what can be seen in the program's text",
    ViolationKind.OTHER_PROCESSES: "starts processes that the tests did not start before",
    ViolationKind.NETWORK: "opens connections that the program did not open before",
    ViolationKind.FOREIGN_STATE: "changes code that is not the program's own",
    ViolationKind.FORGED_EQUALITY: "makes comparisons true that are not",
    ViolationKind.SWALLOWED_FAILURE: "can hide a test's failure",
}
