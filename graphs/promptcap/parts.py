"""What the loop over pictures works with: its models, its state, and how the state's addresses are read and written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

from ...agents.captions import CaptionAnswerer, FollowUp, Support
from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.passages import Mode, Passage
from ...runtime.protocols import Captioner, Index, Tagger, TextReader, VisualQA
from ...runtime.records import BlobRef, Record
from ...runtime.store import BlobStore
from ...tools.data import Shots
from ..trace import Decision, Seen, Step
from .result import Evidence, Facts, Way

__all__ = [
    "ORDER", "Next", "PromptCapPorts", "PromptCapState", "Scratch", "evidence_of", "facts_of", "first_state", "have", "image_of",
    "max_steps", "put", "seen_of", "trace",
]  # fmt: skip

STATE_VERSION = 1
Next = Literal["caption", "examples", "knowledge", "candidates", "answer", "check", "conclude", "direct"]
ORDER: tuple[Next, ...] = ("caption", "examples", "knowledge", "candidates", "answer", "check", "conclude")


class Scratch:
    """A blob store in memory, for a machine that nothing is to be resumed of: no file and no fsync a step."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def put(self, data: bytes, media_type: str) -> BlobRef:
        """Keep some bytes."""
        ref = BlobRef(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, bytes=len(data))
        self._kept[ref.sha256] = data
        return ref

    def get(self, ref: BlobRef | str) -> bytes:
        """The bytes that were kept."""
        return self._kept[ref if isinstance(ref, str) else ref.sha256]


@dataclass(frozen=True, kw_only=True)
class PromptCapPorts:
    """What the machine works with; a way that asks for what is not there is refused when it comes to it.

    `proposer` writes the candidates of Prophet's prompt where none are given. `tagger` and `ocr` look at the pictures themselves;
    without them tags and text are those that were given. `examples_are`: the captions of examples that lack one.
    """

    way: Way
    answerer: CaptionAnswerer
    blobs: BlobStore | Scratch
    captioner: Captioner | None = None
    examples_are: Literal["aware", "generic"] = "aware"
    tagger: Tagger | None = None
    ocr: TextReader | None = None
    vqa: VisualQA | None = None
    shots: Shots | None = None
    index: Index | None = None
    mode: Mode = "hybrid"
    proposer: CaptionAnswerer | None = None
    support: Support | None = None
    follow_up: FollowUp | None = None
    budget: Budget = field(default_factory=Budget)
    tell: Callable[[dict[str, Any]], None] = lambda event: None

    def does(self, step: Next) -> bool:
        """Whether the way has this step."""
        way = self.way
        asked = {
            "examples": way.shots > 0, "knowledge": way.knowledge != "none", "check": way.check,
            "candidates": self.answerer.preset.candidates and way.caption != "none",
        }  # fmt: skip
        return asked.get(step, True)


class PromptCapState(TypedDict):
    """Where a question stands; JSON only. Addresses in the blob store, empty for none: `facts`, `evidence`, `votes`, `trace`.

    `supported`: "", "yes", "no" or "unknown".
    """

    version: int
    task: str
    question: str
    image: dict[str, Any] | None
    choices: list[str]
    facts: str
    evidence: str
    votes: str
    made: str
    answer: str
    looks: int
    stuck: bool
    supported: str
    why: str
    trace: str


def first_state(
    ports: PromptCapPorts, task: str, question: str, *, image: BlobRef | None, choices: tuple[str, ...], facts: Facts
) -> PromptCapState:
    """The state of a question that has not begun."""
    return PromptCapState(
        version=STATE_VERSION, task=task, question=question, image=image.model_dump(mode="json") if image else None,
        choices=list(choices), facts=put(ports, facts), evidence="", votes="", made="", answer="", looks=0, stuck=False,
        supported="", why="", trace="",
    )  # fmt: skip


def max_steps(way: Way) -> int:
    """The most supersteps that the machine can take."""
    return 8 + 3 * (way.follow_ups + 1)


def have(part: Any, what: str) -> Any:
    """The part, or `BadInput` that says what is missing."""
    if part is None:
        raise BadInput(f"this way of answering needs {what}, and none is given.")
    return part


def image_of(state: PromptCapState) -> BlobRef:
    """The picture; `BadInput` where there is none."""
    if state["image"] is None:
        raise BadInput(f"the question {state['task']!r} has no picture: give one, or captions (text-only mode).")
    return BlobRef.model_validate(state["image"])


def seen_of(passage: Passage, similarity: float) -> Seen:
    """A passage as it is shown and kept."""
    return Seen(
        id=passage.id, document=passage.document, title=passage.title, source=passage.source, similarity=similarity,
        shown=True, excerpt=passage.text[:400],
    )  # fmt: skip


def put(ports: PromptCapPorts, value: Record) -> str:
    """The address of a record in the blob store."""
    return ports.blobs.put(value.model_dump_json().encode(), "application/json").sha256


def facts_of(ports: PromptCapPorts, state: PromptCapState) -> Facts:
    """What was given with the question."""
    return Facts.model_validate_json(ports.blobs.get(state["facts"]))


def evidence_of(ports: PromptCapPorts, state: PromptCapState) -> Evidence:
    """What is known by now."""
    return Evidence.model_validate_json(ports.blobs.get(state["evidence"])) if state["evidence"] else Evidence()


def trace(
    ports: PromptCapPorts, state: PromptCapState, step: Step, by: str, said: str, why: str = "", *, after: str = ""
) -> str:
    """Tell a decision, and give the address of all of them with it. `after`: of those before it, else the state's."""
    decision = Decision(step=step, by=by, said=said, why=why)
    ports.tell({"event": "decision", "task": state["task"], "way": ports.way.name, **decision.model_dump()})
    last = after or state["trace"]
    before = json.loads(ports.blobs.get(last)) if last else []
    kept = json.dumps([*before, decision.model_dump(mode="json")]).encode()
    return ports.blobs.put(kept, "application/json").sha256
