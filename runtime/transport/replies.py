"""What a server sent becomes choices: their answers, what was thought before them, and why one is no answer.

A choice is `{"text": ..., "finish_reason": ..., "logprobs": [[token, logprob], ...]}`, as it is kept in the ledger, and until then
`thinking` (a text) and `problem` (why it cannot be used, or ""). The log probabilities are those of the answer's tokens.
What is no chat completion, or a stream that ends before its choices do, is `Garbage`; an error that came with the
status 200 is `ServerError`: neither is ever an empty answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import CallFailed
from ..http import words_of
from ..text import whole
from .thinking import split_thinking

__all__ = [
    "THINKING",
    "Garbage",
    "NoStream",
    "ServerError",
    "Unusable",
    "from_completion",
    "from_stream",
    "is_starved",
    "kept",
    "parts_of",
]

THINKING = ("reasoning_content", "reasoning", "thinking")
"""The field of a message that holds its thinking, by the names that servers give it: DeepSeek, vLLM and OpenRouter, Ollama."""

_MAYBE_MARK = re.compile(
    r"(?:<[^>]{0,40}|\[/?[A-Z]{0,5}|◁[^▷]{0,8}|\A\s*(?:an?|ana|anal|analy|analys|analysi|analysis|th?|tho|thou|though?|thought))\Z"
)


class Garbage(Exception):
    """The answer was no chat completion."""


class ServerError(Exception):
    """An error that the server sent as an answer; `status` is the one that it names, 500 where it names none."""

    def __init__(self, value: Any) -> None:
        super().__init__(words_of(value))
        code = value.get("code") if isinstance(value, dict) else None
        self.status = int(code) if isinstance(code, int) and 400 <= code < 600 else 500


class Unusable(CallFailed):
    """A server answered, and not one choice of it is an answer."""


def from_completion(got: Any, *, opened: bool = False) -> dict[str, Any]:
    """The choices of a chat completion and its usage.

    `opened`: the model is known to begin inside of its thinking, so that what was cut off without a mark is no answer.

    Raises `Garbage` or `ServerError`.
    """
    choices = getattr(got, "choices", None)
    if not choices and (error := getattr(got, "error", None)):
        raise ServerError(error)
    if not isinstance(choices, list) or not choices:
        raise Garbage(f"{str(got)[:200]!r}")
    read = []
    for choice in choices:
        message = getattr(choice, "message", None)
        if message is None or not isinstance(message.content, str | list | None):
            raise Garbage(f"{str(choice)[:200]!r}")
        text, thinking = parts_of(message.content)
        logprobs = getattr(choice, "logprobs", None)
        entries = getattr(logprobs, "content", None) or []
        read.append(
            _choice(
                text, thinking or _first(message, THINKING), str(choice.finish_reason or ""), entries, opened=opened,
                refusal=_first(message, ("refusal",)), calls=_calls(message),
            )
        )  # fmt: skip
    return {"choices": read, "usage": _usage(getattr(got, "usage", None))}


class NoStream(Garbage):
    """What a server gives that was asked for a stream and answers in one piece."""


async def from_stream(stream: Any, n: int, on_text: Callable[[str], None], *, opened: bool = False) -> dict[str, Any]:
    """As `from_completion`, from the chunks of a stream; `on_text` gets the first choice's answer as it comes, never its thinking."""
    streamed: dict[int, _Streamed] = {}
    usage: dict[str, int] = {}
    async for chunk in stream:
        if error := getattr(chunk, "error", None):
            raise ServerError(error)
        usage = _usage(getattr(chunk, "usage", None)) or usage
        for choice in getattr(chunk, "choices", None) or []:
            piece = streamed.setdefault(int(choice.index), _Streamed(opened))
            piece.add(choice)
            if int(choice.index) == 0 and (new := piece.news()):
                on_text(new)
    if not streamed:
        raise NoStream("the stream held nothing")
    if not all(each.reason for each in streamed.values()):
        last = streamed[0].text if 0 in streamed else ""
        raise Garbage(f"the stream was cut off after {last[-80:]!r}")
    if 0 in streamed and (new := streamed[0].news(ended=True)):
        on_text(new)
    return {"choices": [streamed[place].choice() for place in sorted(streamed)][:n], "usage": usage}


