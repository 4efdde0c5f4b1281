"""The answerer of questions about pictures it cannot see: from captions, tags, what is written, passages, and worked examples.

Several votes on one question are, with examples, prompts with different examples (the most similar first vote, the next ones the
second), each greedy; without examples, one greedy and samples of the same prompt.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from ...runtime.errors import BadInput, CallFailed
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

    async def votes(
        self,
        question: str,
        context: Sequence[str] | None,
        shots: Sequence[Sequence[Shot]] = (),
        *,
        count: int = 1,
        choices: Sequence[str] = (),
        candidates: Sequence[tuple[str, float]] = (),
        logprobs: bool = True,
    ) -> list[Vote | CallFailed]:
        """`count` votes, in their order; where one failed for good, its failure stands in its place.

        `context`: what is known, in its order; None leaves its place out (the blind baseline). `shots`: the examples of each vote, the most
        similar first, which are shown last; taken in turn. Without examples the first vote is greedy, and the others are samples of the same prompt,
        asked for at once.

        Raises:
            CallFailed: a failure that may pass by itself.
            PrerequisiteError: as `Chat.complete`; all votes end before one is raised.
        """

        async def asked(examples: Sequence[Shot], n: int, seed: int, temperature: float) -> list[Vote]:
            messages = answering_messages(
                self.preset, question, context, examples, choices=choices, candidates=candidates
            )
            # held to the choices where the server can be; probabilities of the JSON around a choice would mean nothing
            room = max(self.max_tokens, 24) if choices else self.max_tokens
            form: dict[str, Any] = {"among": tuple(choices)} if choices else {"stop": ("\n",), "logprobs": logprobs}
            reply = await self.chat.complete(messages, n=n, seed=seed, temperature=temperature, max_tokens=room, **form)
            return [self._vote(reply, place, choices) for place in range(len(reply.texts))]

        if shots:
            parts = [(1, asked(shots[number % len(shots)], 1, self.seed, 0.0)) for number in range(count)]
        else:
            parts = [(1, asked((), 1, self.seed, 0.0))]
            parts += [(count - 1, asked((), count - 1, self.seed + 1, _TEMPERATURE))] if count > 1 else []
        outcomes = await asyncio.gather(*(part for _, part in parts), return_exceptions=True)
        votes: list[Vote | CallFailed] = []
        for (wanted, _), outcome in zip(parts, outcomes, strict=True):
            if isinstance(outcome, CallFailed) and not outcome.retryable:
                votes += [outcome] * wanted
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                missing = CallFailed("the reply was no answer")
                votes += [*outcome, *[missing] * (wanted - len(outcome))]
        return votes

    def _vote(self, reply: Reply, place: int, choices: Sequence[str]) -> Vote:
        text = reply.texts[place]
        said = short_answer(text)
        if choices and (not is_untold(said) or said in (choice.lower() for choice in choices)):
            said = meant_choice(text, choices)
        return Vote(text=said, logprob=None if choices else _logprob(reply, place), raw=text)


def _logprob(reply: Reply, place: int) -> float | None:
    """The sum over the tokens of an answer, up to the end of its line; None where the server gives none."""
    if place >= len(reply.logprobs) or not reply.logprobs[place]:
        return None
    total, begun = 0.0, False
    for token, value in reply.logprobs[place]:
        if "\n" in token and begun:
            break
        begun = begun or bool(token.strip())
        total += value
    return total
