"""Writes GGUF files, to be read back: metadata of simple kinds, and tensors already in blocks."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FLOAT32, STRING, ARRAY, INT32, UINT32 = 6, 8, 9, 5, 4
ALIGNMENT = 32


def write_gguf(
    path: Path,
    metadata: Mapping[str, Any],
    tensors: Mapping[str, tuple[tuple[int, ...], int, bytes]],
) -> Path:
    """`tensors`: shape as numpy has it, GGML's type, and the bytes."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for name, value in metadata.items():
        head += _string(name) + _value(value)
    offset, body = 0, b""
    for name, (shape, kind, data) in tensors.items():
        head += _string(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", kind, offset)
        body += data + bytes(-len(data) % ALIGNMENT)
        offset = len(body)
    path.write_bytes(head + bytes(-len(head) % ALIGNMENT) + body)
    return path


def plain(tensor: np.ndarray) -> tuple[tuple[int, ...], int, bytes]:
    """A tensor that is not quantised."""
    return tensor.shape, 0, tensor.astype("<f4").tobytes()


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _string(value)
    if isinstance(value, float):
        return struct.pack("<If", FLOAT32, value)
    if isinstance(value, int):
        return struct.pack("<II", UINT32, value)
    if isinstance(value[0], str):
        head = struct.pack("<IIQ", ARRAY, STRING, len(value))
        return head + b"".join(map(_string, value))
    return struct.pack(f"<IIQ{len(value)}i", ARRAY, INT32, len(value), *value)
