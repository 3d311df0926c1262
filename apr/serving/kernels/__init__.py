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


def serve(tensor: Tensor, *, is_tried: bool = True) -> bool:
    """Whether a kernel is to work on this tensor.

    `is_tried`: whether it has been found right and fast on a GPU. APR_KERNELS=all takes the others
    as well, APR_KERNELS=0 none.
    """
    wanted = os.environ.get("APR_KERNELS", "")
    if wanted == "0" or not _is_installed():
        return False
    if os.environ.get("TRITON_INTERPRET") == "1":
        return True
    return tensor.is_cuda and (is_tried or wanted == "all")
