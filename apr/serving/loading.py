"""From a path to an engine that fits this machine's memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from apr.core.errors import BadInputError, EnvironmentUnusableError
from apr.serving.drafts.desk import Desk
from apr.serving.drafts.pace import Pace
from apr.serving.engine import Engine
from apr.serving.network import Decoder
from apr.serving.seating import PREFILL_CHUNKS
from apr.serving.slots import slot_bytes
from apr.serving.weights.checkpoint import Checkpoint, open_checkpoint
from apr.serving.weights.vocabulary import Vocabulary

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
DEFAULT_SLOTS = {"cuda": 128, "cpu": 8}
DEFAULT_LENGTH = 8192
MEMORY_SHARE = 0.85  # of what is free once the weights are there
STEP_BYTES_PER_WORD = 64  # of the vocabulary and row: scores, noise and what sorting them takes
WIDTHS = (1, 2, 4, 8, 16, 32)  # of steps, in tokens of a row; each is a shape to be recorded
# Tokens a step may work on before it takes notably longer: a GPU computes many while it reads the
# weights, a processor hardly any.
BUDGETS = {"cuda": 256, "cpu": 32}
MASK_BYTES = 8  # of a prompt's piece: what its tokens see, as truth values and as numbers
ATTENTION_PIECES = 128  # the most in which a token's attention is put together
FLOAT_BYTES = 4
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how large an engine is to be; None: what fits."""

    device: str = "auto"
    dtype: str = "auto"
    slots: int | None = None
    length: int | None = None
    is_speculative: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine and what it was made of."""

    checkpoint: Checkpoint
    decoder: Decoder
    engine: Engine
    slots: int
    length: int


def load_engine(path: Path, placement: Placement) -> Loaded:
    """Read a model and allocate all that serving it will take.

    Raises:
        BadInputError: when there is no such model, or it cannot have so many slots.
        EnvironmentUnusableError: when there is no such device.
    """
    device = choose_device(placement.device)
    default = "bf16" if device.type == "cuda" else "fp32"
    dtype = DTYPES[default if placement.dtype == "auto" else placement.dtype]
    # Equivalence is promised for float32, so it has to be float32 on GPUs as well.
    torch.set_float32_matmul_precision("highest")
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every length of a prompt
    checkpoint = open_checkpoint(path)
    longest = checkpoint.shape.max_positions
    length = placement.length or min(DEFAULT_LENGTH, longest)
    if length > longest:
        raise BadInputError(f"--max-length {length} is beyond the {longest} tokens of the model")
    with torch.inference_mode():
        decoder = Decoder(checkpoint, device, dtype, length)
    slots = choose_slots(decoder, length, placement.slots)
    engine = make_engine(decoder, checkpoint.vocabulary, slots, length, placement.is_speculative)
    return Loaded(checkpoint, decoder, engine, slots, length)


def make_engine(
    decoder: Decoder, vocabulary: Vocabulary, slots: int, length: int, is_speculative: bool
) -> Engine:
    """An engine with the drafts that suit the device, or none."""
    drafts = Desk(Pace(WIDTHS, BUDGETS[decoder.device.type])) if is_speculative else None
    return Engine(decoder, vocabulary, slots, length, drafts)


def choose_device(name: str) -> torch.device:
    """The device of that name; auto: a GPU if there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise EnvironmentUnusableError("there is no usable GPU here; try --device cpu")
    return torch.device(name)


def choose_slots(decoder: Decoder, length: int, wanted: int | None) -> int:
    """How many slots the memory has room for; never more than are wanted.

    All that serving takes is counted now, so that no request can use up the memory later.

    Raises:
        BadInputError: when fewer fit than are wanted, or none.
    """
    shape, dtype = decoder.shape, decoder.dtype
    word = STEP_BYTES_PER_WORD * shape.vocabulary
    chunk = PREFILL_CHUNKS[decoder.device.type]
    mask = chunk * shape.group * length * MASK_BYTES
    inner = chunk * (4 * shape.inner_width + 8 * shape.width) * dtype.itemsize
    pieces = ATTENTION_PIECES * shape.heads * (shape.head_width + 2) * FLOAT_BYTES
    fixed = (word + pieces) * BUDGETS[decoder.device.type] + mask + inner
    each = slot_bytes(shape, length, dtype) + word
    room = int(free_memory(decoder.device) * MEMORY_SHARE) - fixed
    fitting = max(0, room) // each
    if fitting < (wanted or 1):
        raise BadInputError(
            f"memory has room for {fitting} slots of {length} tokens, {each / MIB:.0f} MiB each:"
            " ask for fewer --slots or a smaller --max-length"
        )
    return wanted or min(DEFAULT_SLOTS[decoder.device.type], fitting)


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
