"""The training loop: boxed in time, resumable over several sittings, logged as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sized
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from apr.core.errors import BadInputError
from apr.training.batches import Batches, Corrupted, Repairs, Room
from apr.training.checkpoint import Checkpoint, Progress, load_checkpoint, save_checkpoint
from apr.training.corpus import load_code, load_fixes, load_vocabulary
from apr.training.schedule import Schedule, Sitting
from apr.training.t5 import T5

PRETRAIN, REPAIR = "pretrain", "repair"
LOG = "log.jsonl"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train with; `mined_weight` is how often a real fix is seen for one injected bug."""

    data: Path
    output: Path
    schedule: Schedule = field(default_factory=Schedule)
    room: Room = field(default_factory=Room)
    mined_weight: int = 2
    seed: int = 0
    workers: int = 0
    compiled: bool = False
    log_every: int = 20
    save_every_s: float = 120.0


def train(plan: Plan, make: Callable[[], T5]) -> Progress:
    """Train on from the checkpoint in `output`; without one what `make` makes.

    Raises:
        BadInputError: The data is missing, or the checkpoint is as far as this sitting should go.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(plan.seed)
    torch.set_float32_matmul_precision("high")
    vocabulary = load_vocabulary(plan.data)
    found = load_checkpoint(plan.output)
    progress = found.progress if found else Progress()
    if progress.reached >= plan.schedule.until:
        raise BadInputError(f"{plan.output} is at {progress.reached:.2f} already; raise --until")
    model = (found.model if found else make()).to(device)
    trainer = Trainer(plan, model, progress, found)
    trainer.run(vocabulary.line_end)
    return trainer.progress


class Trainer:
    """One sitting."""

    def __init__(
        self, plan: Plan, model: T5, progress: Progress, found: Checkpoint | None = None
    ) -> None:
        self.progress = progress
        self._plan, self._model = plan, model
        self._device = model.shared.weight.device
        if self._device.type == "cuda":
            model.working = torch.bfloat16
        self._optimizer = make_optimizer(model)
        if found:
            self._optimizer.load_state_dict(found.optimizer)
        self._sitting = Sitting(plan.schedule, progress.reached)
        self._run = torch.compile(model, dynamic=False) if plan.compiled else model
        self._sums = torch.zeros(3, device=self._device)
        self._tokens, self._logged_s, self._saved_s = 0, 0.0, 0.0

    def run(self, line_end: int) -> None:
        """Train until the sitting is over."""
        self._plan.output.mkdir(parents=True, exist_ok=True)
        while not self._sitting.is_over:
            phase = self._phase
            first = self.progress.batches.get(phase, 0)
            batches = self._batches(phase, line_end)
            for batch in load_batches(batches, first, self._plan.workers, self._device):
                self._step(phase, batch)
                if self._sitting.is_over or self._phase != phase:
                    break
            self._log(phase)
        self._save()

    @property
    def _phase(self) -> str:
        return PRETRAIN if self._sitting.reached < self._plan.schedule.pretrain else REPAIR

    def _batches(self, phase: str, line_end: int) -> Batches:
        plan = self._plan
        if phase == PRETRAIN:
            return Corrupted(load_code(plan.data), line_end, plan.room, plan.seed)
        return Repairs(load_fixes(plan.data, "train"), plan.room, plan.seed, plan.mined_weight)

    def _step(self, phase: str, batch: dict[str, Tensor]) -> None:
        rate = self._plan.schedule.rate_at(self._sitting.reached)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        count = (batch["target_segments"] > 0).sum()
        with autocast(self._device):
            loss, right = self._run(batch)
        (loss / count).backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._sums += torch.stack((loss.detach(), right.float(), count.float()))
        self._count(phase, batch)

    def _count(self, phase: str, batch: dict[str, Tensor]) -> None:
        """Take note of a step; now and then log and save."""
        self._sitting.step()
        done = self.progress.batches.get(phase, 0) + 1
        new = batch["source"].numel() + batch["labels"].numel()
        self._tokens += new
        self.progress = Progress(
            self._sitting.reached,
            {**self.progress.batches, phase: done},
            self.progress.tokens + new,
        )
        if done % self._plan.log_every == 0:
            self._log(phase)
        if self._sitting.seconds - self._saved_s > self._plan.save_every_s:
            self._save()

    def _log(self, phase: str) -> None:
        loss, right, count = self._sums.tolist()
        if not count:
            return
        now = self._sitting.seconds
        line = {
            "phase": phase,
            "batch": self.progress.batches[phase],
            "progress": round(self.progress.reached, 5),
            "rate": self._optimizer.param_groups[0]["lr"],
            "loss": loss / count,
            "right": right / count,
            "tokens": self.progress.tokens,
            "tokens_per_s": round(self._tokens / max(now - self._logged_s, 1e-9)),
            "seconds": round(now, 2),
        }
        with (self._plan.output / LOG).open("a") as log:
            log.write(json.dumps(line) + "\n")
        self._sums.zero_()
        self._tokens, self._logged_s = 0, now

    def _save(self) -> None:
        save_checkpoint(self._plan.output, self._model, self._optimizer, self.progress)
        self._saved_s = self._sitting.seconds


def make_optimizer(model: T5) -> torch.optim.Optimizer:
    """AdamW; norms and position biases do not decay."""
    decaying = {name for name, p in model.named_parameters() if p.ndim > 1 and "bias" not in name}
    groups = [
        {"params": [p for n, p in model.named_parameters() if n in decaying], "weight_decay": 0.01},
        {
            "params": [p for n, p in model.named_parameters() if n not in decaying],
            "weight_decay": 0,
        },
    ]
    is_fused = model.shared.weight.device.type == "cuda"
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), fused=is_fused)


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Bfloat16 where a GPU has it; the CPU computes in float32."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def load_batches(
    batches: Batches, first: int, workers: int, device: torch.device
) -> Iterator[dict[str, Tensor]]:
    """Batches from number `first` on, made by `workers` processes ahead of time."""
    loader = DataLoader(
        _Numbered(batches),
        batch_size=None,
        sampler=range(first, 1 << 40),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=device.type == "cuda",
    )
    for batch in loader:
        yield {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}


class _Numbered(Dataset[dict[str, Tensor]], Sized):
    """Batches as torch's loader wants them."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        arrays = self._batches.batch(number)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def __len__(self) -> int:
        return 1 << 40
