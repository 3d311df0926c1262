"""The part of PatchDiff inside the sandbox: records calls of a suite, and repeats calls.

It runs in the subject's own interpreter and needs the standard library only. What it sends are
JSON descriptions of values, which the host compares and changes but never turns into objects.
"""
