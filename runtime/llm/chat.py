"""Chat models behind any OpenAI-compatible server; every request goes through the call ledger.

The model: `OpenAIChat.complete` turns a question into requests, each of which is one `Call` in the ledger. A request
that is finished there is not sent again, and the server is first talked to when one has to be sent.

Invariants:
- Which requests a question becomes depends on the question and on what the server refuses or is known to ignore,
  never on timing: a second run asks the ledger for the same keys.
- What cannot pass (400, 401, 403, 404) is never tried again; what may, is (see `transport`).
- A server that gives fewer than n choices, or refuses n, gets single requests for the rest, with seed + i.
- What the user has to mend is a `PrerequisiteError`; one request without a usable answer is a `CallFailed`.
- Texts are answers: what a model thought before them is left out, and a reply without an answer is no value of the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel

from ..errors import BadInput, PrerequisiteError
from ..records import Cost, Message, Reply
from ..session import settled
from ..store import Call
from ..telemetry import span
from ..transport import OPENAI, Question, Refused, Sender, Unusable, fitting, split_thinking, unframed
from .abilities import Abilities
from .answering import Answering
from .capabilities import Capabilities

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["OpenAIChat"]


class OpenAIChat:
    """A chat model behind an OpenAI-compatible server (implements `protocols.Chat`).

    Args:
        sender: the way to the server, which also knows the model's name there.
        store: where requests are looked up and kept.
        revision: identifies the weights in the call ledger; without it the address and the name do.
        many: False says that the server gives one choice a request.
        small, tuned_to: see `protocols.Chat`.
        probe: tells (blocking, once, before the first request that has to be sent) what the server at a URL can do; what it would
            ignore is then not asked of it, and `notes` says so. Of several servers, what one would ignore is asked of none.
        thinking_tokens: the most tokens for what a model thinks before it answers, beside the answer's own.

    Use it as an async context manager, or call `aclose`.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        store: Store,
        revision: str = "",
        many: bool = True,
        small: bool = False,
        tuned_to: str = "",
        probe: Callable[[str], Capabilities] | None = None,
        thinking_tokens: int = 8192,
    ) -> None:
        self.sender = sender
        self._answering = Answering(sender, thinking_tokens=thinking_tokens)
        self.model = sender.model
        self.revision = revision or f"{sender.url}#{sender.model}"
        self.small = small
        self.tuned_to = tuned_to
        self._store = store
        self._abilities = None if probe is None else Abilities(sender.balancer, probe)
        self._notes: dict[str, None] = {}
        self._refused_n: int | None = None if many else 2
        self._refused_held: set[str] = set()

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        n: int = 1,
        seed: int | None = None,
        temperature: float = 1.0,
        max_tokens: int = 512,
        stop: Sequence[str] = (),
        schema: type[BaseModel] | None = None,
        logprobs: bool = False,
        top: int = 0,
        among: Sequence[str] = (),
        on_text: Callable[[str], None] | None = None,
    ) -> Reply:
        """Ask for `n` answers, and with `top` for the likeliest alternatives of each one's first token.

        With `among` a server that can be held to a choice answers with one of these texts; any other is asked without,
        and may say something else: the message has to name the texts too. With `schema` every text is JSON that fits it
        (checked here, also where the server promises it). Choices that do not fit, or are no answers, are left out. `on_text` gets the pieces
        of the first choice as they come (again from the start when a cut-off stream is asked again; in one piece when the
        reply was in the ledger). The same question with the same seed is one call: without a seed too, so ask with seeds
        where several different answers are wanted.

        Raises:
            BadInput: no message, n < 1, a negative temperature, `among` with a schema.
            PrerequisiteError: the server is down, refuses the key, or does not know the model.
            CallFailed: refused (400), still failing after all attempts, no choice is an answer (a refusal, a content filter, a tool
                call, nothing but thinking), or none fits the schema.
        """
        if not messages or not any(message.content.strip() or message.images for message in messages):
            raise BadInput(f"{list(messages)!r}: there is nothing to ask; give at least one message with a text")
        if among and (schema is not None or not all(among)):
            raise BadInput(f"among={list(among)!r}: give texts to choose among, and no schema beside them")
        if n < 1 or max_tokens < 1 or temperature < 0:
            raise BadInput(
                f"n={n!r}, max_tokens={max_tokens!r}, temperature={temperature!r} cannot be used:"
                " n and max_tokens must be at least 1, temperature at least 0"
            )
        asked = Question(
            messages=tuple(messages), seed=seed, temperature=float(temperature), max_tokens=max_tokens,
            stop=tuple(stop), schema=schema, logprobs=logprobs, top=top, among=tuple(among), on_text=on_text,
        )  # fmt: skip
        with span(
            "chat", model=self.model, n=n, seed=seed, temperature=asked.temperature, max_tokens=max_tokens
        ) as current:
            reply = self._reply(asked, n, await self._choices(asked, n))
            current.set(
                finish_reasons=reply.finish_reasons, cached=reply.cached,
                input_tokens=reply.cost.input_tokens, output_tokens=reply.cost.output_tokens,
            )  # fmt: skip
        return reply

    def _reply(self, asked: Question, n: int, got: Sequence[tuple[dict[str, Any], bool]]) -> Reply:
        """The reply that the ledger's values make up."""
        choices = [choice for value, _ in got for choice in value["choices"]][:n]
        if asked.schema is not None:
            choices = fitting(choices, asked.schema)
        return Reply(
            texts=tuple(choice["text"] for choice in choices),
            finish_reasons=tuple(choice["finish_reason"] for choice in choices),
            logprobs=tuple(tuple((token, value) for token, value in choice["logprobs"]) for choice in choices)
            if asked.logprobs
            else (),
            top=tuple(tuple((token, value) for token, value in choice.get("top", ())) for choice in choices)
            if asked.top
            else (),
            model=self.model,
            cost=sum((Cost.model_validate(value["cost"]) for value, cached in got if not cached), Cost()),
            cached=all(cached for _, cached in got),
        )

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self.sender.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _choices(self, asked: Question, n: int) -> list[tuple[dict[str, Any], bool]]:
        """The ledger's values that together hold n choices (or more, where a server does not count).

        Forms are tried from the best to what every server takes: n choices at once before single ones, the schema or
        the choice kept by the server before words alone. Which ones were refused is remembered, here and in the ledger.
        """
        natives = [False] if not asked.held or asked.held in self._refused_held else [True, False]
        counts = [1] if n == 1 or (self._refused_n is not None and n >= self._refused_n) else [n, 1]
        refusals: dict[tuple[int, bool], Refused] = {}
        for native in natives:
            for count in counts:
                try:
                    got = await self._form(asked, n, count=count, native=native)
                except Refused as refusal:
                    refusals[count, native] = refusal
                    continue
                if count < n and (n, native) in refusals:
                    self._refused_n = n
                if native != natives[0]:
                    self._refused_held.add(asked.held)
                for refused_count, refused_native in refusals:
                    for index in range(n if refused_count == 1 else 1):
                        await self._note_refusal(asked, n=refused_count, index=index, native=refused_native)
                return got
        raise next(iter(refusals.values()))

    async def _form(self, asked: Question, n: int, *, count: int, native: bool) -> list[tuple[dict[str, Any], bool]]:
        if count == 1:
            return await self._singles(asked, range(n), native=native)
        first = await self._request(asked, n=n, index=0, native=native)
        missing = range(len(first[0]["choices"]), n)
        return [first, *(await self._singles(asked, missing, native=native, needed=False))]

    async def _singles(
        self, asked: Question, places: range, *, native: bool, needed: bool = True
    ) -> list[tuple[dict[str, Any], bool]]:
        """One request a place; those without an answer are left out, where others have one or none is `needed`."""

        async def single(place: int) -> tuple[dict[str, Any], bool] | Unusable:
            try:
                return await self._request(asked, n=1, index=place, native=native)
            except Unusable as error:
                return error

        got = await settled([single(place) for place in places])
        answered = [each for each in got if not isinstance(each, Unusable)]
        if needed and not answered:
            raise next(each for each in got if isinstance(each, Unusable))
        return answered

    async def _request(self, asked: Question, *, n: int, index: int, native: bool) -> tuple[dict[str, Any], bool]:
        """One request through the ledger: {"choices": [...], "cost": {...}} and whether it was there already."""
        listener = asked.on_text if index == 0 else None

        call = self._call(asked, n=n, index=index, native=native)

        async def pay() -> tuple[dict[str, Any], Cost]:
            choice_by = await self._check_able(asked, n=n, native=native)
            body = asked.body(self.model, n=n, index=index, native=native, store=self._store, choice_by=choice_by)
            if self.sender.url == OPENAI:  # its newer models refuse the name that everyone else knows
                self._answering.dialect.refused.add("max_tokens")
            if not (asked.among and native):
                return await self._answering.pay(body, listener, call=call.key)
            value, cost = await self._answering.pay(body, None, call=call.key)
            if choice_by == "json_schema":
                value = unframed(value)
            if listener is not None:
                listener(value["choices"][0]["text"])
            return value, cost

        value, cached = await self._store.ledger.once(call, pay, usable=_answers)
        if cached and not value["choices"]:
            raise Refused("the server is known to refuse this form of request")
        value["choices"] = [choice | {"text": split_thinking(choice["text"]).answer} for choice in value["choices"]]
        if cached and listener is not None:
            listener(value["choices"][0]["text"])
        return value, cached

    async def _check_able(self, asked: Question, *, n: int, native: bool) -> str:
        """Refuse the form that the server is known not to keep, before it is sent; note what goes without.

        Returns how the server is told what to choose among.
        """
        able = None if self._abilities is None else await self._abilities.get()
        if able is None:
            return "structured_outputs" if asked.held == "choice with probabilities" else "json_schema"
        self._answering.learn(able)
        lacks = {feature for feature in ("n", "json_schema", "images", "seed", "logprobs") if not able.has(feature)}
        if "images" in lacks and any(message.images for message in asked.messages):
            raise PrerequisiteError(
                f"{self.model!r} at {' and '.join(self.sender.urls)} does not see pictures ({able.images.how or able.images.state})",
                remedy="serve a vision-language model, and check it with: inloop bench-llm URL",
            )
        asks = {"n": n > 1, "json_schema": native and asked.schema is not None}
        asks |= {"seed": asked.seed is not None, "logprobs": asked.logprobs or asked.top > 0}
        choice_by = able.choice_by(probabilities=asked.logprobs or asked.top > 0)
        if native and asked.among and not choice_by:
            asks["choice"] = True
            lacks.add("choice")
        wanted = {feature for feature, is_asked in asks.items() if is_asked}
        self._notes |= dict.fromkeys(able.notes(wanted & lacks))
        if asked.top and able.logprobs.state == "yes" and able.logprobs.how:
            self._notes[
                f"the server of {self.model!r} gives probabilities {able.logprobs.how}: none of alternatives"
            ] = None
        if kept := wanted & lacks & {"n", "json_schema", "choice"}:
            raise Refused(f"the server of {self.model!r} is known not to keep {' and '.join(sorted(kept))}")
        return choice_by

    @property
    def notes(self) -> list[str]:
        """What was done without because the server does not have it, in words for a report."""
        refused = self._answering.dialect.notes(self.model)
        differing = [] if self._abilities is None else self._abilities.notes
        return list(dict.fromkeys([*self._notes, *refused, *differing, *self.sender.balancer.notes]))

    @property
    def spread(self) -> Mapping[str, int]:
        """How many answers each of several servers gave; nothing where there is one."""
        return self.sender.spread

    async def _note_refusal(self, asked: Question, *, n: int, index: int, native: bool) -> None:
        """Note in the ledger that the server does not take this form, so that a second run need not ask.

        Only after a simpler form went through: a 400 for another reason is a failure and is not kept.
        """

        async def fact() -> tuple[dict[str, Any], Cost]:
            return {"choices": [], "cost": Cost().model_dump()}, Cost()

        await self._store.ledger.once(self._call(asked, n=n, index=index, native=native), fact)

    def _call(self, asked: Question, *, n: int, index: int, native: bool) -> Call:
        return Call(
            kind="llm",
            model=self.model,
            revision=self.revision,
            params=asked.params(n=n, index=index, native=native),
            inputs=[message.model_dump(mode="json") for message in asked.messages],
        )


def _answers(value: dict[str, Any]) -> bool:
    """Whether a stored value holds answers, as every one does that is stored now; a refusal that was noted has no choices."""
    return all(split_thinking(choice["text"]).answer.strip() for choice in value["choices"])
