"""What the machine works with: its parts, its state, and how the state's addresses are read and written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, TypeVar

from ...agents.captions import CaptionAnswerer, FollowUp, Support
from ...runtime.budget import Budget
from ...runtime.errors import BadInput
from ...runtime.passages import Mode, Passage
from ...runtime.protocols import Captioner, Index, Tagger, TextReader, VisualQA
from ...runtime.records import BlobRef, Record
from ...runtime.session import Event
from ...runtime.store import BlobStore, MemoryBlobs
from ...tools.data import Shots
from ..trace import Decision, Seen, Step
from .events import DecisionTaken
from .result import Evidence, Facts, Method

__all__ = [
    "ORDER", "Next", "VQAContext", "VQAState", "evidence_of", "facts_of", "first_state", "have", "image_of",
    "max_steps", "put", "seen_of", "trace",
]  # fmt: skip

PartT = TypeVar("PartT")
STATE_VERSION = 1
Next = Literal["caption", "examples", "knowledge", "candidates", "answer", "check", "conclude", "direct"]
ORDER: tuple[Next, ...] = ("caption", "examples", "knowledge", "candidates", "answer", "check", "conclude")


@dataclass(frozen=True, kw_only=True)
class VQAContext:
    """What the machine works with; a method that asks for what is not there is refused when it comes to it.

    `proposer` writes the candidates of Prophet's prompt where none are given. `tagger` and `ocr` look at the pictures themselves;
    without them tags and text are those that were given. `examples_are`: the captions of examples that lack one.
    """

    method: Method
    answerer: CaptionAnswerer
    blobs: BlobStore | MemoryBlobs
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
    emit: Callable[[Event], None] = lambda event: None

    def does(self, step: Next) -> bool:
        """Whether the method has this step."""
        method = self.method
        steps = {
            "examples": method.shots > 0, "knowledge": method.knowledge != "none", "check": method.check,
            "candidates": self.answerer.preset.candidates and method.caption != "none",
        }  # fmt: skip
        return steps.get(step, True)


class VQAState(TypedDict):
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
    context: VQAContext, task: str, question: str, *, image: BlobRef | None, choices: tuple[str, ...], facts: Facts
) -> VQAState:
    """The state of a question that has not begun."""
    return VQAState(
        version=STATE_VERSION, task=task, question=question, image=image.model_dump(mode="json") if image else None,
        choices=list(choices), facts=put(context, facts), evidence="", votes="", made="", answer="", looks=0, stuck=False,
        supported="", why="", trace="",
    )  # fmt: skip


def max_steps(method: Method) -> int:
    """The most supersteps that the machine can take."""
    return 8 + 3 * (method.follow_ups + 1)


def have(part: PartT | None, what: str) -> PartT:
    """The part, or `BadInput` that says what is missing."""
    if part is None:
        raise BadInput(f"this method of answering needs {what}, and none is given.")
    return part


def image_of(state: VQAState) -> BlobRef:
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


def put(context: VQAContext, value: Record) -> str:
    """The address of a record in the blob store."""
    return context.blobs.put(value.model_dump_json().encode(), "application/json").sha256


def facts_of(context: VQAContext, state: VQAState) -> Facts:
    """What was given with the question."""
    return Facts.model_validate_json(context.blobs.get(state["facts"]))


def evidence_of(context: VQAContext, state: VQAState) -> Evidence:
    """What is known by now."""
    return Evidence.model_validate_json(context.blobs.get(state["evidence"])) if state["evidence"] else Evidence()


def trace(
    context: VQAContext, state: VQAState, step: Step, by: str, said: str, why: str = "", *, after: str = ""
) -> str:
    """Tell a decision, and give the address of all of them with it. `after`: of those before it, else the state's."""
    decision = Decision(step=step, by=by, said=said, why=why)
    context.emit(DecisionTaken(task=state["task"], way=context.method.name, **decision.model_dump()))
    last = after or state["trace"]
    before = json.loads(context.blobs.get(last)) if last else []
    kept = json.dumps([*before, decision.model_dump(mode="json")]).encode()
    return context.blobs.put(kept, "application/json").sha256
