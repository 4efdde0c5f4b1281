"""One trial for each feature of a server: a question whose answer shows whether the server did what was asked.

A feature is "yes"; "refused" (an error that says so); "ignored" (the answer is one that the feature would not have let
through: plain text where a schema was given, two different texts for one seed, the same words about a red and a blue
picture); or "unknown" (the answers do not tell). A model that thinks before it answers is found out first, and gets room for it in
every other trial: tokens that went into thinking say nothing about a feature.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..errors import PrerequisiteError
from ..http import Answer, ask, connection_remedy
from ..records import Record
from ..transport import THINKING, Dialect, Refused, parts_of, split_thinking

__all__ = [
    "FEATURES",
    "HELLO",
    "OPENED",
    "SLOW",
    "TIMEOUT",
    "TRIALS",
    "WITHOUT_TOP",
    "Asker",
    "Finding",
    "is_completion",
    "thinks",
]

State = Literal["yes", "no", "refused", "ignored", "unknown"]


class Finding(Record):
    """One feature: `how` names the form in which the server takes it, or says what it did instead."""

    state: State
    how: str = ""


TIMEOUT = 120.0
SLOW = "no answer in time"
HELLO = "Write one short sentence about the sea."
OPENED = "before a mark that ends it, without one that begins it"
WITHOUT_TOP = "without top_logprobs"
_ROOMS = (
    512,
    2048,
)  # tokens for a plain question and the thinking about it; the second only where the first cut it off
_NO_ANSWER = Finding(state="unknown", how="no answer came")
# words that no model writes by itself in answer to these questions
_WORDS = ("kumquat", "vuvuzela")


class Asker:
    """Sends the questions, and counts them. A server that is slow is a `TimeoutError`, one that breaks off a `PrerequisiteError`."""

    def __init__(self, url: str, model: str, key: str, *, timeout: float | None = None) -> None:
        self.url, self.model, self.key = url, model, key
        self.requests = 0
        self.room = 0  # tokens for thinking
        self.dialect = Dialect()
        self._timeout = TIMEOUT if timeout is None else timeout

    def chat(self, content: Any, *, max_tokens: int = 12, **options: Any) -> Answer:
        """One question; what every request holds, and no trial is about, is put as the server takes it."""
        asked = {"model": self.model, "messages": [{"role": "user", "content": content}], **options}
        sent = self.dialect.put(asked | {"max_tokens": max_tokens + self.room})
        answer = self.post("chat/completions", sent)
        if answer.status in (400, 422):
            untaken = self.dialect.named(Refused("", words=answer.said), sent) & {"max_tokens", "temperature"}
            if untaken:
                self.dialect.refused |= untaken
                return self.post("chat/completions", self.dialect.put(asked | {"max_tokens": max_tokens + self.room}))
        return answer

    def post(self, path: str, body: Any) -> Answer:
        self.requests += 1
        try:
            return ask(f"{self.url}/{path}", key=self.key, body=body, timeout=self._timeout)
        except OSError as error:
            if "timed out" in str(error):  # slow is not the same as unable
                raise TimeoutError(SLOW) from error
            raise PrerequisiteError(
                f"the server at {self.url!r} does not answer ({getattr(error, 'reason', error)})",
                remedy=connection_remedy(error) or "start the server, then try again",
            ) from error


def texts_of(answer: Answer) -> list[str]:
    """The answers of a chat completion without what was thought before them; none where it is no such thing."""
    try:
        return [
            split_thinking(parts_of(choice["message"].get("content"))[0]).answer for choice in answer.value["choices"]
        ]
    except (KeyError, TypeError, AttributeError):
        return []


def is_completion(answer: Answer) -> bool:
    """Whether it is a chat completion, be its text empty."""
    return bool(texts_of(answer))


def thinks(asker: Asker) -> Finding:
    """Whether a model thinks before it answers a plain question, and how its server tells; the asker then leaves room for it."""
    for room in _ROOMS:
        answer = asker.chat(HELLO, max_tokens=room)
        if refused := _refused(answer):
            return Finding(state="unknown", how=refused.how)
        try:
            choice = answer.value["choices"][0]
            message = dict(choice["message"])
        except (LookupError, TypeError, ValueError):
            return _NO_ANSWER
        text, thinking = parts_of(message.get("content"))
        thought = split_thinking(text)
        field = next((name for name in THINKING if message.get(name)), "its content" if thinking else "")
        if not field and not thought.thinking:
            if choice.get("finish_reason") == "length" and room < _ROOMS[-1]:
                continue  # the mark that ends thinking may be to come
            return Finding(state="no") if text.strip() else _NO_ANSWER
        asker.room = room
        if thought.answer.strip():
            return Finding(state="yes", how=f"in {field}" if field else "between marks" if thought.begun else OPENED)
    asker.room = _ROOMS[0]
    return Finding(state="yes", how=f"and came to no answer within {_ROOMS[-1]} tokens")


def _refused(answer: Answer) -> Finding | None:
    if answer.ok:
        return None
    if answer.status >= 500 and answer.status != 501:
        return Finding(state="refused", how=f"fails with {answer.status}: {answer.said[:120]}")
    return Finding(state="refused", how=f"{answer.status}: {answer.said[:120]}")


def _silent(*answers: Answer) -> bool:
    """Whether not one word was answered: nothing can be told from that."""
    return not any(text.strip() for answer in answers for text in texts_of(answer))


def _n(asker: Asker) -> Finding:
    answer = asker.chat(HELLO, n=3, temperature=1.0, seed=1)
    if refused := _refused(answer):
        return refused
    count = len(texts_of(answer))
    return Finding(state="yes") if count == 3 else Finding(state="ignored", how=f"gives {count} choices for n=3")


def _seed(asker: Asker) -> Finding:
    """The same seed twice gives one text, and others give others."""
    got = [asker.chat(HELLO, temperature=1.5, seed=seed) for seed in (11, 11, 12, 13, 14)]
    if refused := next((refusal for answer in got if (refusal := _refused(answer))), None):
        return refused
    if _silent(*got):
        return _NO_ANSWER
    texts = ["".join(texts_of(answer)) for answer in got]
    if texts[0] != texts[1]:
        return Finding(state="ignored", how="two texts for one seed")
    if len(set(texts)) == 1:
        return Finding(state="ignored", how="one text for all seeds")
    return Finding(state="yes")


def _logprobs(asker: Asker) -> Finding:
    answer = asker.chat(HELLO, logprobs=True, top_logprobs=5)
    if refused := _refused(answer):
        plain = asker.chat(HELLO, logprobs=True)
        return Finding(state="yes", how=WITHOUT_TOP) if _first_tokens(plain) else refused
    tokens = _first_tokens(answer)
    if not tokens:
        return Finding(state="ignored", how="gives none")
    if all(token.get("logprob") == 0 for token in tokens):
        return Finding(state="ignored", how="all are 0")
    return Finding(state="yes", how="" if tokens[0].get("top_logprobs") else WITHOUT_TOP)


def _first_tokens(answer: Answer) -> list[dict[str, Any]]:
    try:
        return [dict(token) for token in answer.value["choices"][0]["logprobs"]["content"]]
    except (KeyError, TypeError, ValueError, IndexError):
        return []


def _json_schema(asker: Asker) -> Finding:
    """The one JSON text that the schema lets through is not what the question asks for."""
    schema = {
        "type": "object",
        "properties": {_WORDS[0]: {"type": "string", "enum": [_WORDS[1]]}},
        "required": [_WORDS[0]],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "probe", "schema": schema, "strict": True}}
    answer = asker.chat(HELLO, response_format=wanted, max_tokens=60)
    if refused := _refused(answer):
        return refused
    if _silent(answer):
        return _NO_ANSWER
    text = "".join(texts_of(answer))
    try:
        if json.loads(text) == {_WORDS[0]: _WORDS[1]}:
            return Finding(state="yes")
    except ValueError:
        pass
    return Finding(state="ignored", how=f"answers {text[:60]!r}")


def _choice(asker: Asker) -> Finding:
    """VLLM's way of choosing among texts, under its present and its former name."""
    said = Finding(state="unknown")
    for how, extra in (
        ("structured_outputs", {"structured_outputs": {"choice": list(_WORDS)}}),
        ("guided_choice", {"guided_choice": list(_WORDS)}),
    ):
        answer = asker.chat(HELLO, **extra)
        if refused := _refused(answer):
            said = refused
        elif _silent(answer):
            said = _NO_ANSWER
        elif "".join(texts_of(answer)).strip() in _WORDS:
            return Finding(state="yes", how=how)
        else:
            said = Finding(state="ignored", how=f"answers {''.join(texts_of(answer))[:60]!r}")
    return said


