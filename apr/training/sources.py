"""Source files to inject bugs into, from a repository's newest commit or an installed package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

from git import Repo

from apr.generation.seq2seq.format import language_of
from apr.training.examples import SourceFile
from apr.training.mining import is_test

MIN_BYTES, MAX_BYTES = 400, 60_000
_LICENCE_FILE = re.compile(r"(?:^|/)(?:licen[cs]e|copying)[^/]*$", re.I)
_LICENCES = (
    ("Apache-2.0", re.compile(r"Apache License")),
    ("MIT", re.compile(r"Permission is hereby granted, free of charge")),
    ("BSD", re.compile(r"Redistribution and\s+use in source and binary forms")),
    ("ISC", re.compile(r"Permission to use, copy, modify,? and(?:/or)? distribute")),
)
_COPYLEFT = re.compile(r"GNU (?:LESSER |AFFERO )?GENERAL PUBLIC LICENSE\s+Version", re.I)


def open_repository(folder: Path) -> Repo:
    """A repository, also a git directory that stands alone but does not call itself bare."""
    repository = Repo(folder)
    repository.git.update_environment(GIT_DIR=str(repository.git_dir))
    return repository


def licence_of(repository: Repo) -> str | None:
    """The permissive licence that the newest commit is under; None when none was recognized."""
    for line in repository.git.ls_tree("-r", "HEAD").splitlines():
        path = line.split("\t", 1)[1]
        if path.count("/") > 1 or not _LICENCE_FILE.search(path):
            continue
        text = repository.git.show(f"HEAD:{path}")
        found = next((name for name, pattern in _LICENCES if pattern.search(text)), None)
        if found and not _COPYLEFT.search(text):
            return found
    return None


def read_tree(repository: Repo, project: str, most: int, seed: int = 0) -> Iterator[SourceFile]:
    """Files of the newest commit in random order, about `most` bytes of them."""
    entries = []
    for line in repository.git.ls_tree("-r", "-l", "HEAD").splitlines():
        facts, path = line.split("\t", 1)
        _, kind, blob, size = facts.split()
        language = language_of(path)
        if kind == "blob" and language and is_usable(path) and MIN_BYTES <= int(size) <= MAX_BYTES:
            entries.append((path, blob, language, int(size)))
    Random(f"{project}/{seed}").shuffle(entries)
    for path, blob, language, size in entries:
        if most <= 0:
            return
        content = repository.git.stream_object_data(blob)[3].read()
        most -= size
        yield SourceFile(project, path, language, _text(content))


def read_folder(folder: Path, project: str, most: int, seed: int = 0) -> Iterator[SourceFile]:
    """The same, of a folder such as an installed package."""
    paths = sorted(path for path in folder.rglob("*") if language_of(path.name))
    Random(f"{project}/{seed}").shuffle(paths)
    for path in paths:
        relative = path.relative_to(folder).as_posix()
        size = path.stat().st_size
        if most <= 0:
            return
        if is_usable(relative) and MIN_BYTES <= size <= MAX_BYTES:
            most -= size
            yield SourceFile(
                project, relative, language_of(path.name) or "", _text(path.read_bytes())
            )


def is_usable(path: str) -> bool:
    """Whether a file is neither a test nor written by a machine."""
    return not is_test(path) and not path.endswith((".min.js", "_pb2.py"))


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\0", "")
