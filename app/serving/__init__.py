"""`inloop serve` and `inloop bench-llm`."""
