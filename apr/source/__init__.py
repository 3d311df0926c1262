"""Source files of any language: their statements and functions."""
