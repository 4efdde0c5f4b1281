"""inloop puts a language model in the loop of vision-language work: propose, realise, score, keep what is better.

    import inloop

    result = inloop.opt2i("a green pentagram over a spaceship")

Everything in `__all__` is public and follows Semantic Versioning; what lies behind may change. A name is imported when it is
first used, so that `import inloop` is quick. `__init__.pyi` beside this file has the signatures; they are written from the
configs of the loops (`make stubs`).
"""

from __future__ import annotations

import importlib
import os
from importlib.metadata import version
from typing import Any

from .runtime.privacy import keep_private

keep_private()  # before a library is imported that would tell its makers

__version__ = version("inloop")

# read when LangGraph is imported, which any module below may be the first to do: checkpoints revive no types but its own
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

_PLACES = {
    # loops: call one, await its `run`, go on with its `resume`
    "ask": "graphs.rag",
    "bias": "graphs.bias",
    "capacity": "graphs.capacity",
    "caption_synthesis": "graphs.captioning",
    "caption_training": "graphs.captioning",
    "curate": "graphs.curate",
    "encoders": "graphs.encoders",
    "index": "graphs.indexing",
    "label": "graphs.label",
    "llm2llm": "graphs.llm2llm",
    "opt2i": "graphs.opt2i",
    "retrieval_eval": "graphs.retrieval_eval",
    "score": "graphs.score",
    "search": "graphs.search",
    "steer_vlm": "graphs.steer",
    "vqa": "graphs.promptcap",
    "vqa_eval": "graphs.vqa_eval",
    # what a loop needs
    "serve": "runtime.serving",
    # to write a loop of one's own
    "Event": "runtime.session",
    "Loop": "runtime.run",
    "RunConfig": "runtime.session",
    "RunFolder": "runtime.folder",
    "RunResult": "runtime.folder",
    "SearchTask": "graphs.search",
    "Session": "runtime.session",
    "Settings": "runtime.settings",
    "Store": "runtime.store",
    "Task": "runtime.folder",
    "open_chat": "runtime.llm",
    "option": "runtime.session",
    # what can go wrong
    "BadInput": "runtime.errors",
    "CallFailed": "runtime.errors",
    "InloopError": "runtime.errors",
    "Interrupted": "runtime.errors",
    "PrerequisiteError": "runtime.errors",
}
_MODULES = ("protocols", "records", "testing")

__all__ = [*_PLACES, *_MODULES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        value = getattr(importlib.import_module(f".{_PLACES[name]}", __name__), name)
    elif name in _MODULES:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
