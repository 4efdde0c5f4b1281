"""Texts are embedded once a process, and come back bit by bit as they were."""

from inloop.runtime.fakes import ScriptedEmbedder
from inloop.tools.encoders.text_memory import TextMemory


class Roles(ScriptedEmbedder):
    async def texts(self, texts, *, role=None):
        return await super().texts([f"{role or ''}{text}" for text in texts])


async def test_a_text_is_embedded_once_and_comes_back_the_same():
    inner = Roles()
    memory = TextMemory(inner, most=2)
    first = await memory.texts(["a", "b", "a"])
    assert inner.asked == ["a", "b"] and first[0] == first[2] != first[1]
    again = await memory.texts(["b", "c"])
    assert inner.asked == ["a", "b", "c"]
    assert max(abs(x - y) for x, y in zip(again[0], first[1], strict=True)) < 1e-7, (
        "kept as float32, which is what embedders give"
    )
    await memory.texts(["c"])
    assert inner.asked == ["a", "b", "c", "c"], "no more than `most` are kept"
    await memory.texts(["a"], role="query")
    assert inner.asked[-1] == "querya", "a role makes another vector"
    assert (memory.model, memory.revision) == (inner.model, inner.revision)
