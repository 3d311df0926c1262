"""GGUF files: llama.cpp's container of metadata and quantised tensors, read without loading it."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apr.core.errors import BadInputError
from apr.serving.weights.blocks import BLOCKS, Floats, dequantise

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = 32  # bytes; unless the metadata say otherwise
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
STRING, ARRAY = 8, 9


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Where a tensor lies; `shape` in the order of numpy, the longest stride first."""

    shape: tuple[int, ...]
    kind: int
    offset: int


class GgufFile:
    """The metadata of a file, and its tensors on demand.

    Raises:
        BadInputError: when the file is none, is cut short, or holds an unknown kind of tensor.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BadInputError(f"{path} cannot be read: {error}") from None
        try:
            self.metadata, self.tensors = _read_header(self._bytes)
        except (struct.error, UnicodeDecodeError, KeyError, IndexError, MemoryError):
            raise BadInputError(f"{path} is no intact GGUF file") from None

    def tensor(self, name: str) -> Floats:
        """The tensor as float32."""
        entry = self.tensors[name]
        if entry.kind not in BLOCKS:
            raise BadInputError(f"{self._path}: {name} has the unknown tensor type {entry.kind}")
        block = BLOCKS[entry.kind]
        elements = int(np.prod(entry.shape))
        size = elements // block.elements * block.bytes
        if entry.offset + size > len(self._bytes):
            raise BadInputError(f"{self._path} is cut short: {name} lies behind its end")
        raw = np.frombuffer(self._bytes, np.uint8, size, entry.offset)
        return dequantise(raw, entry.kind).reshape(entry.shape)


class _Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self.at = 0

    def take(self, form: str) -> Any:
        (value,) = struct.unpack_from(f"<{form}", self._data, self.at)
        self.at += struct.calcsize(form)
        return value

    def string(self) -> str:
        length = self.take("Q")
        raw = self._data[self.at : self.at + length]
        self.at += length
        return raw.decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            return self.take(SCALARS[kind])
        inner, count = self.take("I"), self.take("Q")
        if inner == STRING:
            return [self.string() for _ in range(count)]
        form = f"<{count}{SCALARS[inner]}"
        values = list(struct.unpack_from(form, self._data, self.at))
        self.at += struct.calcsize(form)
        return values


def _read_header(data: mmap.mmap) -> tuple[dict[str, Any], dict[str, TensorEntry]]:
    if data[:4] != MAGIC:
        raise KeyError(MAGIC)
    cursor = _Cursor(data)
    cursor.at = 4
    if cursor.take("I") not in VERSIONS:
        raise KeyError("version")
    tensors, fields = cursor.take("Q"), cursor.take("Q")
    metadata = {}
    for _ in range(fields):
        name = cursor.string()
        metadata[name] = cursor.value(cursor.take("I"))
    entries = {}
    for _ in range(tensors):
        name, dimensions = cursor.string(), cursor.take("I")
        shape = tuple(cursor.take("Q") for _ in range(dimensions))[::-1]
        entries[name] = TensorEntry(shape, cursor.take("I"), cursor.take("Q"))
    alignment = int(metadata.get("general.alignment", ALIGNMENT))
    start = -(-cursor.at // alignment) * alignment
    return metadata, {
        name: TensorEntry(entry.shape, entry.kind, start + entry.offset)
        for name, entry in entries.items()
    }
