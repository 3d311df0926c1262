"""Sampling in one pass over the scores: no noise is ever written to memory."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 4096  # scores that one program looks at


def pick_noisy(logits: Tensor, scale: Tensor, heat: Tensor, keys: Tensor) -> Tensor:
    """See `apr.serving.sampling.pick_noisy`."""
    rows, places, vocabulary = logits.shape
    logits = logits.contiguous()
    keys = keys.expand(rows, places).contiguous()
    blocks = triton.cdiv(vocabulary, BLOCK)
    best = torch.empty((rows * places, blocks), device=logits.device, dtype=torch.float32)
    index = torch.empty((rows * places, blocks), device=logits.device, dtype=torch.int64)
    _best_of_block[rows * places, blocks](
        logits, keys, scale, heat, best, index, vocabulary, places, blocks, BLOCK, num_warps=8
    )
    winner = best.argmax(-1, keepdim=True)
    return index.gather(1, winner).view(rows, places)


@triton.jit
def _best_of_block(
    logits, keys, scale, heat, best, index, vocabulary, places, blocks, BLOCK: tl.constexpr
):  # fmt: skip
    line, block = tl.program_id(0), tl.program_id(1)
    row = line // places
    tokens = block * BLOCK + tl.arange(0, BLOCK)
    start = logits + line.to(tl.int64) * vocabulary
    scores = tl.load(start + tokens, tokens < vocabulary, other=float("-inf")).to(tl.float32)
    scores *= tl.load(scale + row)
    key = tl.load(keys + line)
    noise = _gumbel(tokens.to(tl.uint32), key.to(tl.uint32), (key >> 32).to(tl.uint32))
    scores += noise * tl.load(heat + row)
    value, place = tl.max(scores, 0, return_indices=True)
    tl.store(best + line * blocks + block, value)
    tl.store(index + line * blocks + block, (block * BLOCK + place).to(tl.int64))


@triton.jit
def _gumbel(tokens, low, high):
    """The noise of `apr.serving.sampling.gumbel`, from both halves of a key."""
    bits = _mix(_mix(tokens ^ low) ^ high) & 0x7FFFFFFF
    uniform = (bits.to(tl.int32).to(tl.float32) + 0.5) * 4.656612873077393e-10
    uniform = tl.minimum(uniform, 0.99999994)
    # log1p, which has to be exact where its argument is tiny: there is the noise that decides.
    rest = 1.0 - uniform
    waiting = tl.where(rest == 1.0, uniform, -tl.log(rest) * (uniform / (1.0 - rest)))
    return -tl.log(waiting)


@triton.jit
def _mix(bits):
    """MurmurHash3's last mixing step."""
    bits ^= bits >> 16
    bits *= 0x85EBCA6B
    bits ^= bits >> 13
    bits *= 0xC2B2AE35
    bits ^= bits >> 16
    return bits
