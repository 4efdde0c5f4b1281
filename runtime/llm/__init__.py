"""Chat models behind OpenAI-like servers: sending, retries, limits, what a server can do, and reading replies."""

from .abilities import common
from .address import Address, address, split_addresses
from .capabilities import Capabilities, capabilities, probe
from .chat import OpenAIChat
from .embeddings import EmbeddingSender
from .images import ImageSender
from .load_test import Level, measure
from .open import open_chat, open_server
from .parsing import entries_before_cut, json_from, numbered_from, tags_from
from .probes import FEATURES, Asker, thinks
from .retries import Refused
from .transport import OPENAI
from .wire import estimate, image_part

__all__ = [
    "Asker",
    "Address",
    "Capabilities",
    "EmbeddingSender",
    "FEATURES",
    "ImageSender",
    "Level",
    "OPENAI",
    "OpenAIChat",
    "Refused",
    "address",
    "capabilities",
    "common",
    "estimate",
    "entries_before_cut",
    "image_part",
    "json_from",
    "measure",
    "numbered_from",
    "open_chat",
    "open_server",
    "probe",
    "split_addresses",
    "tags_from",
    "thinks",
]
