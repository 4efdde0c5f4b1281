"""Which parameters of a request a server does not take: left out, or sent under the name that it takes them by.

Learnt from its refusals (400, 422) that name a parameter which was sent, and kept only where the request then went through. What the
probe saw refused is known from the start.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from .retries import Refused

__all__ = ["Dialect"]

_RENAMED = {"max_tokens": "max_completion_tokens"}  # OpenAI's newer models
_INSTEAD = {
    "temperature": "its own is used",
    "seed": "the same run gives other answers on an empty ledger",
    "stop": "answers are cut off here, and cost their whole length",
    "logprobs": "there are no token probabilities",
    "top_logprobs": "there are no probabilities of alternatives",
}
_OPTIONAL = (*_RENAMED, *_INSTEAD, "n")
_UNTAKEN = re.compile(
    r"un(?:recogni[sz]ed|known|supported|expected)|not (?:be )?(?:supported|permitted|allowed|accepted|implemented|recogni[sz]ed)"
    r"|does(?: not|n't) (?:support|accept|allow)|extra (?:inputs?|fields?)|only the default|deprecated|invalid (?:argument|parameter)",
    re.IGNORECASE,
)


class Dialect:
    """What one server takes; `refused` are the parameters that it does not."""

    def __init__(self, refused: Iterable[str] = ()) -> None:
        self.refused = set(refused)
        self._left_out: set[str] = set()

    def put(self, body: dict[str, Any], besides: Collection[str] = ()) -> dict[str, Any]:
        """The request without what is refused, and without `besides`."""
        refused = self.refused | set(besides)
        if "logprobs" in refused:
            refused.add("top_logprobs")
        if body.get("n", 1) != 1:
            refused.discard("n")  # what asks for several answers has a form of its own for servers that give one
        self._left_out |= refused & body.keys()
        said = {_RENAMED[name] if name in refused and name in _RENAMED else name: value for name, value in body.items()}
        return {name: value for name, value in said.items() if name not in refused}

    def named(self, refusal: Refused, body: dict[str, Any]) -> set[str]:
        """The parameters of `body` that a refusal says the server does not take; none where it is about something else."""
        if not _UNTAKEN.search(refusal.words):
            return set()
        names = {name for name in _OPTIONAL if name in body and (name != "n" or body["n"] == 1)}
        if refusal.parameter in names:
            return {refusal.parameter}
        words = refusal.words
        return {name for name in names if re.search(rf"\b{name}\b" if len(name) > 1 else rf"['\"`.]{name}\b", words)}

    def notes(self, model: str) -> list[str]:
        """What is done without, in words for a report."""
        return [
            f"the server of {model!r} refuses {name}: {instead}"
            for name, instead in _INSTEAD.items()
            if name in self.refused & self._left_out
        ]
