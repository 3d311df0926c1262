"""Patches for bugs in several hunks, put together hunk by hunk (MultiMend, arXiv:2501.16044).

The candidates of each hunk come from any generator. What makes some failing tests pass is kept and
goes on with the other hunks, so that the work is a sum over the hunks and not a product.
"""
