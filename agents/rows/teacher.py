"""The teacher: writes training rows that are like a row that the student got wrong (LLM2LLM, arXiv 2403.15042, section 3).

The model: an `Ask` is one row with what the student made of it; `Written` is what came back for it, the replies as they were
and the rows that could be read in them. Reading is apart from asking (`rows_from`), so that replies which were paid for can be
read again by another parser. A reply without a usable row is data, not an error: one refusal must not end a run.

Where the server keeps a JSON schema the reply is held to it; else JSON is asked for in words, and where that fails too the rows
are asked for as numbered lines. What a label should be is not decided here: see `evaluators.rows.checks`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import zip_longest
from typing import Any, Literal, Protocol

from pydantic import BaseModel, create_model
from pydantic import Field as field

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Chat
from ...runtime.records import Message, Record, Row
from ...runtime.session import settled
from ...runtime.text import is_blank, lines_of
from ...runtime.transport import entries_before_cut, json_from

__all__ = ["Ask", "ChatTeacher", "Draft", "Teacher", "Written", "read", "rows_from"]

_TEXT = ("text", "question", "problem", "utterance", "sentence", "input", "example", "query")
_LABEL = ("label", "answer", "intent", "class", "category", "output", "target")
_REFUSAL = re.compile(
    r"\b(i('m| am) sorry|i (can(no|')t|cannot|won't)|as an ai\b|unable to (help|assist|comply))", re.IGNORECASE
)
_QUESTION = re.compile(
    r"(?:question|problem|text)\s*:\s*(?P<text>.+?)\s*\n\s*(?:right )?answer\s*:\s*(?P<label>.+?)\s*(?=\n\s*\n|\n\s*\d{1,2}[.)]|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_LINE = re.compile(r"^\s*(?:[-*•]|\(?\d{1,3}\s*[.):|])\s*(?P<row>\S.*)$")
_SHOWN = 8  # texts that the teacher is told not to repeat
_ROOM = 2048  # tokens of a reply


class Ask(Record):
    """A row to write more of. `wrong`: what the student answered, None where it was not asked.

    `unreadable`: its answer was no answer of the task at all (a fault of form, not of knowledge). `avoid`: what was written
    for this row before. `alike`, `unlike`: other rows of the right class, and rows of the class that the student said.
    """

    seed: Row
    wrong: str | None = None
    unreadable: bool = False
    avoid: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()


class Draft(Record):
    """One row as a teacher wrote it; `label` None: it left that out."""

    text: str
    label: str | None = None
    meta: dict[str, Any] = field(default_factory=dict)


class Written(Record):
    """What a teacher wrote for one row, the replies as they were, and why nothing came where nothing came.

    `n`: rows asked for; `prompt`: name and sha256 of the template. `failed`: the call failed, `passing` if it may go better later.
    """

    seed: str
    n: int = 0
    teacher: str
    revision: str = ""
    prompt: str = ""
    raw: tuple[str, ...] = ()
    drafts: tuple[Draft, ...] = ()
    unreadable: int = 0
    refused: int = 0
    failed: str = ""
    passing: bool = False


class Teacher(Protocol):
    """Writes up to `n` rows for each ask; same length and order. `taken`: texts that are rows already.

    `source` says where its rows come from, in the words of the report.
    """

    @property
    def model(self) -> str: ...
    @property
    def revision(self) -> str: ...
    @property
    def source(self) -> str: ...
    async def write(self, asks: Sequence[Ask], *, n: int, seed: int, taken: Collection[str]) -> list[Written]: ...


class ChatTeacher:
    """A language model as the teacher.

    Args:
        about: the task in a sentence or two, as a person would be told it.
        labels: the answers there are, where they are a closed set.
        style: "ours" shows the student's wrong answer (`prompts/rows/teacher_rows.md`), "paper" does not (`teacher_paper.md`).
        temperature: the paper uses 1.
    """

    source = "language model"

    def __init__(
        self,
        chat: Chat,
        *,
        about: str,
        labels: Sequence[str] = (),
        style: Literal["ours", "paper"] = "ours",
        temperature: float = 1.0,
    ) -> None:
        if style not in ("ours", "paper"):
            raise BadInput(f"style {style!r} is unknown: give 'ours' or 'paper'.")
        self.chat, self.about, self.labels, self.style = chat, about, tuple(labels), style
        self.temperature = temperature

    @property
    def model(self) -> str:
        """The chat model's."""
        return self.chat.model

    @property
    def revision(self) -> str:
        """The chat model's."""
        return self.chat.revision

    async def write(self, asks: Sequence[Ask], *, n: int, seed: int, taken: Collection[str] = ()) -> list[Written]:
        """Up to `n` rows for each ask, all asks at once; every call has a seed of its own.

        Raises:
            PrerequisiteError: the server is down, refuses the key, or does not know the model.
        """
        return await settled([self._one(ask, n, seed * 1_000 + place) for place, ask in enumerate(asks)])

    def messages(self, ask: Ask, n: int) -> tuple[list[Message], str]:
        """What is asked, and the name and sha256 of its template."""
        about = {"about": self.about, "text": ask.seed.text, "label": ask.seed.label, "n": n}
        labels = f"The possible answers: {', '.join(self.labels)}" if self.labels else ""
        if self.style == "paper":
            prompt = load("rows/teacher_paper")
            sections = prompt.messages(**about, labels=labels, form=self._form(ask))
        else:
            prompt = load("rows/teacher_rows")
            sections = prompt.messages(
                **about, labels=labels, mistake=_mistake(ask), form=self._form(ask),
                alike=_listed(f"Texts whose right answer is {ask.seed.label}:", ask.alike),
                unlike=_listed(f"Texts whose right answer is another, {ask.wrong}:", ask.unlike),
                same=f"the right answer {ask.seed.label} and " if self.labels else "",
                avoid=_listed("These exist already, write different ones:", ask.avoid[-_SHOWN:]),
            )  # fmt: skip
        return [Message(role=role, content=re.sub(r"\n{2,}", "\n", text)) for role, text in sections], _named(prompt)

    def _form(self, ask: Ask) -> str:
        more = ', "choices": [the choices]' if "choices" in ask.seed.meta else ""
        more += ', "rationale": the steps that lead to the answer' if "rationale" in ask.seed.meta else ""
        return f'Answer with JSON: {{"rows": [{{"text": the text{more}, "label": its right answer}}, ...]}}'

    async def _one(self, ask: Ask, n: int, seed: int) -> Written:
        messages, prompt = self.messages(ask, n)
        shown = f"{ask.seed.text} {ask.seed.label} {ask.seed.meta.get('rationale', '')}"
        room = min(_ROOM, 96 + n * (64 + 3 * len(shown.split())))
        asked: dict[str, Any] = {"seed": seed % 2**31, "temperature": self.temperature, "max_tokens": room}
        blank = Written(seed=ask.seed.id, n=n, teacher=self.model, revision=self.revision, prompt=prompt)
        problem: CallFailed | None = None
        try:
            reply = await self.chat.complete(
                messages, schema=_schema((ask.seed.label,) if self.labels else (), n, ask.seed.meta), **asked
            )
            return read(blank, reply.texts)
        except CallFailed as error:
            if error.retryable:
                return blank.model_copy(update={"failed": str(error), "passing": True})
            if any(entries_before_cut(text) for text in error.texts):  # too long an answer is no wrong one
                return read(blank, error.texts)
            problem = error
        # no JSON in it: the simplest form there is, once
        lines = load("rows/teacher_lines")
        sections = lines.messages(about=self.about, text=_line(ask.seed.text), label=_line(ask.seed.label), n=n)
        simple = [Message(role=role, content=text) for role, text in sections]
        blank = blank.model_copy(update={"prompt": _named(lines)})
        try:
            reply = await self.chat.complete(simple, **asked)
        except CallFailed as error:
            return blank.model_copy(update={"failed": f"{problem}; then: {error}", "passing": error.retryable})
        return read(blank, [_whole_lines(*ended) for ended in zip_longest(reply.texts, reply.finish_reasons)])


