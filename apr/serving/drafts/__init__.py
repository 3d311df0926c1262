"""Guessing what a model will write next, from what repairs mostly are: copies with a few edits."""
