"""The rewriter: new wordings of a prompt from what was tried and how it scored (OPT2I, arXiv 2403.17804, section 3).

What the model is shown follows the paper: the best tries in ascending order, integer scores from 0 to 100, and the
score of each question or noun phrase. What it answers is read tolerantly; copies of what was tried and repetitions are
dropped and named. A reply without one usable text is an empty proposal, not an error: the loop decides what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from pydantic import Field

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import BlobRef, Message, Record
from ...runtime.transport import numbered_from, tags_from

__all__ = ["Guidance", "Proposals", "Rewriter", "Shown", "Style"]

Style = Literal["paper", "mini"]
Guidance = Literal["concise", "prioritize", "reason", "structure"]
"""The meta-prompts of the paper's ablation (Prompt 5), each with what those before it say."""

_MINI_TRIED, _MINI_WRONG = 3, 2
_TEMPERATURE = {"paper": 1.0, "mini": 0.7}
_LABELS = {
    "dsg": "evaluation questions:",
    "dcs": "visual elements:",
    "both": "evaluation questions and visual elements:",
}
# what the templates show as an example, and what weak models give back as it stands
_ECHOES = re.compile(
    r"(first|second|third|another|your)?\s*(new )?(paraphrase|prompt|revision)s?\s*\d*\.?", re.IGNORECASE
)
_SMALL = frozenset({"the", "and", "with", "that", "this", "for", "are", "its", "one"})
_LONGEST = 1000


class Shown(Record):
    """One try as the model sees it: scores are integers from 0 to 100; `parts` are (question or phrase, score).

    `pictures` of it are shown to a model that sees.
    """

    text: str
    score: int = Field(ge=0, le=100)
    parts: tuple[tuple[str, int], ...] = ()
    pictures: tuple[BlobRef, ...] = ()


