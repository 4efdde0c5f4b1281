"""Fakes for tests of your own loops, evaluators and tools: they answer at once, always the same, and look at nothing.

Each takes a role as the real part does, counts what it was asked in `asked`, and says in its name that it is a fake.

    from inloop.testing import ScriptedChat

    chat = ScriptedChat(["a shorter text"])
"""

from .runtime.fakes import (
    ScriptedCaptioner,
    ScriptedChat,
    ScriptedDetector,
    ScriptedEditor,
    ScriptedEmbedder,
    ScriptedImages,
    ScriptedRewards,
    ScriptedSegmenter,
    ScriptedVQA,
)

__all__ = [
    "ScriptedCaptioner",
    "ScriptedChat",
    "ScriptedDetector",
    "ScriptedEditor",
    "ScriptedEmbedder",
    "ScriptedImages",
    "ScriptedRewards",
    "ScriptedSegmenter",
    "ScriptedVQA",
]
