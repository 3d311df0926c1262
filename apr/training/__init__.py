"""Training of the repair model: real fixes and injected bugs, tokenizer, model, export.

`python -m apr.training` runs what a GPU machine needs with numpy, torch and transformers alone.
"""
