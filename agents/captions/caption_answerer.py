"""The answerer of questions about pictures it cannot see: from captions, tags, what is written, passages, and worked examples.

Several votes on one question are, with examples, prompts with different examples (the most similar first vote, the next ones the
second), each greedy; without examples, samples of one prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.errors import BadInput
from ...runtime.protocols import Chat
from ...runtime.records import Record, Reply
from ...tools.data import Shot
from .answer_prompt import PRESETS, PresetName, answering_messages
from .choices import meant_choice
from .replies import is_untold, short_answer

__all__ = ["CaptionAnswerer", "Vote"]

_TEMPERATURE = 0.7  # of votes without examples


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
        messages = answering_messages(self.preset, question, context, shots, choices=choices, candidates=candidates)
        sampled = number > 0 and not shots
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
