"""Judging predictions of SWE-bench as its official harness does: apply, run the tests, grade."""
