"""Benchmarks of repair: records of what came of each bug, and their paired comparison."""
