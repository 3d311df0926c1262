"""Batch speculative decoding as published, on transformers' own models: what we measure against."""
