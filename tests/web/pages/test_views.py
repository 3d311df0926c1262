"""What pages show, made of what the store knows, without a server."""

from __future__ import annotations

from apr.core.patch import render_diff
from apr.core.tree import SearchTree
from apr.search.folding import Folding
from support.web_runs import FILE, HOSTILE, SOURCE, full_tree, make_patch
from web.pages.diff_view import diff_view
from web.pages.login import own_path
from web.pages.node_view import assembly_view
from web.pages.tree_view import tree_view
from web.pages.words import safe_text


def searched() -> SearchTree:
    tree = SearchTree()
    for node in full_tree():
        tree.add(node)
    return tree


def test_foreign_text_cannot_steer_but_keeps_its_lines() -> None:
    assert safe_text("a\tb\n\x1b[31m\u202e\udc80") == "a\tb\n\\x1b[31m\\u202e\\udc80"


def test_old_and_new_lines_stand_beside_each_other_with_the_difference_marked() -> None:
    [file] = diff_view(render_diff(make_patch(10), {FILE: SOURCE}))
    [changed] = [row for row in file.hunks[0] if row.kind == "changed"]
    assert changed.old is not None and changed.new is not None
    assert (changed.old.number, changed.new.number) == (2, 2)
    assert "<mark>" in changed.new.code and "=" in changed.new.code
    assert (file.added, file.removed) == (1, 1)


def test_markup_in_a_diff_is_escaped() -> None:
    diff = f"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+{HOSTILE}\n"
    [file] = diff_view(diff)
    shown = "".join(row.new.code for row in file.hunks[0] if row.new)
    assert "<script>" not in shown and "<img" not in shown and "\x1b" not in shown


def test_the_path_to_the_winner_is_the_first_row_and_the_rest_is_folded() -> None:
    tree = searched()
    view = tree_view("r", tree, 7, Folding(12, 2, 60))
    first = [dot.id for dot in view.dots if dot.y == view.dots[0].y]
    assert first == [0, 4, 7] == list(view.path)
    [root] = [dot for dot in view.dots if dot.id == 0]
    assert root.folded is not None and root.folded.label == "4 more"
    assert len({(dot.x, dot.y) for dot in view.dots}) == len(view.dots)


def test_each_hunk_is_traced_to_the_first_candidate_that_made_it() -> None:
    tree = searched()
    origins = [(node, make_patch(10) if node.id == 1 else node.patch) for node in tree.nodes]
    view = assembly_view(tree.nodes[7].patch, origins, {FILE: SOURCE})
    assert [part.first.id for part in view.parts if part.first] == [1, 7]


def test_a_login_leads_to_pages_of_this_server_only() -> None:
    assert own_path("/runs?q=x") == "/runs?q=x"
    for foreign in ("//evil.example", "/\\evil.example", "https://evil.example", "javascript:1"):
        assert own_path(foreign) == "/runs"
