"""One request until it has an answer: in the server's own dialect, and with room for what a model thinks before it answers.

The model: an answer's own tokens (`max_tokens` of the question), and beside them room for thinking, which is none at first. Where a
reply was cut off while or after it thought, it is asked for again with more room, up to a bound; what proved enough is the
beginning of the next request.

Invariants: room is no part of the question, so the ledger's keys do not depend on it. A value holds answers alone; where no choice
is one, that is `Unusable` and never a value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..records import Cost
from .dialect import Dialect
from .replies import Unusable, is_starved, kept
from .retries import Refused
from .transport import Sender

__all__ = ["Answering"]

_FIRST_ROOM, _GROWTH = 1024, 4


class Answering:
    """Gets answers from the server behind `sender`.

    Args:
        thinking_tokens: the most tokens of thinking beside the answer's own; 0 for none.
    """

    def __init__(self, sender: Sender, *, thinking_tokens: int) -> None:
        self.dialect = Dialect()
        self.opened = False
        self._sender = sender
        self._most = thinking_tokens
        self._room = 0

    async def pay(self, body: dict[str, Any], on_text: Callable[[str], None] | None) -> tuple[dict[str, Any], Cost]:
        """The value for the ledger, `{"choices": [...], "cost": {...}}`, and what all the requests for it cost.

        Raises:
            Unusable: no choice is an answer, also with the most room.
            Refused, PrerequisiteError, CallFailed: as `Sender.pay`.
        """
        room, spent = self._room, Cost()
        value, cost = await self._with_room(body, on_text, room)
        spent += cost
        while any(map(is_starved, value["choices"])) and room < self._most:
            room = min(max(_FIRST_ROOM, room * _GROWTH), self._most)
            try:
                value, cost = await self._with_room(body, on_text, room)
            except Refused:
                break  # longer than the server's context: what came before is what there is
            spent += cost
            if not any(map(is_starved, value["choices"])):
                self._room = max(self._room, room)
        answers = [kept(choice) for choice in value["choices"] if not choice["problem"]]
        if not answers:
            tried = f" with {body['max_tokens'] + room} tokens" if any(map(is_starved, value["choices"])) else ""
            more = "; a larger INLOOP_THINKING_TOKENS leaves more room" * bool(tried)
            raise Unusable(f"{self._sender.where} gave no answer{tried}: {value['choices'][0]['problem']}{more}")
        return {"choices": answers, "cost": spent.model_dump()}, spent

    async def _with_room(
        self, body: dict[str, Any], on_text: Callable[[str], None] | None, room: int
    ) -> tuple[dict[str, Any], Cost]:
        """One request in the dialect of the server, which is learnt where it is not known."""
        asked = body | {"max_tokens": body["max_tokens"] + room}
        besides: set[str] = set()
        while True:
            sent = self.dialect.put(asked, besides)
            try:
                answered = await self._sender.pay(sent, on_text, opened=self.opened, slower=1 + room / _FIRST_ROOM)
            except Refused as refusal:
                unknown = self.dialect.named(refusal, sent)
                if not unknown:
                    raise
                besides |= unknown
            else:
                self.dialect.refused |= besides
                return answered