class Proposals(Record):
    """At most `n` new texts, the replies as they were, and (text, reason) of what was dropped."""

    texts: tuple[str, ...]
    raw: tuple[str, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()

    @property
    def why_none(self) -> str:
        """What came back in place of a new text, in words; "" where there is one."""
        if self.texts:
            return ""
        if self.dropped:
            text, reason = self.dropped[0]
            return f"of {len(self.dropped)} that came back none can be used: {text[:80]!r} ({reason}), ..."
        return f"the reply holds none: {' '.join(self.raw[-1].split())[:160]!r}"


class Rewriter:
    """Writes candidates with `chat`.

    Args:
        style: "paper" for general models (`prompts/opt2i/`), "mini" for mini-writer (`prompts/opt2i/mini_rewrite.md`).
        guidance: what the meta-prompts of "paper" ask for. "concise": short paraphrases; "prioritize" (the paper's choice): first what
            scored low; "reason", "structure": that, with reasons before each, or in simple words with foreground and background.
        top: how many of the best tries are shown (the paper's k = 5; mini-writer knows 3 at most).
        temperature: the paper's 1.0 (appendix B.5) by default; of "mini" 0.7, at which fewer of its rewrites lose the
            meaning: of 24 held-out prompts 7 % and not 17 %.
        attempts: the most calls for one proposal; another follows, with another seed, while texts are missing.
    """

    def __init__(
        self,
        chat: Chat,
        style: Style = "paper",
        *,
        guidance: Guidance = "prioritize",
        top: int = 5,
        temperature: float | None = None,
        attempts: int = 2,
    ) -> None:
        if style not in ("paper", "mini"):
            raise BadInput(f"style {style!r} is unknown: give 'paper' or 'mini'.")
        if guidance not in get_args(Guidance):
            raise BadInput(f"guidance {guidance!r} is unknown: give {', '.join(get_args(Guidance))}.")
        if top < 1 or attempts < 1:
            raise BadInput(f"top={top!r} and attempts={attempts!r} must be 1 or more.")
        self.chat = chat
        self.style, self.guidance = style, guidance
        self.top = min(top, _MINI_TRIED) if style == "mini" else top
        self.temperature = temperature if temperature is not None else _TEMPERATURE[style]
        self.attempts = attempts

    async def propose(
        self,
        *,
        text: str,
        history: Sequence[Shown],
        n: int,
        seed: int,
        objective: str = "dsg",
        on_text: Callable[[str], None] | None = None,
    ) -> Proposals:
        """Up to `n` new wordings of the user's `text`, none of which is in `history`.

        `objective`: "dsg" or "dcs"; "both" shows questions and noun phrases, any other score its parts, with the meta-prompt for DSG.
        `on_text` is told of each wording between tags as soon as its closing tag has come, in the order of `texts`. What it was told of a
        stream that breaks and is asked again may not be among them.

        Raises:
            CallFailed: the chat model failed, with every seed that it was asked with.
        """
        _check(text, n)
        best = sorted(history, key=lambda shown: shown.score)[-self.top :]
        return await self._ask(
            lambda count: self._messages(text, best, count, objective), text, history, n, seed, on_text
        )

    async def cross(
        self, *, text: str, pair: tuple[Shown, Shown], n: int, seed: int, objective: str = "dsg"
    ) -> Proposals:
        """Up to `n` wordings that join what two tries do well: crossover (EvoPrompt, arXiv 2309.08532, with the scores of the parts).

        Raises:
            BadInput: the style is "mini", which knows no such task.
            CallFailed: the chat model failed, with every seed that it was asked with.
        """
        _check(text, n)
        if self.style == "mini":
            raise BadInput(
                "mini-writer was not taught to join two prompts: choose another language model, or no crossover."
            )
        prompt, tries = load("opt2i/cross"), _tries(pair, objective)
        return await self._ask(
            lambda count: _as_messages(prompt.messages(prompt=_line(text), history=tries, n=count)), text, pair, n, seed
        )

    async def paraphrase(self, text: str, n: int, seed: int) -> Proposals:
        """Up to `n` wordings of `text` without any feedback: the blind baseline of the paper's table 1."""
        _check(text, n)
        if self.style == "mini":
            return await self._ask(lambda count: self._messages(text, [], count, "dsg"), text, (), n, seed)
        prompt = load("opt2i/paraphrase")
        return await self._ask(lambda count: _as_messages(prompt.messages(prompt=text, n=count)), text, (), n, seed)

    def _messages(self, text: str, best: Sequence[Shown], n: int, objective: str) -> list[Message]:
        if self.style == "mini":
            tried = "".join(f"{shown.score} {_line(shown.text)}\n" for shown in best)
            # the parts of the best try: what is still wrong where the next one starts from
            parts = sorted(best[-1].parts, key=lambda part: part[1]) if best else []
            wrong = " ".join(name for name, score in parts[:_MINI_WRONG] if score < 100)
            return _as_messages(
                load("opt2i/mini_rewrite").messages(
                    prompt=_line(text),
                    tried=f"Tried:\n{tried}" if tried else "",
                    wrong=f"Wrong: {wrong}\n" if wrong else "",
                    n=n,
                )
            )
        kind = "dcs" if objective == "dcs" else "dsg"
        prompt = load(f"opt2i/rewrite_{kind}")
        guides = [] if self.guidance == "concise" else [kind]
        guides += [self.guidance] if self.guidance in ("reason", "structure") else []
        guidance = "".join(f" {load(f'opt2i/guide_{guide}').render()}" for guide in guides)
        pictures = tuple(picture for shown in best for picture in shown.pictures)
        if pictures:
            guidance += " " + load("opt2i/guide_pictures").render(each=max(len(shown.pictures) for shown in best))
        messages = _as_messages(
            prompt.messages(prompt=_line(text), history=_tries(best, objective), guidance=guidance, n=n)
        )
        return [*messages[:-1], messages[-1].model_copy(update={"images": pictures})]

    async def _ask(
        self,
        messages: Callable[[int], list[Message]],
        text: str,
        history: Sequence[Shown],
        n: int,
        seed: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Proposals:
        kept: list[str] = []
        raw: list[str] = []
        dropped: list[tuple[str, str]] = []
        failure: CallFailed | None = None
        seen = {_folded(shown.text): "tried before" for shown in history} | {_folded(text): "the user's own text"}
        for attempt in range(self.attempts):
            asked = messages(n - len(kept))
            # a reply is a few lines a text; the rest is room for a model that talks
            reasons = 80 if self.guidance == "reason" else 0
            room = 48 + (n - len(kept)) * (max(48, 2 * len(text.split()) + 24) + reasons)
            closed = None if on_text is None else _Closed(text, set(seen), n - len(kept), on_text)
            try:
                reply = await self.chat.complete(
                    asked,
                    seed=seed + 1_000_003 * attempt,
                    temperature=self.temperature,
                    max_tokens=min(room, 2048),
                    on_text=None if closed is None else closed.more,
                )
            except CallFailed as error:
                if error.retryable:
                    raise
                failure = error  # another seed may be answered
                continue
            raw.append(reply.text)
            found, tagged = parse_proposals(reply.text)
            whole = parse_proposals(_up_to_the_last_close(reply.text))[0] if tagged else []
            if found and "length" in reply.finish_reasons and len(whole) < len(found):
                dropped.append((found.pop(), "cut off at the token limit"))
            for candidate in found:
                reason = _unfit(candidate, text, tagged) or seen.get(_folded(candidate))
                if reason is None and len(kept) == n:
                    reason = f"more than the {n} asked for"
                if reason is None:
                    kept.append(candidate)
                    seen[_folded(candidate)] = "repeated"
                else:
                    dropped.append((candidate, reason))
            if len(kept) == n:
                break
        if failure is not None and not raw:
            raise failure
        return Proposals(texts=tuple(kept), raw=tuple(raw), dropped=tuple(dropped))


class _Closed:
    """Tells of the texts of a reply whose closing tag has come, while the reply is being written: those that will be kept."""

    def __init__(self, text: str, seen: set[str], room: int, tell: Callable[[str], None]) -> None:
        self._text, self._seen, self._room, self._tell = text, seen, room, tell
        self._reply = ""
        self._told = 0

    def more(self, piece: str) -> None:
        """A further piece of the reply."""
        self._reply += piece
        found, tagged = parse_proposals(_up_to_the_last_close(self._reply))
        for candidate in found[self._told :]:
            fits = tagged and _unfit(candidate, self._text, tagged) is None and _folded(candidate) not in self._seen
            if fits and self._room:
                self._seen.add(_folded(candidate))
                self._room -= 1
                self._tell(candidate)
        self._told = len(found)


def _up_to_the_last_close(reply: str) -> str:
    """A reply up to its last closing tag; "" where none has come."""
    ends = [match.end() for match in re.finditer(r"[<\[]\s*/\s*prompt\s*[>\]]", reply, re.IGNORECASE)]
    return reply[: ends[-1]] if ends else ""


def parse_proposals(reply: str) -> tuple[list[str], bool]:
    """The texts in a reply, in order, and whether they stood between `<PROMPT>` tags; else a numbered list is read."""
    found = tags_from(re.sub(r"\[(/?)\s*prompt\s*\]", r"<\1PROMPT>", reply, flags=re.IGNORECASE), "PROMPT")
    tagged = bool(found)
    if not tagged:
        try:
            found = [row[0] for _, row in sorted(numbered_from(reply).items())]
        except CallFailed:
            return [], False
    return [clean for text in found if (clean := _clean(text))], tagged


def _clean(text: str) -> str:
    # a closing tag in the wrong place leaves the number of the next line behind
    text = re.sub(r"\s+\d{1,2}[.)]\s*$", "", " ".join(text.split()))
    text = re.sub(r"^\d{1,2}[.)]\s+", "", text)
    for quote in ('"', "'", "“”", "**", "`"):
        opening, closing = (quote, quote) if quote != "“”" else ("“", "”")
        if len(text) > 2 * len(opening) and text.startswith(opening) and text.endswith(closing):
            text = text[len(opening) : -len(closing)].strip()
    return text


def _unfit(text: str, prompt: str, tagged: bool) -> str | None:
    if _ECHOES.fullmatch(text) or ("paraphrase" in text.lower() and "paraphrase" not in prompt.lower()):
        return "about the task, not the picture"
    if len(text) > _LONGEST:
        return f"longer than {_LONGEST} characters"
    if re.search(r"</?\s*prompt", text, re.IGNORECASE):
        return "a tag inside of a tag"
    if not tagged and not _content(text) & _content(prompt):
        return "without tags, and without a word of the prompt"
    return None


def _tries(shown: Sequence[Shown], objective: str) -> str:
    """The tries as the model sees them, each with its score and those of its parts."""
    label = _LABELS.get(objective, "parts:")
    blocks = []
    for place, each in enumerate(shown, start=1):
        lines = [f"{place}. {_line(each.text)}", f"overall score: {each.score}"]
        if each.parts:
            lines += [label, *(f"{name} {score}" for name, score in each.parts)]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) or "(none yet)"


def _content(text: str) -> set[str]:
    return {word for word in re.findall(r"\w+", text.lower()) if len(word) > 2 and word not in _SMALL}


def _folded(text: str) -> str:
    """Equal for texts that differ in case, blanks and the full stop at the end only."""
    return " ".join(text.casefold().split()).rstrip(" .!")


def _line(text: str) -> str:
    return " ".join(text.split())


def _check(text: str, n: int) -> None:
    if not text.strip():
        raise BadInput(f"the prompt {text!r} is empty: write what is to be painted.")
    if n < 1:
        raise BadInput(f"n={n!r} candidates cannot be written: ask for 1 or more.")


def _as_messages(sections: list[tuple[str, str]]) -> list[Message]:
    return [Message(role=role, content=content) for role, content in sections]
