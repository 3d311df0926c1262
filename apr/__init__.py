"""APR: find the fault behind a failing test, search for a patch, prove it in a sandbox."""

__version__ = "0.1.0"
