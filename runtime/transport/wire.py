"""The chat completions format of OpenAI-compatible servers: questions become requests, and what the answers cost.

What came back is read in `replies`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from ..errors import CallFailed
from ..records import BlobRef, Cost, Message
from .parsing import json_from

if TYPE_CHECKING:
    from ..store import Store

__all__ = ["Question", "cost_of", "estimate", "fitting", "image_part", "unframed"]

_CHOICE = "answer"
_CHOICE_FRAME = 16  # tokens of the JSON around a choice


@dataclass(frozen=True, kw_only=True)
class Question:
    """What `complete` was asked, as requests of different forms."""

    messages: tuple[Message, ...]
    seed: int | None
    temperature: float
    max_tokens: int
    stop: tuple[str, ...] = ()
    schema: type[BaseModel] | None = None
    logprobs: bool = False
    top: int = 0
    among: tuple[str, ...] = ()
    on_text: Callable[[str], None] | None = None

    @cached_property
    def json_schema(self) -> dict[str, Any] | None:
        """The schema in the words of JSON Schema."""
        return None if self.schema is None else self.schema.model_json_schema()

    @property
    def held(self) -> str:
        """What the server can be held to: "schema", or "choice" with or without token probabilities; "" for nothing."""
        if self.schema is not None:
            return "schema"
        return "" if not self.among else "choice with probabilities" if self.logprobs or self.top else "choice"

    def params(self, *, n: int, index: int, native: bool) -> dict[str, Any]:
        """What the answer depends on beside model and messages. `sample` tells answers without a seed apart."""
        return {
            "n": n,
            "seed": None if self.seed is None else self.seed + index,
            "sample": index if self.seed is None else 0,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop),
            "schema": self.json_schema,
            "schema_by": None if self.json_schema is None else "server" if native else "prompt",
            "logprobs": self.logprobs,
            **({"top": self.top} if self.top else {}),
            **({"among": list(self.among), "among_by": "server" if native else "prompt"} if self.among else {}),
        }

    def body(
        self, model: str, *, n: int, index: int, native: bool, store: Store, choice_by: str = "json_schema"
    ) -> dict[str, Any]:
        """The request as the server gets it; `choice_by`: the form in which it takes the texts to choose among."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [_wire(message, store) for message in self.messages],
            "n": n,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }
        if self.seed is not None:
            body["seed"] = self.seed + index
        if self.stop:
            body["stop"] = list(self.stop)
        if self.logprobs:
            body["logprobs"] = True
        if self.top:
            body |= {"logprobs": True, "top_logprobs": self.top}
        if self.schema is not None and native:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": self.schema.__name__, "schema": self.json_schema},
            }
        elif self.among and native and choice_by == "json_schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "choice", "strict": True, "schema": _choice_schema(self.among)},
            }
            body["max_tokens"] += _CHOICE_FRAME
        elif self.among and native:
            texts = list(self.among)
            by = {"guided_choice": texts} if choice_by == "guided_choice" else {"structured_outputs": {"choice": texts}}
            body["extra_body"] = by
        elif self.schema is not None:
            wanted = json.dumps(self.json_schema, ensure_ascii=False)
            hint = {"type": "text", "text": f"Answer with JSON only, of this JSON schema: {wanted}"}
            last = body["messages"][-1]
            if isinstance(last["content"], str):
                last["content"] = f"{last['content']}\n\n{hint['text']}"
            else:
                last["content"] = [*last["content"], hint]
        return body


def _choice_schema(among: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {_CHOICE: {"type": "string", "enum": list(among)}},
        "required": [_CHOICE],
        "additionalProperties": False,
    }


def unframed(value: dict[str, Any]) -> dict[str, Any]:
    """The same choices where the schema of a choice framed them: the text that was chosen, where one was."""
    for choice in value["choices"]:
        try:
            choice["text"] = str(json_from(choice["text"])[_CHOICE])
        except (CallFailed, KeyError, TypeError):
            continue  # the server did not keep the schema: the text stays as it is
    return value


def _wire(message: Message, store: Store) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    parts = [image_part(ref, store) for ref in message.images]
    return {"role": message.role, "content": [*parts, {"type": "text", "text": message.content}]}


def image_part(ref: BlobRef, store: Store) -> dict[str, Any]:
    """A picture as a part of a message."""
    data = base64.b64encode(store.blobs.get(ref)).decode("ascii")
    return {"type": "image_url", "image_url": {"url": f"data:{ref.media_type};base64,{data}"}}


def _text_of(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def estimate(text: str) -> int:
    """Tokens of a text, roughly: four bytes each, as in English."""
    return -(-len(text.encode("utf-8")) // 4)


def cost_of(body: dict[str, Any], value: dict[str, Any], seconds: float, *, money: float | None) -> Cost:
    """Tokens as the server counts them, where it counts at all and counts all choices; else an estimate."""
    usage = value.pop("usage")
    choices = value["choices"]
    estimates = [
        estimate(choice["thinking"]) + (len(choice["logprobs"]) or estimate(choice["text"])) for choice in choices
    ]
    output = usage.get("completion_tokens")
    if output is None or (len(choices) > 1 and output < 0.6 * sum(estimates)):
        output = max(sum(estimates), output or 0)  # some servers count the first choice only
    given = usage.get("prompt_tokens")
    if given is None:
        given = sum(estimate(_text_of(message)) for message in body["messages"])
    return Cost(
        calls=1,
        input_tokens=int(given),
        output_tokens=int(output),
        seconds=seconds,
        money=money,
    )


def fitting(choices: list[dict[str, Any]], schema: type[BaseModel]) -> list[dict[str, Any]]:
    """The choices that fit the schema, their texts as plain JSON."""
    fitting, problems = [], []
    for choice in choices:
        try:
            value = schema.model_validate(json_from(choice["text"]))
        except CallFailed as error:
            problems.append(str(error))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(step) for step in first["loc"])
            problems.append(f"{place}: {first['msg']}; the reply was {choice['text'][:200]!r}")
        else:
            fitting.append({**choice, "text": value.model_dump_json()})
    if not fitting:
        texts = [choice["text"] for choice in choices]
        raise CallFailed(f"no reply fits the schema {schema.__name__}: {problems[0]}", texts=texts)
    return fitting
