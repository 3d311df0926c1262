"""Finds out how versions of one program behave differently (PatchDiff; Wang et al. 2025).

As published it lets a language model write tests; here inputs come from the program's own suite
and are varied, so nothing else is needed. The stages, each a module:

    targets   which functions the versions do not have in common
    capture   how the suite calls these functions and the ones that lead to them
    generate  more inputs, from what was seen, from type hints and from the changed code
    explore   the same inputs on all versions, each in a warm sandbox of its own
    shrink    the smallest input that still tells them apart
    confirm   the same again in fresh sandboxes, so that chance is no difference
    witness   a pytest file that passes on one version and fails on another, and the proof

What a sandbox sends is data, compared and varied as such: nothing of it is executed here.
"""
