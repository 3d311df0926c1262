"""What the kernels compute is what the torch path computes; Triton interprets them without a GPU.

The interpreter multiplies no matrices in bfloat16: there a GPU has to look, by
benchmarks/kernels_check.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version(name).split(".")[:2])


pytest.importorskip("triton", reason="Triton comes with torch's builds for GPUs")

# Triton 3.6 makes loop bounds from arrays in a way that NumPy 2.5 refuses; Triton 3.9 does not.
CANNOT_LOOP = _version("triton") < (3, 9) and _version("numpy") >= (2, 5)
needs_loops = pytest.mark.skipif(
    CANNOT_LOOP, reason="this Triton's interpreter cannot loop with this NumPy"
)
TESTS = Path(__file__).resolve().parents[1]
CHOICE = """
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
"""
OPERATIONS = """
import torch
from support.kernel_pairs import Case, distance, is_alone_the_same, pairs

CPU = torch.device("cpu")
CASES = (
    Case(heads=4, kv_heads=2, head_width=8, rows=3, tokens=1, length=300),
    Case(heads=7, kv_heads=1, head_width=24, rows=2, tokens=5, length=140, has_norms=True),
    Case(heads=2, kv_heads=2, head_width=16, rows=1, tokens=3, length=2400),
)
for seed, case in enumerate(CASES):
    for dtype, most in ((torch.float32, 1e-6), (torch.float16, 2e-3)):
        for name, found, wanted in pairs(case, CPU, dtype, seed):
            assert distance(found, wanted) < most, (case, dtype, name)
    assert is_alone_the_same(case, CPU, torch.float32, seed), case
"""
WRITING = """
import tempfile
from pathlib import Path
from random import Random

import torch
from apr.serving.engine import Engine
from apr.serving.operations import Plain
from apr.serving.kernels.operations import Fused
from apr.serving.sequence import Sampling, Sequence
from apr.serving.weights.checkpoint import open_checkpoint
from support.tiny_model import load_decoder, save_tiny_model

rng = Random(0)
prompts = [tuple(rng.randrange(200) for _ in range(length)) for length in (1, 3, 20)]
for kind in ("qwen2", "qwen3"):
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = open_checkpoint(save_tiny_model(Path(folder) / kind, kind))
        decoder = load_decoder(checkpoint)
    assert isinstance(decoder.operations, Fused)
    written = []
    for operations in (decoder.operations, Plain(decoder.shape.epsilon)):
        decoder.operations = operations
        sequences = [Sequence(prompt, Sampling(5, 0.0)) for prompt in prompts]
        Engine(decoder, checkpoint.vocabulary, 3, 64).run(sequences)
        written.append([sequence.tokens for sequence in sequences])
    assert written[0] == written[1], written
"""


@pytest.mark.parametrize(
    "script",
    [
        CHOICE,
        pytest.param(OPERATIONS, marks=needs_loops),
        pytest.param(WRITING, marks=needs_loops),
    ],
)
def test_kernels_do_what_torch_does(script: str) -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1"}  # read when Triton is imported
    environment["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
