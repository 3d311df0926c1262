"""SWE-bench's rows by name: from a file, or from where the library `datasets` finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from apr.core.errors import BadInputError, EnvironmentUnusableError

SHORT = {
    "swebench": "SWE-bench/SWE-bench",
    "full": "SWE-bench/SWE-bench",
    "lite": "SWE-bench/SWE-bench_Lite",
    "verified": "SWE-bench/SWE-bench_Verified",
    "multilingual": "SWE-bench/SWE-bench_Multilingual",
}


def load_published(name: str, split: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a split of a published dataset; `lite` and the like are short for its name.

    Raises:
        BadInputError: when the name can be none.
        EnvironmentUnusableError: when `datasets` is not installed, or does not get it.
    """
    full = SHORT.get(name.lower().replace("swe-bench", "").strip("-_") or "swebench", name)
    if full.count("/") != 1 or Path(name).suffix:
        raise BadInputError(f"there is no file {name}, and no dataset can be called so")
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise EnvironmentUnusableError(
            f"{full} has to be fetched: name a file, or install the extra swebench"
        ) from error
    try:
        rows = load_dataset(full, split=split)
    except Exception as error:  # whatever the library and its network come up with
        reason = " ".join(str(error).split())[:200]
        raise EnvironmentUnusableError(
            f"the split {split} of {full} cannot be fetched; name a file: {reason}"
        ) from error
    return (dict(row) for row in rows)