class _Streamed:
    """One choice while its pieces come."""

    def __init__(self, opened: bool) -> None:
        self.text = self.reason = ""
        self._opened = opened
        self._thinking = self._refusal = self._calls = self._shown = ""
        self._entries: list[Any] = []

    def add(self, choice: Any) -> None:
        """Add what a chunk holds of it."""
        if choice.delta is not None:
            text, thinking = parts_of(getattr(choice.delta, "content", None))
            self.text += text
            self._thinking += thinking or _first(choice.delta, THINKING)
            self._refusal += _first(choice.delta, ("refusal",))
            self._calls = self._calls or _calls(choice.delta)
        self._entries += getattr(getattr(choice, "logprobs", None), "content", None) or []
        self.reason = str(choice.finish_reason or self.reason)

    def news(self, *, ended: bool = False) -> str:
        """What of the answer was not shown yet; the beginning of what may become a mark waits."""
        settled = self.text if ended else _MAYBE_MARK.sub("", self.text)
        answer, thinking, _ = split_thinking(settled)
        if self._opened and not thinking and not ended:
            return ""
        new = answer[len(self._shown) :] if answer.startswith(self._shown) else ""
        self._shown += new
        return new

    def choice(self) -> dict[str, Any]:
        """The whole of it."""
        return _choice(
            self.text,
            self._thinking,
            self.reason,
            self._entries,
            opened=self._opened,
            refusal=self._refusal,
            calls=self._calls,
        )


def is_starved(choice: dict[str, Any]) -> bool:
    """Whether more tokens may help: it was cut off while or after it thought, or before its first word."""
    return choice["finish_reason"] == "length" and bool(choice["thinking"] or not choice["text"].strip())


def kept(choice: dict[str, Any]) -> dict[str, Any]:
    """A choice as the ledger keeps it."""
    return {name: value for name, value in choice.items() if name not in ("thinking", "problem")}


def _choice(
    text: str, thinking: str, reason: str, entries: list[Any], *, opened: bool, refusal: str, calls: str
) -> dict[str, Any]:
    thought = split_thinking(text)
    answer, thinking = thought.answer, "\n".join(part for part in (thinking, thought.thinking) if part)
    if opened and reason == "length" and not thinking:
        answer, thinking = "", text
    if thinking:
        entries = _of_answer(entries, answer)
    choice: dict[str, Any] = {
        "text": answer, "finish_reason": reason, "logprobs": _tokens(entries), "thinking": thinking,
        "problem": _problem(answer, thinking, reason, refusal, calls),
    }  # fmt: skip
    first = next((entry for entry in entries if str(entry.token).strip()), None)  # some models begin with a line end
    top = _tokens(getattr(first, "top_logprobs", None) or [])
    return choice | ({"top": top} if top else {})


def _problem(answer: str, thinking: str, reason: str, refusal: str, calls: str) -> str:
    """Why a choice is no answer, in words; "" where it is one."""
    if refusal:
        return f"it refused: {refusal[:200]!r}"
    if reason == "content_filter":
        return "a content filter withheld the answer"
    if calls or reason in ("tool_calls", "function_call"):
        return f"it called a tool ({calls or 'of no name'}) instead of answering"
    if answer.strip():
        return ""
    if thinking:
        end = "was cut off at its most tokens before" if reason == "length" else "ended without"
        return f"it thought, and {end} an answer; the last of its thinking was {' '.join(thinking.split())[-80:]!r}"
    return "it was cut off before its first word" if reason == "length" else "the answer was empty"


def _of_answer(entries: list[Any], answer: str) -> list[Any]:
    """The tokens of the answer, which are the last ones; none where they cannot be told from those of the thinking."""
    wanted, seen = _unspaced(answer), ""
    for place in range(len(entries) - 1, -1, -1):
        seen = _unspaced(str(entries[place].token)) + seen
        if wanted and wanted in seen:
            return entries[place:]
    return []


def _unspaced(text: str) -> str:
    """Without blanks, also as vocabularies write them."""
    return re.sub(r"[\sĠĊ▁]+", "", text)


def parts_of(content: Any) -> tuple[str, str]:
    """Text and thinking of a message's content, which is a text or a list of parts."""
    if not isinstance(content, list):
        return whole(content or ""), ""
    texts: dict[bool, list[str]] = {True: [], False: []}
    for part in content:
        fields = part if isinstance(part, dict) else getattr(part, "__dict__", {})
        kind = str(fields.get("type", "text"))
        inner = next((fields[name] for name in ("text", "thinking", "reasoning", "content") if fields.get(name)), "")
        texts[kind in ("text", "output_text")].append(inner if isinstance(inner, str) else "".join(parts_of(inner)))
    return whole("".join(texts[True])), whole("".join(texts[False]))


def _first(message: Any, names: Iterable[str]) -> str:
    """The first of these fields that holds a text."""
    return whole(
        next((value for name in names if isinstance(value := getattr(message, name, None), str) and value), "")
    )


def _calls(message: Any) -> str:
    """The names of the tools that a message calls."""
    calls = [getattr(call, "function", None) for call in getattr(message, "tool_calls", None) or []]
    calls.append(getattr(message, "function_call", None))
    return ", ".join(str(getattr(call, "name", None) or "?") for call in calls if call is not None)


def _tokens(entries: Iterable[Any]) -> list[tuple[str, float]]:
    return [(whole(str(entry.token)), float(entry.logprob)) for entry in entries]


def _usage(usage: Any) -> dict[str, int]:
    counts = {name: getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")}
    return {name: value for name, value in counts.items() if isinstance(value, int)}
