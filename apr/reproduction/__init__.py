"""Tests made of an issue, kept where they fail for the reason that the issue gives."""
