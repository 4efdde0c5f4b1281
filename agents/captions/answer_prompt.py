"""The words that the answerer of questions about pictures is sent: the published prompts of PICa, PromptCap and Prophet.

A preset also says what its paper did around them. Passages stand in the context, after what the picture shows: no published
prompt has a place of their own for them. Without examples a chat model is told, before the published words, to answer shortly; with
examples it sees that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ...prompts import load
from ...runtime.records import Message
from ...tools.data import Shot

__all__ = ["PRESETS", "Preset", "PresetName", "answering_messages", "written_there"]

PresetName = Literal["pica", "promptcap", "prophet"]

_PASSAGE = 400  # characters of a passage that are shown
_CANDIDATES = 10


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a paper did: its prompt, and its settings but for the numbers of examples and votes, whose price is the user's."""

    prompt: str
    caption: Literal["generic", "aware"]
    rule: Literal["max", "sum", "majority"]
    max_tokens: int = 10
    tags: bool = False
    candidates: bool = False


PRESETS: dict[PresetName, Preset] = {
    "pica": Preset(prompt="captions/kbvqa_context", caption="generic", rule="max", max_tokens=5, tags=True),
    "promptcap": Preset(prompt="captions/kbvqa_context", caption="aware", rule="max", max_tokens=20),
    "prophet": Preset(prompt="captions/kbvqa_candidates", caption="generic", rule="sum", max_tokens=8, candidates=True),
}
assert set(PRESETS) == set(get_args(PresetName))


def answering_messages(
    preset: Preset,
    question: str,
    context: Sequence[str] | None,
    shots: Sequence[Shot],
    *,
    choices: Sequence[str] = (),
    candidates: Sequence[tuple[str, float]] = (),
) -> list[Message]:
    """What the language model is sent. `context`: what is known, in its order; None leaves its place out (the blind baseline).

    `shots` are given the most similar first, and shown last.
    """
    with_candidates = preset.candidates and context is not None
    name = "captions/kbvqa_blind" if context is None else preset.prompt
    blocks = []
    for shot in reversed(shots):
        values = {"question": _asked(shot.question, shot.choices if choices else ()), "answer": shot.answer}
        if context is not None:
            values["context"] = _context([shot.caption, shot.tags, written_there(shot.ocr), *shot.known])
        if with_candidates:
            values["candidates"] = _candidates(shot.candidates)
        blocks.append(load(f"{name}_shot").render(**values))
    values = {"question": _asked(question, choices), "shots": "".join(_block(block, name) for block in blocks)}
    if context is not None:
        values["context"] = _context(context)
    if with_candidates:
        values["candidates"] = _candidates(candidates)
    messages = [Message(role="user", content=load(name).render(**values))]
    if not shots:  # nothing else tells a chat model how short an answer is
        messages.insert(0, Message(role="system", content=load("captions/kbvqa_short").render()))
    return messages


def written_there(text: str) -> str:
    """What the context says of the text in a picture; nothing where there is none."""
    return f"Text in the picture: {text}" if text else ""


def _asked(question: str, choices: Sequence[str]) -> str:
    return f"{question}\nChoices: {', '.join(choices)}" if choices else question


def _context(pieces: Sequence[str]) -> str:
    clean = [" ".join(piece.split())[:_PASSAGE] for piece in pieces if piece.strip()]
    return " ".join(piece if piece[-1] in ".!?" else f"{piece}." for piece in clean)


def _candidates(given: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{text}({sure:.2f})" for text, sure in given[:_CANDIDATES])


def _block(block: str, name: str) -> str:
    return block + ("\n\n" if name == "captions/kbvqa_candidates" else "\n")
