from .eval_answers import both_ways
from .serve_index import add_index_arguments, serve_index

__all__ = ["add_index_arguments", "both_ways", "serve_index"]
