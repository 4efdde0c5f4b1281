"""The state machine of OPT2I, compiled for tools that look at LangGraph graphs."""

from __future__ import annotations

from .search import build

__all__ = ["graph"]


graph = build().compile(name="opt2i")
