"""The answerer of questions about pictures it cannot see: from captions, tags, what is written, passages, and worked examples.

The prompts are those published with PICa, PromptCap and Prophet; a preset also says what its paper did around them. Passages
stand in the context, after what the picture shows: no published prompt has a place of their own for them.

Without examples a chat model is told, before the published words, to answer shortly; with examples it sees that.

Several votes on one question are, with examples, prompts with different examples (the most similar first vote, the next ones the
second), each greedy; without examples, samples of one prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from ...prompts import load
from ...runtime.errors import BadInput
from ...runtime.protocols import Chat
from ...runtime.records import Message, Record, Reply
from ...tools.data import Shot
from .choices import meant_choice
from .replies import is_untold, short_answer

__all__ = [
    "PRESETS",
    "CaptionAnswerer",
    "Preset",
    "PresetName",
    "Vote",
    "written_there",
]

PresetName = Literal["pica", "promptcap", "prophet"]

_TEMPERATURE = 0.7  # of votes without examples
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


class Vote(Record):
    """One answer. `logprob`: the sum over its tokens, None where the server gives none. `raw`: the whole reply."""

    text: str
    logprob: float | None = None
    raw: str = ""


class CaptionAnswerer:
    """Answers with `chat` in the words of `preset`. `max_tokens` of an answer; default: the preset's."""

    def __init__(self, chat: Chat, preset: PresetName, *, max_tokens: int | None = None, seed: int = 0) -> None:
        if preset not in PRESETS:
            raise BadInput(f"there is no preset {preset!r}: take one of {', '.join(PRESETS)}.")
        self.chat, self.preset, self.seed = chat, PRESETS[preset], seed
        self.max_tokens = max_tokens or self.preset.max_tokens

    @property
    def name(self) -> str:
        """What the report says."""
        return self.chat.model

    async def vote(
        self,
        question: str,
        context: Sequence[str] | None,
        shots: Sequence[Shot],
        *,
        number: int = 0,
        choices: Sequence[str] = (),
        candidates: Sequence[tuple[str, float]] = (),
        logprobs: bool = True,
    ) -> Vote:
        """The vote `number`. `context`: what is known, in its order; None leaves its place out (the blind baseline).

        `shots` are given the most similar first, and shown last.

        Raises:
            CallFailed: the chat model failed.
        """
        text = self.prompt(question, context, shots, choices=choices, candidates=candidates)
        sampled = number > 0 and not shots
        messages = [Message(role="user", content=text)]
        if not shots:  # nothing else tells a chat model how short an answer is
            messages.insert(0, Message(role="system", content=load("captions/kbvqa_short").render()))
        temperature, seed = (_TEMPERATURE if sampled else 0.0), self.seed + (number if sampled else 0)
        if choices:
            # held to the choices where the server can be; probabilities of the JSON around a choice would mean nothing
            reply = await self.chat.complete(
                messages, seed=seed, temperature=temperature, max_tokens=max(self.max_tokens, 24), among=tuple(choices)
            )
        else:
            reply = await self.chat.complete(
                messages,
                seed=seed,
                temperature=temperature,
                max_tokens=self.max_tokens,
                stop=("\n",),
                logprobs=logprobs,
            )
        said = short_answer(reply.text)
        if choices and (not is_untold(said) or said in (choice.lower() for choice in choices)):
            said = meant_choice(reply.text, choices)
        return Vote(text=said, logprob=None if choices else _logprob(reply), raw=reply.text)

    def prompt(
        self,
        question: str,
        context: Sequence[str] | None,
        shots: Sequence[Shot],
        *,
        choices: Sequence[str] = (),
        candidates: Sequence[tuple[str, float]] = (),
    ) -> str:
        """The words that the language model is sent."""
        with_candidates = self.preset.candidates and context is not None
        name = "captions/kbvqa_blind" if context is None else self.preset.prompt
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
        return load(name).render(**values)


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


def _logprob(reply: Reply) -> float | None:
    """The sum over the answer's tokens, up to the end of its line; None where the server gives none."""
    if not reply.logprobs or not reply.logprobs[0]:
        return None
    total, begun = 0.0, False
    for token, value in reply.logprobs[0]:
        if "\n" in token and begun:
            break
        begun = begun or bool(token.strip())
        total += value
    return total
