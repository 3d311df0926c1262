"""Where a training is: weights, the optimizer's state, and how far it has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from apr.training.t5 import T5, Shape

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True, slots=True)
class Progress:
    """`reached` is from 0 to 1 over all sittings; `batches` counts those of each phase."""

    reached: float = 0.0
    batches: Mapping[str, int] = field(default_factory=dict)
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`optimizer` is its state, as torch has it."""

    model: T5
    optimizer: dict[str, Any]
    progress: Progress


def save_checkpoint(
    folder: Path, model: T5, optimizer: torch.optim.Optimizer, progress: Progress
) -> None:
    """Write it; one that is there already stays whole until the new one is."""
    state = {
        "shape": asdict(model.shape),
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
    }
    part = folder / (CHECKPOINT + ".part")
    torch.save(state, part)
    part.replace(folder / CHECKPOINT)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """What is in a folder; None when nothing is there yet."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return None
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = T5(Shape(**state["shape"]))
    model.load_state_dict(state["model"])
    return Checkpoint(model, state["optimizer"], Progress(**state["progress"]))
