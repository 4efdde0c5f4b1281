"""Chat models behind OpenAI-like servers: sending, retries, limits, what a server can do, and reading replies."""

from .address import address
from .capabilities import Capabilities, capabilities, probe
from .chat import OpenAIChat
from .images import ImageSender
from .load_test import Level, measure
from .open import open_chat, open_server
from .parsing import entries_before_cut, json_from, numbered_from, tags_from
from .probes import FEATURES, Asker, thinks
from .retries import Refused
from .transport import OPENAI
from .wire import estimate

__all__ = [
    "Asker",
    "Capabilities",
    "FEATURES",
    "ImageSender",
    "Level",
    "OPENAI",
    "OpenAIChat",
    "Refused",
    "address",
    "capabilities",
    "estimate",
    "entries_before_cut",
    "json_from",
    "measure",
    "numbered_from",
    "open_chat",
    "open_server",
    "probe",
    "tags_from",
    "thinks",
]
