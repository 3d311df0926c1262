"""SWE-bench: instances, published predictions, and subjects made of local clones."""