def _tools(asker: Asker) -> Finding:
    """A tool whose call is demanded has to be called with arguments that fit."""
    function = {
        "name": "paint",
        "description": "Paint a picture.",
        "parameters": {
            "type": "object",
            "properties": {"colour": {"type": "string", "enum": ["red", "blue"]}},
            "required": ["colour"],
        },
    }
    answer = asker.chat(
        "Paint something red.",
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "paint"}},
        max_tokens=60,
    )
    if refused := _refused(answer):
        return refused
    try:
        call = answer.value["choices"][0]["message"]["tool_calls"][0]["function"]
        if call["name"] == "paint" and json.loads(call["arguments"])["colour"] in ("red", "blue"):
            return Finding(state="yes")
        return Finding(state="ignored", how=f"calls {str(call)[:80]}")
    except (KeyError, TypeError, IndexError, ValueError):
        return _NO_ANSWER if _silent(answer) else Finding(state="ignored", how="calls no tool although it must")


def _images(asker: Asker) -> Finding:
    """A red and a blue picture: seen where the colours are told, or where the answers differ in the pictures' favour."""
    texts, tokens = [], []
    for colour in ((220, 20, 20), (20, 20, 220)):
        answer = asker.chat(
            [
                {"type": "image_url", "image_url": {"url": _picture(colour)}},
                {"type": "text", "text": "Which colour is this picture? Answer with one word."},
            ],
            temperature=0.0,
        )
        if refused := _refused(answer):
            return refused
        if _silent(answer):
            return _NO_ANSWER
        texts.append("".join(texts_of(answer)).lower())
        usage = answer.value.get("usage") if isinstance(answer.value, dict) else None
        tokens.append((usage or {}).get("prompt_tokens"))
    if "red" in texts[0] and "blue" in texts[1]:
        return Finding(state="yes")
    plain = asker.chat("Which colour is this picture? Answer with one word.", temperature=0.0)
    bare = (plain.value.get("usage") or {}).get("prompt_tokens") if isinstance(plain.value, dict) else None
    if bare is not None and tokens[0] is not None and tokens[0] > bare + 3:
        return Finding(state="unknown", how=f"reads the picture, and says {texts[0][:30]!r} to red")
    return Finding(state="ignored", how=f"says {texts[0][:30]!r} to red and {texts[1][:30]!r} to blue")


def _picture(colour: tuple[int, int, int]) -> str:
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"


def _lora(asker: Asker) -> Finding:
    """Loading at run time: an incomplete request is refused as incomplete where the door is there at all."""
    answer = asker.post("load_lora_adapter", {"lora_name": "", "lora_path": ""})
    if answer.status in (400, 422):
        return Finding(state="yes", how="load_lora_adapter")
    if answer.ok:
        return Finding(state="ignored", how="says yes to an adapter without a name")
    return Finding(state="refused", how=f"{answer.status}: {answer.said[:80]}")


TRIALS: Mapping[str, Callable[[Asker], Finding]] = {
    "n": _n, "seed": _seed, "logprobs": _logprobs, "json_schema": _json_schema, "choice": _choice, "tools": _tools,
    "images": _images, "lora": _lora,
}  # fmt: skip
FEATURES = (*TRIALS, "thinks")
