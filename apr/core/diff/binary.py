"""GIT binary patches: base 85, deflated, either the new bytes or a delta (git's pack format)."""

from __future__ import annotations

import base64
import re
import zlib

from apr.core.diff.model import BinaryDelta

MAX_INFLATED = 256 << 20
"""Bytes that the binary patches of one diff may unfold to; a few KiB could fill the memory."""

_METHOD = re.compile(rb"(delta|literal) (?:[ \t\n\v\f\r]*([-+]?)(\d+))?")
_ABSURD = 1 << 64


class CorruptBinaryError(Exception):
    """The block is none that git would read."""


def read_binary(data: bytes, start: int, budget: int) -> tuple[BinaryDelta, int, int]:
    """The forward part of the patch after `GIT binary patch`, bytes inflated, and where it ends.

    A second part, which leads back from the new bytes to the old ones, must be sound if there is
    one. `budget` is how many bytes the two may inflate to.

    Raises:
        CorruptBinaryError: when git would not read it.
        OverflowError: when it inflates to more than the budget.
    """
    forward = _read_block(data, start, budget)
    if forward is None:
        raise CorruptBinaryError
    size = len(forward[0].data)
    reverse = _read_block(data, forward[1], budget - size)
    if reverse is None:
        return forward[0], size, forward[1]
    return forward[0], size + len(reverse[0].data), reverse[1]


def _read_block(data: bytes, start: int, budget: int) -> tuple[BinaryDelta, int] | None:
    method = _METHOD.match(data, start)
    if method is None:
        return None
    digits = (method[3] or b"").lstrip(b"0")
    is_absurd = len(digits) > 20 or (method[2] == b"-" and digits)
    size = _ABSURD if is_absurd else int(digits or b"0")
    packed = bytearray()
    position = _next_line(data, start)
    while True:
        end = _next_line(data, position)
        if end - position == 1:
            break
        packed += _decode_line(data[position:end])
        position = end
    return BinaryDelta(method[1] == b"literal", _inflate(bytes(packed), size, budget)), end


def _next_line(data: bytes, start: int) -> int:
    return data.find(b"\n", start) + 1 or len(data)


def _decode_line(line: bytes) -> bytes:
    """A line: a letter for the number of bytes, then groups of five for four bytes each."""
    groups, rest = divmod(len(line) - 2, 5)
    if len(line) < 7 or rest:
        raise CorruptBinaryError
    letter = line[:1]
    if b"A" <= letter <= b"Z":
        length = letter[0] - ord("A") + 1
    elif b"a" <= letter <= b"z":
        length = letter[0] - ord("a") + 27
    else:
        raise CorruptBinaryError
    if not groups * 4 - 4 < length <= groups * 4:
        raise CorruptBinaryError
    try:
        return base64.b85decode(line[1:-1])[:length]
    except ValueError as error:
        raise CorruptBinaryError from error


def _inflate(packed: bytes, size: int, budget: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(packed, min(size, budget) + 1)
    except zlib.error as error:
        raise CorruptBinaryError from error
    if len(data) > budget:
        raise OverflowError
    if not stream.eof or len(data) != size:
        raise CorruptBinaryError
    return data


def apply_delta(old: bytes, delta: bytes) -> bytes | None:
    """The result of a delta, copied pieces of `old` and inserted bytes; None if it is unsound."""
    old_size, position = _read_size(delta, 0)
    new_size, position = _read_size(delta, position)
    if len(delta) < 4 or old_size != len(old) or new_size > MAX_INFLATED:
        return None
    out = bytearray()
    while position < len(delta):
        command = delta[position]
        position += 1
        if command & 0x80:
            fields = [bit for bit in range(7) if command >> bit & 1]
            raw = delta[position : position + len(fields)]
            if len(raw) < len(fields):
                return None
            position += len(fields)
            offset = sum(
                value << 8 * bit for bit, value in zip(fields, raw, strict=True) if bit < 4
            )
            size = sum(
                value << 8 * (bit - 4) for bit, value in zip(fields, raw, strict=True) if bit >= 4
            )
            piece = old[offset : offset + (size or 0x10000)]
            wanted = size or 0x10000
        else:
            piece = delta[position : position + command]
            wanted = command
            position += command
        if not wanted or len(piece) != wanted or len(out) + wanted > new_size:
            return None
        out += piece
    return bytes(out) if len(out) == new_size else None


def _read_size(delta: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first."""
    size = shift = 0
    while position < len(delta):
        byte = delta[position]
        position += 1
        size |= (byte & 0x7F) << min(shift, 64)
        shift += 7
        if not byte & 0x80:
            break
    return size, position
