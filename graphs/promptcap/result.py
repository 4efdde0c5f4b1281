"""What the loop over pictures works by and leaves behind: a method of answering, and each answer with its trail.

`result.json` of a run folder is a `VQAResult`; the report is drawn from it and nothing else.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from ...agents.captions import Vote, written_there
from ...evaluators.vqa import EnsembleRule
from ...runtime.display import plot_bars
from ...runtime.folder import RunResult, Task
from ...runtime.records import BlobRef, Record
from ...tools.data import Selection, Shot
from ...tools.vision import is_closed
from ..trace import Decision, Seen

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...runtime.display import Cell

__all__ = ["Caption", "CaptionKind", "Evidence", "Facts", "Method", "VQAResult", "VQATask"]

CaptionKind = Literal["none", "generic", "aware", "both", "given", "oracle"]
Reason = Literal["", "cannot_tell", "unsupported", "no_choice", "failed", "empty"]


class Method(Record):
    """One way of answering. With `direct` a model that sees the picture answers, and nothing else holds.

    `caption`: none (the blind baseline), generic, aware (of the question), both, given (with the question, text-only mode), or
    an oracle's. `tags` and `ocr`: whether things in the picture and what is written in it are told beside the caption. `votes`
    answers become one by `rule`. `check` looks whether the answer is borne out, and asks the picture at most `follow_ups` more
    questions where it is not; `strict` then says that it cannot be told.
    """

    name: str = Field(default="answer", json_schema_extra={"flag": False})
    caption: CaptionKind = Field(default="aware", json_schema_extra={"flag": False})
    tags: bool = Field(default=False, json_schema_extra={"flag": False})
    ocr: bool = Field(default=False, json_schema_extra={"flag": False})
    shots: int = Field(default=0, ge=0, le=32, description="worked examples, 0 to 32 (default: 0)")
    selection: Selection = Field(default="question", description="how the examples are chosen")
    votes: int = Field(default=1, ge=1, le=32, description="answers that become one (default: 1)")
    rule: EnsembleRule = Field(default="majority", json_schema_extra={"flag": False})
    knowledge: Literal["none", "index", "oracle"] = Field(default="none", json_schema_extra={"flag": False})
    passages: int = Field(default=3, ge=1, le=20, description="passages of knowledge that are shown")
    check: bool = Field(default=False, description="check whether the answer is borne out")
    follow_ups: int = Field(default=1, ge=0, le=5, description="most other questions to the picture (default: 1)")
    strict: bool = Field(default=False, description="an answer that nothing bears out is no answer")
    direct: bool = Field(default=False, json_schema_extra={"flag": False})


class Facts(Record):
    """What is known of a picture before a model is asked: given with the question."""

    image_id: str = ""
    captions: tuple[str, ...] = ()
    tags: str = ""
    ocr: str = ""
    oracle_caption: str = ""
    oracle_passages: tuple[str, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()


class Caption(Record):
    """One caption, and which kind it is."""

    kind: CaptionKind
    text: str


class Evidence(Record):
    """What is known by now. `shots`: by vote, the examples, the most similar first. `looked`: follow-up questions, answered."""

    captions: tuple[Caption, ...] = ()
    tags: str = ""
    ocr: str = ""
    looked: tuple[tuple[str, str], ...] = ()
    passages: tuple[Seen, ...] = ()
    shots: tuple[tuple[Shot, ...], ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """What the picture shows and what the passages say, in the order of the context."""
        seen = [caption.text for caption in self.captions]
        seen += [self.tags] if self.tags else []
        seen += [written_there(self.ocr)] if self.ocr else []
        # "no" to an open question is no observation
        told = [pair for pair in self.looked if is_closed(pair[0]) or pair[1].lower() not in ("yes", "no", "")]
        seen += [f"{question} {answer}" for question, answer in told]
        return (*seen, *(passage.excerpt for passage in self.passages))


class VQATask(Task):
    """One question with its answer; `way` is the name of the method.

    `told` is False where the answer says that it cannot be told, or (`Method.strict`) nothing bears it out; `answer` is then the
    best guess. `supported`: what the check said, None where there was none or it could not be told.
    """

    way: str = ""
    question: str
    image: BlobRef | None = None
    choices: tuple[str, ...] = ()
    answer: str
    told: bool
    reason: Reason = ""
    supported: bool | None = None
    why: str = ""
    shares: tuple[tuple[str, float], ...] = ()
    rule: str = ""
    evidence: Evidence = Evidence()
    votes: tuple[Vote, ...] = ()
    decisions: tuple[Decision, ...] = ()
    seconds: float = 0.0

    @property
    def borne_out(self) -> str:
        """What the check came to, in words."""
        if not self.told:
            return "no answer"
        words: dict[bool | None, str] = {True: "borne out", False: "not borne out", None: "not checked"}
        return words[self.supported]


class VQAResult(RunResult[VQATask]):
    """A whole run of `inloop vqa`."""

    def finding(self) -> str:
        """The answer to the one question, or how many of several were answered and how many of those are borne out."""
        if len(self.tasks) == 1:
            [task] = self.tasks
            return f"{task.question} {task.answer if task.told else 'It cannot be told'} ({task.borne_out})"
        told = sum(task.told for task in self.tasks)
        borne_out = sum(task.told and task.supported is True for task in self.tasks)
        return f"{told} of {len(self.tasks) + len(self.failed)} questions answered, {borne_out} borne out"

    def rows(self) -> list[dict[str, Cell]]:
        """One row a question: what was answered, and of what the answer was made."""
        return [
            {
                "id": task.id,
                "question": task.question,
                "picture": task.image,
                "answer": task.answer,
                "check": task.borne_out,
                "captions": "; ".join(caption.text for caption in task.evidence.captions),
                "passages": len(task.evidence.passages),
                "votes": len(task.votes),
                "seconds": task.seconds,
            }
            for task in self.tasks
        ]

    def plot(self) -> Figure:
        """How many questions came to what, as bars."""
        counts = Counter(task.borne_out for task in self.tasks)
        return plot_bars({**counts, "failed": len(self.failed)}, title="Questions by what the check came to")
