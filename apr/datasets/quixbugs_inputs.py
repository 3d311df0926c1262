"""Extra inputs for QuixBugs: the documented preconditions, and graphs for the programs on nodes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from apr.datasets.cases import Case, NodeRef, NodeSpec
from apr.datasets.inputs import Args, generate_cases

MakeCase = Callable[[Random], Case]


def make_cases(program: str, seeds: Sequence[Args]) -> Callable[[int], Iterator[Case]]:
    """Cases of one program as a function of the seed; `seeds` are its JSON cases' arguments."""

    def cases(seed: int) -> Iterator[Case]:
        make = _MAKERS.get(program)
        if make is None:
            yield from generate_cases(seeds, seed, _PRECONDITIONS.get(program, _anything))
            return
        yield from (Case(args) for args in seeds)
        rng = Random(seed)
        for _ in itertools.count():
            yield make(rng)

    return cases


def tolerance(program: str) -> Callable[[Case], float]:
    """What the program's own tests allow: an error of epsilon for `sqrt`, none elsewhere."""
    if program == "sqrt":
        return lambda case: 2 * float(case.args[1])
    return lambda _case: 0.0


def _anything(_args: Args) -> bool:
    return True


def _is_ascending(a: int, b: int, k: int) -> bool:
    return a <= b and k >= 1


_PRECONDITIONS: dict[str, Callable[[Any], bool]] = {
    "bucketsort": lambda args: all(0 <= item < args[1] for item in args[0]),
    "get_factors": lambda args: args[0] >= 1,
    "hanoi": lambda args: 0 <= args[0] <= 8 and sorted({args[1], args[2]} | {1, 2, 3}) == [1, 2, 3],
    "is_valid_parenthesization": lambda args: set(args[0]) <= set("()"),
    "kth": lambda args: 0 <= args[1] < len(args[0]),
    "knapsack": lambda args: 0 <= args[0] <= 2000 and all(w > 0 for w, _ in args[1]),
    "levenshtein": lambda args: len(args[0]) <= 7 and len(args[1]) <= 7,
    "lis": lambda args: len(set(args[0])) == len(args[0]),
    "longest_common_subsequence": lambda args: len(args[0]) <= 8 and len(args[1]) <= 8,
    "next_permutation": lambda args: args[0] != sorted(args[0], reverse=True),
    "pascal": lambda args: args[0] >= 1,
    "possible_change": lambda args: args[1] <= 60 and all(coin > 0 for coin in args[0]),
    "powerset": lambda args: len(args[0]) <= 8,
    "sieve": lambda args: args[0] >= 1,
    "sqrt": lambda args: args[0] >= 1 and args[1] > 0,
    "subsequences": lambda args: _is_ascending(*args) and args[1] - args[0] <= 12,
    "to_base": lambda args: args[0] > 0 and 2 <= args[1] <= 36,
    "wrap": lambda args: max(map(len, args[0].split(" "))) < args[1],
}


def _sorted_and_key(rng: Random) -> Case:
    items = sorted(rng.sample(range(40), rng.randint(0, 9)))
    return Case((items, rng.choice([*items, rng.randint(-1, 41)])))


def _sorted_repeating_and_key(rng: Random) -> Case:
    items = sorted(rng.choices(range(12), k=rng.randint(0, 9)))
    return Case((items, rng.choice([*items, rng.randint(-1, 13)])))


def _almost_sorted(rng: Random) -> Case:
    items = sorted(rng.sample(range(50), rng.randint(1, 9)))
    width = rng.randint(0, 4)
    mixed = [
        item
        for start in range(0, len(items), width + 1)
        for item in rng.sample(items[start : start + width + 1], len(items[start:][: width + 1]))
    ]
    return Case((mixed, width))


def _nested_list(rng: Random) -> Case:
    return Case((_nest(rng, 3),))


def _nest(rng: Random, depth: int) -> list[Any]:
    return [
        _nest(rng, depth - 1) if depth and rng.random() < 0.4 else rng.randint(0, 9)
        for _ in range(rng.randint(0, 4))
    ]


def _infix(rng: Random) -> Case:
    tokens: list[Any] = [rng.randint(0, 99)]
    for _ in range(rng.randint(0, 7)):
        tokens += [rng.choice("+-*/"), rng.randint(0, 99)]
    return Case((tokens,))


def _postfix(rng: Random) -> Case:
    tokens: list[Any] = []
    depth = 0
    for _ in range(rng.randint(1, 9)):
        if depth >= 2 and rng.random() < 0.5:
            tokens.append(rng.choice("+-*/"))
            depth -= 1
        else:
            tokens.append(float(rng.randint(1, 20)))
            depth += 1
    return Case(([*tokens, *(rng.choice("+-*/") for _ in range(depth - 1))],))


def _palindrome(rng: Random) -> Case:
    half = [rng.choice((0, 1, 4, 8, 9, 9, 9)) for _ in range(rng.randint(1, 4))]
    half[0] = half[0] or 9
    return Case((half + half[::-1][rng.randint(0, 1) :],))


