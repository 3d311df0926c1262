"""Writes a patch into the user's own files: all of it or nothing, and only what was judged."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from apr.core.errors import BadInputError, PatchDoesNotApplyError
from apr.core.patch import Patch, render_diff
from validation.workspace import SourceTree, encode, safe_path


def check_writable(subject: Path) -> None:
    """Refuse, before any work is done, a subject whose files could not be replaced in the end.

    Raises:
        BadInputError: when its folder may not be written.
    """
    if not os.access(subject, os.W_OK):
        raise BadInputError(f"--apply cannot write to {subject}: permission denied")


def plan_changes(patch: Patch, diff: str, sources: Mapping[str, str]) -> dict[str, str | None]:
    """The new texts, provided that the patch still makes the very change of `diff`.

    None stands for a file that is deleted. The context lines of `diff` are compared too, since an
    insertion has no old line to check.

    Raises:
        PatchDoesNotApplyError: when the files have changed since.
    """
    try:
        current = render_diff(patch, sources)
    except PatchDoesNotApplyError as error:
        raise _changed(str(error)) from error
    if current != diff:
        raise _changed(f"the lines around the change in {', '.join(patch.paths)} differ")
    return patch.apply(sources)


def _changed(reason: str) -> PatchDoesNotApplyError:
    return PatchDoesNotApplyError(
        f"the patch was not applied, because the subject has changed since: {reason}"
    )


def apply_patch(subject: Path, patch: Patch, diff: str) -> tuple[str, ...]:
    """Write the patch into `subject`; the files changed. Nothing is written if anything fails.

    Raises:
        PatchDoesNotApplyError: when the files have changed since the search.
        BadInputError: when one of them cannot be written.
    """
    changes = plan_changes(patch, diff, SourceTree(subject))
    targets = {safe_path(subject, path): text for path, text in changes.items()}
    with contextlib.ExitStack() as staged:
        ready: list[tuple[Path | None, Path]] = []
        for target, text in targets.items():
            if text is None:
                ready.append((None, target))
            else:
                _make_folders(target, staged)
                ready.append((_stage(target, encode(text), staged), target))
        _replace_all(ready, staged)
    return tuple(changes)


def _make_folders(target: Path, staged: contextlib.ExitStack) -> None:
    """Make the folders that the file needs; those that nothing came into vanish again."""
    missing = [folder for folder in target.parents if not folder.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir()
        except OSError as error:
            raise _unwritable(target, error) from error
        staged.callback(_remove_empty, folder)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _stage(target: Path, data: bytes, staged: contextlib.ExitStack) -> Path:
    """A complete new version beside the file it will replace, with its permissions."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        staged.callback(Path(name).unlink, missing_ok=True)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if target.exists():
            shutil.copymode(target, name)
        else:
            Path(name).chmod(0o666 & ~_umask())
    except OSError as error:
        raise _unwritable(target, error) from error
    return Path(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _replace_all(ready: list[tuple[Path | None, Path]], staged: contextlib.ExitStack) -> None:
    """Put every new version in its place, or (None) delete the file; undo it all if one fails."""
    done: list[tuple[Path, bytes | None]] = []
    for new, target in ready:
        try:
            before = target.read_bytes() if target.exists() else None
            if new is None:
                target.unlink()
            else:
                new.replace(target)
        except OSError as error:
            for written, original in done:
                _put_back(written, original, staged)
            raise _unwritable(target, error) from error
        done.append((target, before))


def _put_back(target: Path, original: bytes | None, staged: contextlib.ExitStack) -> None:
    if original is None:
        target.unlink()
    else:
        _stage(target, original, staged).replace(target)


def _unwritable(target: Path, error: OSError) -> BadInputError:
    return BadInputError(f"the patch was not applied: {target} cannot be written: {error.strerror}")
