"""What asking a model about a node has cost: credited to the node that was expanded."""

from __future__ import annotations

from collections.abc import Sequence

from apr.core.run import Usage
from apr.core.tree import SearchNode


def charge(expanded: Sequence[SearchNode], before: Usage, after: Usage) -> None:
    """Credit what a round has spent on a model to the nodes it expanded, in equal shares.

    A node may be among them more than once. Tokens and calls stay whole: the first nodes get
    what cannot be divided, so that the shares sum up to what was spent.
    """
    tokens = split(after.tokens - before.tokens, len(expanded))
    calls = split(after.calls - before.calls, len(expanded))
    cost_usd = (after.cost_usd - before.cost_usd) / max(len(expanded), 1)
    for node, share, asked in zip(expanded, tokens, calls, strict=True):
        if share or asked or cost_usd:
            node.spent = Usage(
                cost_usd=node.spent.cost_usd + cost_usd,
                tokens=node.spent.tokens + share,
                calls=node.spent.calls + asked,
            )


def split(total: int, parts: int) -> list[int]:
    """`total` in whole parts that differ by at most 1, the larger ones first."""
    return [total // parts + (part < total % parts) for part in range(parts)]
