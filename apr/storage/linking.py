"""Links stored nodes into a search tree."""

from __future__ import annotations

from collections.abc import Iterable

from apr.core.errors import StoreError
from apr.core.tree import SearchNode, SearchTree


def build_tree(run_id: str, nodes: Iterable[SearchNode]) -> SearchTree:
    """Link childless nodes, in id order, into a tree.

    Raises:
        StoreError: when a node is missing, which no sequence of complete saves leaves behind.
    """
    tree = SearchTree()
    for node in nodes:
        if node.id != len(tree):
            raise StoreError(f"the stored tree of run {run_id} lacks node {len(tree)}")
        tree.add(node)
    return tree
