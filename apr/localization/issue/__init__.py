"""Fault localization by what an issue says: no test has to fail for it."""
