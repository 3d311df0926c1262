"""The block formats of quantised tensors, as GGML lays them out, turned into float32."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
SUPER_BLOCK = 256  # elements that share one scale in the K formats


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """A block of `elements` numbers takes `bytes`; `decode` turns blocks [n, bytes] into floats."""

    elements: int
    bytes: int
    decode: Callable[[Bytes], Floats]


def dequantise(raw: Bytes, kind: int) -> Floats:
    """All elements of a tensor of GGML type `kind`, in order."""
    form = BLOCKS[kind]
    return form.decode(raw.reshape(-1, form.bytes)).reshape(-1)


def _float32(blocks: Bytes) -> Floats:
    return blocks.view("<f4").astype(np.float32)  # a copy: the file is not writable


def _float16(blocks: Bytes) -> Floats:
    return blocks.view("<f2").astype(np.float32)


def _bfloat16(blocks: Bytes) -> Floats:
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _scale(blocks: Bytes, at: int) -> Floats:
    """The half-precision number at byte `at` of each block, [n, 1]."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _nibbles(packed: Bytes) -> Bytes:
    """The low halves of all bytes, then the high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _q4_0(blocks: Bytes) -> Floats:
    return _scale(blocks, 0) * (_nibbles(blocks[:, 2:]).astype(np.float32) - 8)


def _q5_0(blocks: Bytes) -> Floats:
    fifth = np.unpackbits(blocks[:, 2:6], axis=1, bitorder="little") << 4
    return _scale(blocks, 0) * ((_nibbles(blocks[:, 6:]) | fifth).astype(np.float32) - 16)


def _q8_0(blocks: Bytes) -> Floats:
    return _scale(blocks, 0) * np.ascontiguousarray(blocks[:, 2:]).view(np.int8)


def _six_bits(packed: Bytes) -> tuple[Floats, Floats]:
    """The eight scales and eight minima of a super block of Q4_K or Q5_K, from 12 bytes."""
    low, high, mixed = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = np.concatenate([low & 63, (mixed & 15) | (low >> 6 << 4)], axis=1)
    minima = np.concatenate([high & 63, (mixed >> 4) | (high >> 6 << 4)], axis=1)
    return scales.astype(np.float32)[..., None], minima.astype(np.float32)[..., None]


def _scaled(blocks: Bytes, quants: Bytes) -> Floats:
    """Eight groups of 32 quants with a scale and a minimum each."""
    scales, minima = _six_bits(blocks[:, 4:16])
    scales, minima = scales * _scale(blocks, 0)[..., None], minima * _scale(blocks, 2)[..., None]
    return (scales * quants.reshape(-1, 8, 32) - minima).reshape(-1, SUPER_BLOCK)


def _q4_k(blocks: Bytes) -> Floats:
    return _scaled(blocks, _nibbles(blocks[:, 16:].reshape(-1, 4, 32)))


def _q5_k(blocks: Bytes) -> Floats:
    shifts = np.arange(8, dtype=np.uint8)[None, :, None]
    fifth = (blocks[:, 16:48][:, None, :] >> shifts & 1) << 4
    low = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    quants: Bytes = (low | fifth).astype(np.uint8)
    return _scaled(blocks, quants)


def _q6_k(blocks: Bytes) -> Floats:
    low = _nibbles(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 2, 4, 32)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[None, None, :, None]
    high = (blocks[:, 128:192].reshape(-1, 2, 1, 32) >> shifts & 3) << 4
    quants = (low | high).astype(np.float32).reshape(-1, 16, 16) - 32
    scales = np.ascontiguousarray(blocks[:, 192:208]).view(np.int8).astype(np.float32)
    return (quants * (scales * _scale(blocks, 208))[..., None]).reshape(-1, SUPER_BLOCK)


BLOCKS = {  # by the number that GGML gives the type
    0: BlockFormat(1, 4, _float32),
    1: BlockFormat(1, 2, _float16),
    2: BlockFormat(32, 18, _q4_0),
    6: BlockFormat(32, 22, _q5_0),
    8: BlockFormat(32, 34, _q8_0),
    12: BlockFormat(SUPER_BLOCK, 144, _q4_k),
    13: BlockFormat(SUPER_BLOCK, 176, _q5_k),
    14: BlockFormat(SUPER_BLOCK, 210, _q6_k),
    30: BlockFormat(1, 2, _bfloat16),
}