def _digraph(rng: Random, count: int) -> list[NodeSpec]:
    """Random successors; a third of the graphs are sparse, so that goals are often unreachable."""
    degree = rng.choice((1, 2, 3))
    return [
        NodeSpec(
            str(index),
            {"successors": tuple(rng.sample(range(count), rng.randint(0, min(degree, count))))},
        )
        for index in range(count)
    ]


def _search(rng: Random) -> Case:
    nodes = _digraph(rng, rng.randint(1, 7))
    start, goal = rng.randrange(len(nodes)), rng.randrange(len(nodes))
    return Case((NodeRef(start), NodeRef(goal)), tuple(nodes))


def _weighted_search(rng: Random) -> Case:
    """Path lengths are sums of distinct powers of two, so that no two distances ever tie."""
    nodes = _digraph(rng, rng.randint(1, 6))
    edges = [(i, j) for i, node in enumerate(nodes) for j in _indices(node.links["successors"])]
    lengths = rng.sample([2**power for power in range(len(edges))], len(edges))
    pairs = zip(edges, lengths, strict=True)
    length_by_edge = {(NodeRef(i), NodeRef(j)): length for (i, j), length in pairs}
    start, goal = rng.randrange(len(nodes)), rng.randrange(len(nodes))
    return Case((length_by_edge, NodeRef(start), NodeRef(goal)), tuple(nodes))


def _indices(link: int | tuple[int, ...] | None) -> tuple[int, ...]:
    return link if isinstance(link, tuple) else ()


def _linked_list(rng: Random, *, cyclic: bool) -> tuple[NodeSpec, ...]:
    count = rng.randint(1, 8)
    last = rng.randrange(count) if cyclic else None
    return tuple(
        NodeSpec(index, {"successor": index + 1 if index + 1 < count else last})
        for index in range(count)
    )


def _cyclic_or_not(rng: Random) -> Case:
    return Case((NodeRef(0),), _linked_list(rng, cyclic=rng.random() < 0.5))


def _list_to_reverse(rng: Random) -> Case:
    nodes = _linked_list(rng, cyclic=False)
    return Case((None,)) if rng.random() < 0.05 else Case((NodeRef(0),), nodes)


def _acyclic_graph(rng: Random) -> Case:
    count = rng.randint(1, 7)
    rank = rng.sample(range(count), count)
    chance = rng.choice((0.2, 0.4, 0.7))
    edges = [
        (a, b)
        for a, b in itertools.permutations(range(count), 2)
        if rank[a] < rank[b] and rng.random() < chance
    ]
    nodes = tuple(
        NodeSpec(
            index,
            {
                "outgoing_nodes": tuple(b for a, b in edges if a == index),
                "incoming_nodes": tuple(a for a, b in edges if b == index),
            },
        )
        for index in range(count)
    )
    return Case(([NodeRef(index) for index in range(count)],), nodes)


def _connected_graph(rng: Random) -> Case:
    """Distinct weights, so that the minimum spanning tree is unique."""
    count = rng.randint(2, 7)
    tree = [(rng.randrange(node), node) for node in range(1, count)]
    extra = [pair for pair in itertools.combinations(range(count), 2) if rng.random() < 0.4]
    edges = list(dict.fromkeys([*tree, *extra]))
    rng.shuffle(edges)
    weights = rng.sample(range(1, 100), len(edges))
    return Case((dict(zip(edges, weights, strict=True)),))


def _weights(rng: Random, count: int) -> dict[tuple[int, int], int]:
    """Reduced costs `w + p(u) - p(v)` with w >= 0: negative edges but no negative cycle."""
    potential = [rng.randint(-6, 6) for _ in range(count)]
    edges = [pair for pair in itertools.permutations(range(count), 2) if rng.random() < 0.35]
    rng.shuffle(edges)
    return {(u, v): rng.randint(0, 9) + potential[u] - potential[v] for u, v in edges}


def _all_pairs(rng: Random) -> Case:
    count = rng.randint(1, 6)
    return Case((count, _weights(rng, count)))


def _single_source(rng: Random) -> Case:
    count = rng.randint(2, 6)
    named = {("ABCDEF"[u], "ABCDEF"[v]): w for (u, v), w in _weights(rng, count).items()}
    return Case(("A", named))


_MAKERS: dict[str, MakeCase] = {
    "breadth_first_search": _search,
    "depth_first_search": _search,
    "detect_cycle": _cyclic_or_not,
    "find_first_in_sorted": _sorted_repeating_and_key,
    "find_in_sorted": _sorted_and_key,
    "flatten": _nested_list,
    "kheapsort": _almost_sorted,
    "minimum_spanning_tree": _connected_graph,
    "next_palindrome": _palindrome,
    "reverse_linked_list": _list_to_reverse,
    "rpn_eval": _postfix,
    "shortest_path_length": _weighted_search,
    "shortest_path_lengths": _all_pairs,
    "shortest_paths": _single_source,
    "shunting_yard": _infix,
    "topological_ordering": _acyclic_graph,
}
