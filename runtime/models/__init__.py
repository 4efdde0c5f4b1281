"""Weights by name: which are known, where they come from, and their cache."""

from .cache import MODELS, Model, ModelFile, Progress, bundled, fetch, find, verify
from .catalog import adapter_model, chat_model
from .delta import DELTA, whole, write_delta
from .download_bar import download_bar
from .hub import hub_gguf
from .pip import PipFailed, pip

__all__ = [
    "DELTA",
    "MODELS",
    "Model",
    "ModelFile",
    "PipFailed",
    "Progress",
    "adapter_model",
    "bundled",
    "chat_model",
    "download_bar",
    "fetch",
    "find",
    "hub_gguf",
    "pip",
    "verify",
    "whole",
    "write_delta",
]
