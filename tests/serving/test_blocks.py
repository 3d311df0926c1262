"""Quantised blocks, against numbers worked out by hand from GGML's layout."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from apr.serving.weights.blocks import BLOCKS, dequantise

Q4_0, Q5_0, Q8_0, Q4_K, Q5_K, Q6_K, FLOAT16, BFLOAT16 = 2, 6, 8, 12, 13, 14, 1, 30


def decode(raw: bytes, kind: int) -> list[float]:
    return dequantise(np.frombuffer(raw, np.uint8), kind).tolist()


def half(number: float) -> bytes:
    return struct.pack("<e", number)


def test_q8_0_is_a_scale_and_signed_bytes() -> None:
    quants = list(range(-16, 16))
    found = decode(half(0.5) + struct.pack("32b", *quants), Q8_0)
    assert found == [0.5 * quant for quant in quants]


def test_q4_0_has_the_first_half_in_the_low_bits() -> None:
    found = decode(half(2.0) + bytes([0x1F] * 16), Q4_0)
    assert found == [2.0 * (15 - 8)] * 16 + [2.0 * (1 - 8)] * 16


def test_q5_0_takes_the_fifth_bit_from_a_word_of_their_own() -> None:
    fifth = (1 << 0) | (1 << 17)
    found = decode(half(1.0) + struct.pack("<I", fifth) + bytes([0x21] * 16), Q5_0)
    low, high = [1 - 16] * 16, [2 - 16] * 16
    low[0] += 16
    high[1] += 16
    assert found == low + high


def scales_of(packed: bytes, group: int) -> tuple[int, int]:
    """Scale and minimum of a group as GGML's reference reads them."""
    if group < 4:
        return packed[group] & 63, packed[group + 4] & 63
    mixed, low, high = packed[group + 4], packed[group - 4], packed[group]
    return (mixed & 15) | (low >> 6 << 4), (mixed >> 4) | (high >> 6 << 4)


@pytest.mark.parametrize("kind", [Q4_K, Q5_K])
def test_k_blocks_have_eight_groups_with_scales_of_six_bits(kind: int) -> None:
    rng = np.random.default_rng(kind)
    packed = rng.integers(0, 256, 12, dtype=np.uint8).tobytes()
    fifths = rng.integers(0, 256, 32, dtype=np.uint8).tobytes() if kind == Q5_K else b""
    quants = rng.integers(0, 256, 128, dtype=np.uint8).tobytes()
    expected = []
    for group in range(8):
        scale, minimum = scales_of(packed, group)
        for i in range(32):
            byte = quants[group // 2 * 32 + i]
            quant = byte & 15 if group % 2 == 0 else byte >> 4
            if fifths:
                quant |= (fifths[i] >> group & 1) << 4
            expected.append(0.5 * scale * quant - 0.25 * minimum)
    assert decode(half(0.5) + half(0.25) + packed + fifths + quants, kind) == expected


def test_q6_k_has_sixteen_groups_with_signed_scales() -> None:
    rng = np.random.default_rng(6)
    low = rng.integers(0, 256, 128, dtype=np.uint8).tobytes()
    high = rng.integers(0, 256, 64, dtype=np.uint8).tobytes()
    scales = rng.integers(-128, 128, 16, dtype=np.int8)
    expected = []
    for i in range(256):
        part, place, strip = i // 128, i % 32, i % 128 // 32
        byte = low[part * 64 + place + 32 * (strip % 2)]
        quant = byte & 15 if strip < 2 else byte >> 4
        quant |= (high[part * 32 + place] >> 2 * strip & 3) << 4
        expected.append(0.25 * int(scales[i // 16]) * (quant - 32))
    assert decode(low + high + scales.tobytes() + half(0.25), Q6_K) == expected


def test_half_precision_of_both_kinds() -> None:
    assert decode(half(1.5) + half(-2.0), FLOAT16) == [1.5, -2.0]
    assert decode(struct.pack("<ff", 1.5, -2.0)[2:4] + b"\x00\xc0", BFLOAT16) == [1.5, -2.0]


def test_every_format_says_its_size() -> None:
    for form in BLOCKS.values():
        assert form.decode(np.zeros((3, form.bytes), np.uint8)).size == 3 * form.elements