def read(blank: Written, raw: Sequence[str]) -> Written:
    """The rows of replies that are there, at most `n` of `blank`, which says whose they are."""
    drafts: list[Draft] = []
    unreadable = refused = 0
    for text in raw:
        rows = _drafts(text)
        drafts += rows
        if not rows:
            declined = bool(_REFUSAL.search(text[:400]))
            refused, unreadable = refused + declined, unreadable + (not declined)
    return blank.model_copy(
        update={"raw": tuple(raw), "drafts": _first(drafts, blank.n), "unreadable": unreadable, "refused": refused}
    )


def _first(drafts: Sequence[Draft], n: int) -> tuple[Draft, ...]:
    """The first `n` that hold something, and the empty ones among them, which are told and count for nothing."""
    kept: list[Draft] = []
    for draft in drafts:
        if sum(not is_blank(before.text) for before in kept) == n:
            break
        kept.append(draft)
    return tuple(kept)


def _whole_lines(text: str, reason: str | None) -> str:
    """A reply in lines without the one in which it was cut off."""
    return text.rpartition("\n")[0] if reason == "length" and "\n" in text else text


def rows_from(text: str) -> list[Draft]:
    """The rows in a reply: JSON, `Question: ... Answer: ...` blocks, or numbered lines `1 | text | answer`; [] for none.

    Of JSON that was cut off the rows before the cut. What has no text is none.
    """
    return [draft for draft in _drafts(text) if draft.text]


