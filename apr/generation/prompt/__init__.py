"""Patches written by a language model: prompts, answers, and a judge."""
