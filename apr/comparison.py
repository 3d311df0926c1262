"""How patches of one prepared subject behave differently from each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from apr.core.patch import Patch
from apr.subject import PreparedSubject
from validation.patchdiff.engine import Notify, Subject, compare_versions
from validation.patchdiff.model import DiffReport, DiffSettings
from validation.patchdiff.sessions import Place, Version
from validation.patchdiff.written import Author
from validation.temporary import temporary_folder
from validation.workspace import SourceTree, Workspace, copy_workspace

BASE = "base"


@dataclass(frozen=True, slots=True)
class NamedPatch:
    """A patch under the name by which a report speaks of it."""

    name: str
    patch: Patch


def compare_patches(
    subject: PreparedSubject,
    patches: Sequence[NamedPatch],
    settings: DiffSettings,
    notify: Notify,
    author: Author | None = None,
) -> DiffReport:
    """Apply each patch to a copy of its own and compare what the copies do.

    The `author` may write tests of the affected functions.

    Raises:
        PatchDoesNotApplyError: when a patch does not fit the subject.
        BadInputError, EnvironmentUnusableError: see `compare_versions`.
    """
    pristine = subject.workspace.pristine
    base = SourceTree(pristine)
    with temporary_folder("versions") as folder, ExitStack() as stack:

        def make(name: str, patch: Patch) -> Version:
            root = folder / name / pristine.parent.name / subject.workspace.root.name
            root.parent.mkdir(parents=True)
            copy_workspace(pristine, root)
            stack.enter_context(Workspace(root, pristine).patched(patch))
            return Version(name, root)

        versions = tuple(make(each.name, each.patch) for each in patches)
        is_given = any(each.name == BASE for each in patches)
        compared = Subject(
            versions,
            _texts(patches, base),
            None if is_given else make(BASE, Patch()),
            {path: text for path, text in subject.sources.items() if path.endswith(".py")},
            Place(subject.sandbox, subject.bug.test_command),
            subject.limits,
            subject.bug.trigger_tests,
        )
        return compare_versions(compared, settings, notify, author)


def _texts(
    patches: Sequence[NamedPatch], base: Mapping[str, str]
) -> tuple[dict[str, str | None], ...]:
    """For each patch the texts of all files that any of the patches touches."""
    changed = [each.patch.apply(base) for each in patches]
    paths = dict.fromkeys(path for texts in changed for path in texts)
    return tuple(
        {path: texts[path] if path in texts else base.get(path) for path in paths}
        for texts in changed
    )
