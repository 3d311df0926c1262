"""A model server for repair: many samples of few prompts, answers that mostly copy their input."""
