"""Language models: opened by name, what each can do, chats that go through the ledger, batches of them."""

from .abilities import common
from .batch_book import TABLES as BATCH_TABLES
from .capabilities import Capabilities, capabilities, probe
from .chat import OpenAIChat
from .load_test import Level, measure
from .open import open_chat, open_server
from .probes import FEATURES, Asker, thinks

__all__ = [
    "Asker",
    "BATCH_TABLES",
    "Capabilities",
    "FEATURES",
    "Level",
    "OpenAIChat",
    "capabilities",
    "common",
    "measure",
    "open_chat",
    "open_server",
    "probe",
    "thinks",
]
