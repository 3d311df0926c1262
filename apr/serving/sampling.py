"""Choosing the next token on the device, reproducibly: noise is keyed by seed and position.

Adding Gumbel noise to the scaled logits and taking the largest is exact sampling. The noise of a
token depends on the request's seed, the position and the token alone, so a seed gives the same
text in any batch, and with or without speculation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from apr.serving import kernels

MOST_ALTERNATIVES = 20  # likeliest tokens that can be asked for beside the chosen one
COLDEST = 1e-5  # temperatures below choose the most likely token
MULTIPLIERS = (0x85EBCA6B, 0xC2B2AE35)  # of MurmurHash3's last mixing step
MASK_63 = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Rules:
    """How each row chooses, [rows]: `heat` is 1 for rows that sample, 0 for the greedy ones.

    `used` [rows, vocabulary] counts the tokens written so far; None when nobody is penalised.
    """

    seeds: Tensor
    scale: Tensor
    heat: Tensor
    top_p: Tensor
    presence: Tensor
    frequency: Tensor
    used: Tensor | None


@dataclass(frozen=True, slots=True)
class Needs:
    """What any row of a batch needs; the others are not slowed down by work nobody asked for."""

    noise: bool = False
    nucleus: bool = False
    penalties: bool = False
    odds: bool = False

    @staticmethod
    def any(needs: Iterable[Needs]) -> Needs:
        """What is needed by one of them at least."""
        found = set(needs)
        return Needs(
            noise=any(one.noise for one in found),
            nucleus=any(one.nucleus for one in found),
            penalties=any(one.penalties for one in found),
            odds=any(one.odds for one in found),
        )


def choose(logits: Tensor, positions: Tensor, rules: Rules, needs: Needs) -> Tensor:
    """The next token of each row and place, [rows, n], from logits [rows, n, vocabulary].

    `positions` [rows, n] are those of the tokens that the logits come from. Whatever type the
    logits have, what is computed from them is float32.
    """
    scale = rules.scale
    if needs.penalties and rules.used is not None:
        logits = logits.float() - _penalties(rules, rules.used).unsqueeze(1)
    if not needs.noise:
        return logits.argmax(-1)
    if needs.nucleus:
        logits = logits.float() * scale[:, None, None]
        logits, scale = keep_nucleus(logits, rules.top_p[:, None, None]), torch.ones_like(scale)
    keys = noise_keys(rules.seeds[:, None], positions)
    if kernels.serve(logits):
        from apr.serving.kernels import sampling as fused

        return fused.pick_noisy(logits, scale, rules.heat, keys)
    return pick_noisy(logits, scale, rules.heat, keys)


def pick_noisy(logits: Tensor, scale: Tensor, heat: Tensor, keys: Tensor) -> Tensor:
    """The largest of scaled logits [rows, n, vocabulary] and noise, [rows, n].

    `scale` and `heat` [rows] weigh logits and noise; `keys` are those of `gumbel`.
    """
    scores = logits.float() * scale[:, None, None]
    return gumbel(keys, logits.shape[-1]).mul_(heat[:, None, None]).add_(scores).argmax(-1)


def weigh(logits: Tensor, chosen: Tensor) -> Tensor:
    """How likely the model holds tokens to be, [rows, n, 1 + 2 * MOST_ALTERNATIVES], in float32.

    First the log-probability of the chosen one [rows, n], then those of the likeliest, falling,
    then their ids, which float32 holds exactly. They are the model's own: neither temperature nor
    `top_p` nor penalties enter.
    """
    logs = logits.float().log_softmax(-1)
    own = logs.gather(-1, chosen.unsqueeze(-1))
    most = min(MOST_ALTERNATIVES, logs.shape[-1])
    values, ids = logs.topk(most, dim=-1)
    missing = (0, MOST_ALTERNATIVES - most)
    values = functional.pad(values, missing, value=float("-inf"))
    ids = functional.pad(ids, missing)
    return torch.cat([own, values, ids.float()], dim=-1)


def _penalties(rules: Rules, used: Tensor) -> Tensor:
    """What each token loses, [rows, vocabulary]."""
    lost = used * rules.frequency[:, None]
    return lost.add_((used > 0) * rules.presence[:, None])


def keep_nucleus(scores: Tensor, top_p: Tensor) -> Tensor:
    """Minus infinity for all but the likeliest tokens that together reach `top_p`."""
    ordered, _ = scores.sort(dim=-1, descending=True)
    shares = ordered.softmax(-1)
    before = shares.cumsum(-1) - shares
    least = ordered.masked_fill(before >= top_p, float("inf")).amin(-1, keepdim=True)
    return scores.masked_fill(scores < least, float("-inf"))


def noise_keys(seeds: Tensor, positions: Tensor) -> Tensor:
    """A key of 64 bits for the noise of each seed and position, which broadcast."""
    return mix_64(seeds ^ mix_64(positions + 1))


def gumbel(keys: Tensor, vocabulary: int) -> Tensor:
    """Standard Gumbel noise [..., vocabulary], the same for the same key."""
    tokens = torch.arange(vocabulary, device=keys.device, dtype=torch.int32)
    bits = tokens ^ _low_half(keys).unsqueeze(-1)
    bits = _mix_32(bits)
    bits ^= _low_half(keys >> 32).unsqueeze(-1)
    bits = _mix_32(bits).bitwise_and_(0x7FFFFFFF)
    uniform = bits.to(torch.float32).add_(0.5).mul_(2.0**-31).clamp_(max=1 - 2.0**-24)
    return uniform.neg_().log1p_().neg_().log_().neg_()


def mix_64(key: Tensor) -> Tensor:
    """SplitMix64's output function, on int64 that wrap around."""
    key = key * _signed(0x9E3779B97F4A7C15, 64)
    key = (key ^ _shift_right(key, 30)) * _signed(0xBF58476D1CE4E5B9, 64)
    key = (key ^ _shift_right(key, 27)) * _signed(0x94D049BB133111EB, 64)
    return key ^ _shift_right(key, 31)


def _shift_right(key: Tensor, by: int) -> Tensor:
    """A shift that brings in zeros, which torch has for no signed type."""
    return (key >> by) & (MASK_63 >> (by - 1))


def _low_half(key: Tensor) -> Tensor:
    return (key & 0xFFFFFFFF).to(torch.int32)


def _mix_32(bits: Tensor) -> Tensor:
    """MurmurHash3's last mixing step, in place."""
    bits ^= (bits >> 16).bitwise_and_(0xFFFF)
    bits *= _signed(MULTIPLIERS[0], 32)
    bits ^= (bits >> 13).bitwise_and_(0x7FFFF)
    bits *= _signed(MULTIPLIERS[1], 32)
    bits ^= (bits >> 16).bitwise_and_(0xFFFF)
    return bits


def _signed(number: int, width: int) -> int:
    """The same bits as a signed integer."""
    return number - (1 << width) if number >> (width - 1) else number
