"""Results as JSON lines, kept as they come, so that a killed benchmark goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from apr.core.errors import BadInputError

ERROR = "error"
SCHEMA_VERSION = 1
"""Of a line of records; raised when a field changes its meaning."""


class Record(Protocol):
    """A dataclass with the answer to one question; an error is no verdict."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def verdict(self) -> str: ...

    @property
    def key(self) -> Hashable:
        """What tells the question apart."""


RecordT = TypeVar("RecordT", bound=Record)
Parse = Callable[[Mapping[str, Any]], RecordT]


class Journal(Generic[RecordT]):
    """Records that were all made under one `protocol`; the last one of a question counts.

    They are appended to the file as they are finished; without a path nothing is kept. The records
    of the questions in `forget` are dropped first.

    Raises:
        BadInputError: when the file holds results of another protocol, or cannot be used.
    """

    def __init__(
        self,
        path: Path | None,
        protocol: Mapping[str, Any],
        parse: Parse[RecordT],
        forget: Collection[Hashable] = (),
    ) -> None:
        """`parse` makes a record of its fields; a TypeError says that they are others."""
        self._path = path
        self._protocol = json.loads(json.dumps(protocol))
        self.done: dict[Hashable, RecordT] = {}
        if path is not None:
            self._open(path, parse, forget)

    def _open(self, path: Path, parse: Parse[RecordT], forget: Collection[Hashable]) -> None:
        text = self._read(path)
        parsed = [(line, *parse_line(path, line, parse)) for line in whole_lines(text)]
        kept = [entry for entry in parsed if entry[1].key not in forget]
        for _, record, protocol in kept:
            if protocol != self._protocol:
                raise BadInputError(
                    f"{path} holds results of other settings: name another --output, or --redo"
                )
            self.done[record.key] = record
        if (remaining := "".join(line for line, *_ in kept)) != text:
            path.write_text(remaining, encoding="utf-8")

    def _read(self, path: Path) -> str:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInputError(f"--output {path.parent} cannot be used: {error}") from error

    def add(self, record: RecordT) -> None:
        """Keep a record, on disk too."""
        self.done[record.key] = record
        if self._path is None:
            return
        fields = {
            "schema_version": SCHEMA_VERSION,
            "protocol": self._protocol,
            "record": asdict(record),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fields) + "\n")

    def has_verdict(self, key: Hashable) -> bool:
        """Whether the question need not be asked again."""
        return key in self.done and self.done[key].verdict != ERROR


def whole_lines(text: str) -> list[str]:
    """The lines with their ends; one without an end was being written when it was killed."""
    return text[: text.rfind("\n") + 1].splitlines(keepends=True)


def parse_line(path: Path, line: str, parse: Parse[RecordT]) -> tuple[RecordT, Mapping[str, Any]]:
    """The record and its protocol.

    Raises:
        BadInputError: when the line of the file `path` is no record.
    """
    try:
        fields = json.loads(line)
        return parse(fields["record"]), dict(fields["protocol"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"{path} holds a line that is no benchmark record") from error
