"""How different two patches are, and which of many proposals differ the most."""

from __future__ import annotations

import re
from collections.abc import Sequence

from apr.core.patch import Patch
from apr.core.ports import Proposal

MAX_TOKENS = 300
"""Of a longer patch only the beginning is compared: the cost grows with the square."""

_TOKEN = re.compile(r"\w+|[^\w\s]")


def distance(left: Patch, right: Patch) -> float:
    """The edit distance between the tokens of two patches, divided by the longer one's tokens.

    In [0, 1]: 0 when both put the same tokens at the same places, 1 when they share none.
    """
    return token_distance(_tokens(left), _tokens(right))


def token_distance(left: Sequence[str], right: Sequence[str]) -> float:
    """Levenshtein's distance divided by the length of the longer; 0 between two empty ones."""
    longer = max(len(left), len(right))
    return _levenshtein(left, right) / longer if longer else 0.0


def _tokens(patch: Patch) -> list[str]:
    """Where each hunk stands and what it puts there."""
    tokens: list[str] = []
    for hunk in patch.hunks:
        tokens.append(f"{hunk.path}:{hunk.first}")
        tokens.extend(_TOKEN.findall("".join(hunk.new)))
    tokens.extend(f"+{path}" for path in patch.created)
    tokens.extend(f"-{path}" for path in patch.deleted)
    return tokens[:MAX_TOKENS]


def _levenshtein(left: Sequence[str], right: Sequence[str]) -> int:
    """The fewest insertions, deletions and replacements that turn one into the other."""
    row = list(range(len(right) + 1))
    for i, token in enumerate(left, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            replaced = diagonal + (token != other)
            diagonal = row[j]
            row[j] = min(replaced, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def most_different(proposals: Sequence[Proposal], known: Sequence[Patch], n: int) -> list[Proposal]:
    """At most `n` proposals, in the order chosen: each the farthest from `known` and the others.

    With nothing known the first proposal, which is the generator's favourite, is the first chosen.
    Of equally distant ones the earlier is taken.
    """
    if len(proposals) <= n:
        return list(proposals)
    tokens = [_tokens(proposal.patch) for proposal in proposals]
    taken = [_tokens(patch) for patch in known]
    nearest = [min((token_distance(t, k) for k in taken), default=1.0) for t in tokens]
    rest = list(range(len(proposals)))
    chosen: list[int] = []
    while rest and len(chosen) < n:
        best = max(rest, key=lambda index: (nearest[index], -index))
        rest.remove(best)
        chosen.append(best)
        for index in rest:
            nearest[index] = min(nearest[index], token_distance(tokens[index], tokens[best]))
    return [proposals[index] for index in chosen]
