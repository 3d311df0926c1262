"""Model clients for any endpoint that speaks the OpenAI protocol."""