def _drafts(text: str) -> list[Draft]:
    """The rows in a reply; one that was written without a text has an empty one."""
    if re.match(r"\s*<(!doctype|html|head|body)\b", text, re.IGNORECASE):
        return []
    try:
        value = json_from(text)
    except CallFailed:
        value = entries_before_cut(text) or None
    if value is not None:
        return [draft for entry in _entries(value) if (draft := _draft(entry)) is not None]
    blocks = [Draft(text=_line(m["text"]), label=_line(m["label"])) for m in _QUESTION.finditer(text)]
    if blocks:
        return blocks
    rows = []
    for line in lines_of(text):
        # the prompt ends with the number of the first line, which a model does not write again
        match = _LINE.match(line) or re.match(r"^\s*(?P<row>[^|]+\|[^|]+)$", line)
        if match is None:
            continue
        row, bar, label = match["row"].strip().strip("|").rpartition("|")
        row, label = (row, label) if bar else (label, "")
        if clean := _unquoted(row):
            rows.append(Draft(text=clean, label=_unquoted(label) or None))
    return rows


def _entries(value: Any) -> list[Any]:
    if isinstance(value, dict):
        inner = next((found for found in value.values() if isinstance(found, list)), None)
        return [value] if inner is None or _named_value(value, _TEXT) else inner
    return value if isinstance(value, list) else []


def _draft(entry: Any) -> Draft | None:
    if isinstance(entry, str):
        return Draft(text=_line(entry))
    if not isinstance(entry, dict):
        return None
    text, label = _named_value(entry, _TEXT), _named_value(entry, _LABEL)
    if not text and not label and not {str(name).lower() for name in entry} & {*_TEXT, *_LABEL}:
        return None  # an object of something else
    meta = {key: entry[key] for key in ("rationale", "choices") if entry.get(key)}
    return Draft(text=text, label=label or None, meta=meta)


def _named_value(entry: dict[str, Any], names: Sequence[str]) -> str:
    for name, value in entry.items():
        if str(name).lower() in names and isinstance(value, str | int | float):
            return " ".join(str(value).split())
    return ""


def _listed(heading: str, texts: Sequence[str]) -> str:
    return "\n".join([heading, *(f"- {_line(text)}" for text in texts)]) if texts else ""


def _mistake(ask: Ask) -> str:
    if ask.wrong is None:
        return ""
    if ask.unreadable:
        return f"The small model's answer could not be read: {_line(ask.wrong)[:200]!r}"
    return f"The small model answered wrongly: {_line(ask.wrong)[:200]}"


def _schema(labels: Sequence[str], n: int, meta: Collection[str]) -> type[BaseModel]:
    """What the reply must be. A server holds the model to `labels`; a reply that breaks them is still read, and judged later."""
    closed: dict[str, Any] = {"enum": list(labels)} if labels else {}
    fields: dict[str, Any] = {"text": (str, field(json_schema_extra={"maxLength": 1000}))}
    if "choices" in meta:
        fields["choices"] = (list[str], ...)
    if "rationale" in meta:  # before the label: the answer is then what the steps lead to
        fields["rationale"] = (str, ...)
    row = create_model("Example", **fields, label=(str, field(json_schema_extra=closed)))
    return create_model("Rows", rows=(list[row], field(json_schema_extra={"minItems": n, "maxItems": n})))


def _named(prompt: Any) -> str:
    return f"{prompt.name.rpartition('/')[2]}@{prompt.sha256[:12]}"


def _line(text: str) -> str:
    return " ".join(text.split())


def _unquoted(text: str) -> str:
    text = _line(text)
    for pair in ('""', "''", "“”", "``"):
        if len(text) > 2 and text[0] == pair[0] and text[-1] == pair[1]:
            text = text[1:-1].strip()
    return text
