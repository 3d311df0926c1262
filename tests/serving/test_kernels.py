"""What the kernels choose is what the torch path chooses; Triton interprets them without a GPU."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton", reason="Triton comes with torch's builds for GPUs")

SAME = """
import torch
from apr.serving import kernels, sampling
from apr.serving.kernels import sampling as fused

torch.manual_seed(0)
for vocabulary in (100, 5000, 9001):
    for dtype in (torch.float32, torch.bfloat16):
        logits = (3 * torch.randn(3, 4, vocabulary)).to(dtype)
        keys = sampling.noise_keys(torch.tensor([[1], [-5], [2**61]]), torch.arange(12).view(3, 4))
        scale, heat = torch.tensor([0.5, 1.0, 2.0]), torch.tensor([1.0, 0.0, 1.0])
        assert kernels.serve(logits)
        reference = sampling.pick_noisy(logits, scale, heat, keys)
        assert torch.equal(fused.pick_noisy(logits, scale, heat, keys), reference)
print("same")
"""


def test_the_fused_choice_is_the_choice() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read when Triton is imported
    done = subprocess.run(
        [sys.executable, "-c", SAME], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "same\n", done.stderr
