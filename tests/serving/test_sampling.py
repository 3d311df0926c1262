"""Sampling is exact, and keyed by seed and position alone."""

from __future__ import annotations

import math

import pytest
import torch

from apr.serving.sampling import (
    Needs,
    Rules,
    choose,
    gumbel,
    keep_nucleus,
    mix_64,
    noise_keys,
)

DRAWS = 40_000


def rules(rows: int, temperature: float = 1.0, top_p: float = 1.0, **more: torch.Tensor) -> Rules:
    """Row i has seed i."""
    one = torch.ones(rows)
    given = {"presence": 0 * one, "frequency": 0 * one, "used": None, **more}
    return Rules(torch.arange(rows), one / temperature, one, one * top_p, **given)


def draw(logits: list[float], temperature: float = 1.0, top_p: float = 1.0) -> list[int]:
    """How often each token comes, over as many seeds."""
    rows = torch.tensor(logits).expand(DRAWS, 1, -1)
    positions = torch.zeros((DRAWS, 1), dtype=torch.int64)
    needs = Needs(noise=True, nucleus=top_p < 1)
    chosen = choose(rows, positions, rules(DRAWS, temperature, top_p), needs)
    return torch.bincount(chosen.flatten(), minlength=len(logits)).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_tokens_come_as_often_as_their_probabilities_say(temperature: float) -> None:
    logits = [2.0, 1.0, 0.0, -1.0, -4.0]
    shares = torch.softmax(torch.tensor(logits) / temperature, 0).tolist()
    counts = draw(logits, temperature)
    chi_square = sum(
        (n - DRAWS * p) ** 2 / (DRAWS * p) for n, p in zip(counts, shares, strict=True)
    )
    assert chi_square < 18.5  # 4 degrees of freedom: once in a thousand seeds, and these are fixed


def test_noise_has_the_moments_of_gumbel_along_every_axis() -> None:
    seeds, positions = torch.arange(50)[:, None], torch.arange(20)[None, :]
    noise = gumbel(noise_keys(seeds, positions), 400)
    deviation = math.pi / math.sqrt(6)
    assert abs(noise.mean().item() - 0.5772) < 0.01
    assert abs(noise.std().item() - deviation) < 0.01
    for axis in range(3):
        means = noise.mean(dim=[other for other in range(3) if other != axis])
        others = noise.numel() // noise.shape[axis]
        assert (means - 0.5772).abs().max().item() < 5 * deviation / math.sqrt(others)


def test_neighbouring_seeds_and_positions_are_independent() -> None:
    keys = noise_keys(torch.arange(40)[:, None], torch.arange(2)[None, :])
    noise = gumbel(keys, 5000)
    flat = noise.reshape(80, 5000) - noise.mean()
    correlations = torch.corrcoef(flat).fill_diagonal_(0)
    assert correlations.abs().max().item() < 5 / math.sqrt(5000)


def test_a_nucleus_holds_the_fewest_tokens_that_reach_its_share() -> None:
    shares = torch.tensor([[0.1, 0.4, 0.3, 0.2]])
    for top_p, kept in ((0.39, [1]), (0.41, [1, 2]), (0.71, [1, 2, 3]), (1.0, [0, 1, 2, 3])):
        scores = keep_nucleus(shares.log(), torch.tensor([[top_p]]))
        assert scores.isfinite().nonzero()[:, 1].tolist() == kept
    assert draw([math.log(p) for p in (0.1, 0.4, 0.3, 0.2)], top_p=0.69)[::3] == [0, 0]


def test_the_likeliest_token_stays_however_small_the_nucleus() -> None:
    assert draw([0.0, 0.1], top_p=1e-6) == [0, DRAWS]


def test_greedy_rows_ignore_the_noise_beside_them() -> None:
    logits = torch.tensor([[[1.0, 1.1, 0.9]]]).expand(300, 1, 3)
    mixed = rules(300)
    mixed.heat[::2] = 0
    chosen = choose(logits, torch.zeros((300, 1), dtype=torch.int64), mixed, Needs(noise=True))
    assert set(chosen[::2].flatten().tolist()) == {1}
    assert set(chosen[1::2].flatten().tolist()) == {0, 1, 2}


def test_used_tokens_lose_by_number_and_by_presence() -> None:
    logits = torch.zeros((1, 1, 3))
    logits[0, 0] = torch.tensor([2.0, 1.6, 0.7])
    used = torch.tensor([[2, 1, 0]])
    one = torch.ones(1)
    for frequency, presence, expected in (
        (0.0, 0.0, 0),
        (0.5, 0.0, 1),
        (0.0, 1.0, 0),
        (0.5, 1.0, 2),
    ):
        given = rules(1, frequency=frequency * one, presence=presence * one, used=used)
        needs = Needs(penalties=True)
        assert choose(logits, torch.zeros((1, 1)), given, needs).item() == expected


def test_mixing_is_splitmix64() -> None:
    # The first outputs of the reference generator for the seed 0.
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    found = mix_64(torch.tensor([1, 2, 3]))
    assert [number % (1 << 64) for number in found.tolist()] == expected
