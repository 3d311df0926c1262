"""EQSPEC and EXSPEC: batch speculative decoding as published in arXiv 2510.22876.

Written anew from the paper's description and on current transformers, whose caches have no ragged
operations. Kept as they are published, weaknesses included: a draft model that reads the whole text
again for every step, one draft length for all rows, no token beyond a wholly accepted draft, greedy
decoding only. What is not kept: ends are found by length and not by scanning for an id, so that a
prompt may hold any token, and EXSPEC's answers come in the order of their prompts.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Listing
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from apr.serving.baselines.padded import fill, join, pad, part, realign, verify

WINDOW = 48  # sequences that EXSPEC looks through for equal lengths
Drafter = Callable[[Listing[Listing[int]], int], list[list[int]]]


@dataclass(frozen=True, slots=True)
class Goal:
    """When an answer ends, and how many tokens are drafted a step."""

    max_tokens: int
    ends: frozenset[int]
    draft_length: int = 5


@dataclass(slots=True)
class Row:
    """A text under way; `cache` holds all of it but the last token, None before it was read."""

    text: list[int]
    prompt: int
    cache: DynamicCache | None = None
    is_done: bool = False

    @property
    def answer(self) -> list[int]:
        """What was written to the prompt."""
        return self.text[self.prompt :]


@dataclass(slots=True)
class Counts:
    """What a run did; `grouped` steps needed no realignment."""

    steps: int = 0
    drafted: int = 0
    accepted: int = 0
    grouped: int = 0


@dataclass(slots=True)
class Decoding:
    """A target, who drafts for it, and the goal."""

    model: Any
    draft: Drafter
    goal: Goal
    counts: Counts = field(default_factory=Counts)

    @property
    def device(self) -> torch.device:
        """Where the target is."""
        found: torch.device = self.model.device
        return found


def model_drafter(model: Any) -> Drafter:
    """Greedy drafts of a smaller model, which reads each text anew."""

    def draft(texts: Listing[Listing[int]], count: int) -> list[list[int]]:
        drafts: list[list[int]] = [[] for _ in texts]
        cache, known = DynamicCache(config=model.config), 0
        for _ in range(count):
            so_far = [[*text, *guess] for text, guess in zip(texts, drafts, strict=True)]
            whole = pad(so_far, model.device)
            best = verify(model, whole, cache, known)[:, -1].tolist()
            known = whole.tokens.shape[1]
            for guess, token in zip(drafts, best, strict=True):
                guess.append(token)
        return drafts

    return draft


@torch.inference_mode()
def eqspec(decoding: Decoding, prompts: Listing[Listing[int]], batch: int) -> list[list[int]]:
    """Batches to their ends: verify all rows, strip, append, pad and realign after every step."""
    answers = []
    for start in range(0, len(prompts), batch):
        rows = [Row(list(prompt), len(prompt)) for prompt in prompts[start : start + batch]]
        cache = fill(decoding.model, [row.text for row in rows], decoding.device)
        while not all(row.is_done for row in rows):
            cache = _step(decoding, rows, cache)
        answers += [row.answer for row in rows]
    return answers


@torch.inference_mode()
def exspec(
    decoding: Decoding, prompts: Listing[Listing[int]], batch: int, window: int = WINDOW
) -> list[list[int]]:
    """A pool: rows of equal length form a batch that needs no realignment, else the first ones."""
    pool = [Row(list(prompt), len(prompt)) for prompt in prompts]
    while active := [row for row in pool if not row.is_done][:window]:
        rows, is_even = _choose(active, batch)
        decoding.counts.grouped += is_even
        cache = _gather(decoding, rows)
        cache = _step(decoding, rows, cache)
        width = max(len(row.text) for row in rows) - 1
        for index, row in enumerate(rows):
            own = len(row.text) - 1
            row.cache = None if row.is_done else part(cache, index, width - own, own)
    return [row.answer for row in pool]


def _choose(active: list[Row], batch: int) -> tuple[list[Row], bool]:
    """A full batch of one length if there is one, else the first rows."""
    groups: dict[tuple[int, bool], list[Row]] = {}
    for row in active:
        group = groups.setdefault((len(row.text), row.cache is not None), [])
        group.append(row)
        if len(group) == batch:
            return group, True
    return active[:batch], False


def _gather(decoding: Decoding, rows: list[Row]) -> DynamicCache:
    """One cache for rows that may differ in length, and of which some were never read."""
    for row in rows:
        if row.cache is None:
            row.cache = fill(decoding.model, [row.text], decoding.device)
    caches = [row.cache for row in rows if row.cache is not None]
    lengths = [len(row.text) - 1 for row in rows]
    width = max(lengths)
    if width == 0:
        return DynamicCache(config=decoding.model.config)
    return join([_widened(cache, width) for cache in caches])


def _widened(cache: DynamicCache, width: int) -> DynamicCache:
    """A row's cache with room on its left."""
    if not cache.layers or not cache.layers[0].is_initialized:
        raise ValueError("EXSPEC needs prompts of two tokens at least")
    wide = DynamicCache()
    for index, layer in enumerate(cache.layers):
        room = (0, 0, width - layer.keys.shape[2], 0)
        wide.update(
            torch.nn.functional.pad(layer.keys, room),
            torch.nn.functional.pad(layer.values, room),
            index,
        )
    return wide


def _step(decoding: Decoding, rows: list[Row], cache: DynamicCache) -> DynamicCache:
    """Draft, verify, keep what agrees and the correction; the cache lined up for the next step."""
    goal, counts = decoding.goal, decoding.counts
    before = [len(row.text) for row in rows]
    room = min(goal.max_tokens - len(row.answer) for row in rows if not row.is_done)
    drafts = decoding.draft([row.text for row in rows], min(goal.draft_length, room))
    whole = pad(
        [[*row.text, *guess] for row, guess in zip(rows, drafts, strict=True)], decoding.device
    )
    width = max(before)
    right = verify(decoding.model, whole, cache, width - 1).tolist()
    counts.steps += 1
    for row, guess, truth in zip(rows, drafts, right, strict=True):
        if not row.is_done:
            agreed = _agreed(guess, truth)
            counts.drafted += len(guess)
            counts.accepted += agreed
            # As published: of a wholly right draft nothing more is taken.
            _append(row, truth[: min(agreed + 1, len(guess))], goal)
    lengths = [len(row.text) - 1 for row in rows]
    return realign(cache, [width - length for length in before], lengths)


def _agreed(guess: Listing[int], truth: Listing[int]) -> int:
    for count, (guessed, right) in enumerate(zip(guess, truth, strict=False)):
        if guessed != right:
            return count
    return len(guess)


def _append(row: Row, tokens: Listing[int], goal: Goal) -> None:
    for token in tokens:
        row.text.append(token)
        row.is_done = token in goal.ends or len(row.answer) >= goal.max_tokens
        if row.is_done:
            return
