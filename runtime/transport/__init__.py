"""Requests on their way to a server of models: paced, spread over several, tried again; and what came back, read."""

from .address import Address, address, split_addresses
from .balancer import Balancer, Server
from .dialect import Dialect
from .embeddings import EmbeddingSender
from .images import ImageSender
from .parsing import entries_before_cut, json_from, numbered_from, tags_from
from .price import Price
from .rate_limit import Rate, limit_of
from .replies import THINKING, Garbage, ServerError, Unusable, from_completion, is_starved, kept, parts_of
from .retries import Problem, Refused, judge
from .sender import OPENAI, Sender
from .thinking import split_thinking
from .wire import Question, cost_of, estimate, fitting, image_part, unframed

__all__ = [
    "Address",
    "Balancer",
    "Dialect",
    "EmbeddingSender",
    "Garbage",
    "ImageSender",
    "OPENAI",
    "Price",
    "Problem",
    "Question",
    "Rate",
    "Refused",
    "Sender",
    "Server",
    "ServerError",
    "THINKING",
    "Unusable",
    "address",
    "cost_of",
    "entries_before_cut",
    "estimate",
    "fitting",
    "from_completion",
    "image_part",
    "is_starved",
    "json_from",
    "judge",
    "kept",
    "limit_of",
    "numbered_from",
    "parts_of",
    "split_addresses",
    "split_thinking",
    "tags_from",
    "unframed",
]
