"""The embedded generator: fix templates over lossless source text, no model and no network."""
