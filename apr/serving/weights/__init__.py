"""Reading a model: its shape, tensors and vocabulary, from a Hugging Face folder or a GGUF file."""
