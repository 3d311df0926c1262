"""Triton kernels for what a step on a GPU spends most time on; the torch path stays the reference.

Nothing here is imported without a GPU and Triton, which comes with torch's builds for GPUs.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache

from torch import Tensor


@cache
def _is_installed() -> bool:
    return importlib.util.find_spec("triton") is not None


def serve(tensor: Tensor) -> bool:
    """Whether the kernels can work on this tensor; APR_KERNELS=0 turns them off."""
    if os.environ.get("APR_KERNELS") == "0" or not _is_installed():
        return False
    return tensor.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"
