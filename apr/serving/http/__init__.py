"""The engine behind the protocol that OpenAI's clients speak."""
