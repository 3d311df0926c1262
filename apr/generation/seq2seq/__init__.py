"""Patches from a small encoder-decoder, hunk by hunk, in the manner of MultiMend."""
