"""Webhooks: others are told what happens, in a way that they can check."""
