"""The part of APR that runs inside the sandbox, in the subject's own interpreter.

Standard library only (and the subject's pytest), Python 3.8 or later. It is put on `sys.path`
by a one-line bootstrap and taken off again before any of the subject's code runs.
"""
