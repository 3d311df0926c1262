"""Versions of a small program, written on the spot and compared in a real sandbox."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from apr.core.bug import RunnerKind, TestCommand
from apr.core.ports import Sandbox
from validation.patchdiff.engine import Subject, compare_versions
from validation.patchdiff.model import DiffReport, DiffSettings
from validation.patchdiff.sessions import Place, Version
from validation.runners.base import RunLimits

LIMITS = RunLimits(test_s=2.0, total_s=60.0)
QUICK = DiffSettings(seconds=120.0, repeats=2, wanted=1, inputs=120, call_s=0.2)


def compare_texts(
    sandbox: Sandbox,
    folder: Path,
    files: Mapping[str, str],
    path: str,
    texts: tuple[str, ...],
    settings: DiffSettings,
    kind: RunnerKind,
) -> DiffReport:
    """The report on versions that differ in the file `path`; the first is the base too."""
    names = ["left", "right", *"cdefgh"][: len(texts)]
    versions = [
        write_version(folder / name / "shop", name, {**files, path: text})
        for name, text in zip(names, texts, strict=True)
    ]
    base = write_version(folder / "base" / "shop", "base", {path: texts[0], **files})
    subject = Subject(
        tuple(versions),
        tuple({path: text} for text in texts),
        base,
        {name: text for name, text in files.items() if not name.startswith("test")},
        Place(sandbox, TestCommand(kind, (), sys.executable)),
        LIMITS,
    )
    return compare_versions(subject, settings)


def write_version(root: Path, name: str, files: Mapping[str, str]) -> Version:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return Version(name, root)
