"""`inloop index`, `inloop ask` and `inloop eval-rag`."""

from .eval_answers import both_ways

__all__ = ["both_ways"]
