"""Benchmarks as bugs, and the reference behaviour that judges a patch after the search."""
