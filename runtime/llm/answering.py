"""One request until it has an answer: in the server's own dialect, and with room for what a model thinks before it answers.

The model: an answer's own tokens (`max_tokens` of the question), and beside them room for thinking, which is none at first. Where a
reply was cut off while or after it thought, it is asked for again with more room, up to a bound; what proved enough is the
beginning of the next request. Texts that end an answer (`stop`) would end the thinking too: where a model thinks, they are looked for
in the answer alone, and here.

Invariants: room is no part of the question, so the ledger's keys do not depend on it. A value holds answers alone; where no choice
is one, that is `Unusable` and never a value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..records import Cost
from ..transport import Dialect, Refused, Sender, Unusable, is_starved, kept
from .capabilities import Capabilities
from .probes import OPENED

__all__ = ["Answering"]

_FIRST_ROOM, _GROWTH = 1024, 4


class Answering:
    """Gets answers from the server behind `sender`.

    Args:
        thinking_tokens: the most tokens of thinking beside the answer's own; 0 for none.
    """

    def __init__(self, sender: Sender, *, thinking_tokens: int) -> None:
        self.dialect = Dialect()
        self._sender = sender
        self._most = thinking_tokens
        self._room = 0
        self._thinks = self._opened = False

    def learn(self, able: Capabilities) -> None:
        """Begin with what the probe found out."""
        self.dialect.refused |= able.refused
        self._opened = able.thinks.how == OPENED
        if able.thinks.state == "yes":
            self._thinks, self._room = True, max(self._room, min(_FIRST_ROOM, self._most))

    async def pay(
        self, body: dict[str, Any], on_text: Callable[[str], None] | None, *, call: str = ""
    ) -> tuple[dict[str, Any], Cost]:
        """The value for the ledger's `call` (its key), `{"choices": [...], "cost": {...}}`, and what all the requests for it cost.

        Raises:
            Unusable: no choice is an answer, also with the most room.
            Refused, PrerequisiteError, CallFailed: as `Sender.pay`.
        """
        stops = body.get("stop", ())
        if stops and not self._thinks:
            value, cost = await self._with_room(body, on_text, call)
            if not any(choice["thinking"] or is_starved(choice) for choice in value["choices"]):
                return self._kept([_ended(choice, stops) for choice in value["choices"]], cost, body["max_tokens"])
            spent = cost
        else:
            spent = Cost()
        body = {name: value for name, value in body.items() if name != "stop"}
        choices, cost, room = await self._finished(body, on_text, call)
        return self._kept([_ended(choice, stops) for choice in choices], spent + cost, body["max_tokens"] + room)

    async def _finished(
        self, body: dict[str, Any], on_text: Callable[[str], None] | None, call: str
    ) -> tuple[list[dict[str, Any]], Cost, int]:
        """The choices with as much room as they need, what that cost, and the room."""
        room = self._room
        try:
            value, spent = await self._with_room(body, on_text, call, room)
        except Refused:
            if not room:
                raise
            room = 0  # this prompt leaves no place for it in the server's context
            value, spent = await self._with_room(body, on_text, call)
        while any(map(is_starved, value["choices"])) and room < self._most:
            larger = min(max(_FIRST_ROOM, room * _GROWTH), self._most)
            try:
                value, cost = await self._with_room(body, on_text, call, larger)
            except Refused:
                break  # longer than the server's context: what came before is what there is
            room, spent = larger, spent + cost
            if not any(map(is_starved, value["choices"])):
                self._room = max(self._room, room)
        self._thinks |= any(choice["thinking"] for choice in value["choices"])
        return value["choices"], spent, room

    def _kept(self, choices: list[dict[str, Any]], cost: Cost, tokens: int) -> tuple[dict[str, Any], Cost]:
        """The value that holds the answers among the choices; `Unusable` where there is none."""
        answers = [kept(choice) for choice in choices if not choice["problem"]]
        if not answers:
            tried = f" with {tokens} tokens" if any(map(is_starved, choices)) else ""
            more = "; a larger INLOOP_THINKING_TOKENS leaves more room" * bool(tried)
            raise Unusable(f"{self._sender.where} gave no answer{tried}: {choices[0]['problem']}{more}")
        return {"choices": answers, "cost": cost.model_dump()}, cost

    async def _with_room(
        self, body: dict[str, Any], on_text: Callable[[str], None] | None, call: str, room: int = 0
    ) -> tuple[dict[str, Any], Cost]:
        """One request in the dialect of the server, which is learnt where it is not known."""
        asked = body | {"max_tokens": body["max_tokens"] + room}
        besides: set[str] = set()
        while True:
            sent = self.dialect.put(asked, besides)
            try:
                answered = await self._sender.pay(
                    sent, on_text, opened=self._opened, slower=1 + room / _FIRST_ROOM, call=call
                )
            except Refused as refusal:
                unknown = self.dialect.named(refusal, sent)
                if not unknown:
                    raise
                besides |= unknown
            else:
                self.dialect.refused |= besides
                return answered


def _ended(choice: dict[str, Any], stops: Sequence[str]) -> dict[str, Any]:
    """A choice that ends before the first of `stops`, as the server would have ended it."""
    text = choice["text"]
    end = min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))
    if end == len(text):
        return choice
    tokens, length = [], 0
    for token, logprob in choice["logprobs"]:
        if length >= end:
            break
        tokens.append((token, logprob))
        length += len(token)
    problem = choice["problem"] or ("" if text[:end].strip() else "the answer was empty")
    return choice | {"text": text[:end], "finish_reason": "stop", "logprobs": tokens, "problem": problem}
