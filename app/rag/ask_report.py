"""The report of `inloop ask`: one HTML file that needs nothing else, drawn from `result.json` alone.

It shows the answer with its quotations, every sentence that did not stand and why, the passages that were found with their
grades, and every decision in order. Text from documents and models is escaped by the template and shown as what it is.
"""

from __future__ import annotations

from typing import Any

from ...graphs.rag import RagResult, RagTask
from ...runtime.run import RunFolder
from ..cli import amount, clip, seconds
from ..report import draw
from .reasons import REASONS

__all__ = ["read_outcome", "render"]


def render(outcome: RagResult) -> str:
    """The whole page as a string; the same outcome gives the same bytes."""
    answered = sum(task.answer.answered for task in outcome.tasks)
    one = outcome.tasks[0].question if len(outcome.tasks) == 1 else ""
    return draw(
        "rag/ask.html.j2",
        title=clip(one, 80) if one else f"{len(outcome.tasks)} questions",
        headline=one or f"{answered} of {len(outcome.tasks)} questions answered",
        outcome=outcome,
        when=outcome.created.replace("T", " ")[:16],
        took=seconds(outcome.seconds),
        tasks=[_task(task) for task in outcome.tasks],
        single=len(outcome.tasks) == 1,
        models=[(role, model["id"], model["revision"][:12]) for role, model in outcome.models.items()],
        config=[(key, _plain(value)) for key, value in sorted(outcome.config.items()) if key != "questions"],
        paid=amount(sum(c["paid"] for c in outcome.calls.values())),
        reused=amount(sum(c["reused"] for c in outcome.calls.values())),
    )


def read_outcome(folder: RunFolder) -> RagResult:
    """The result of a finished run; `PrerequisiteError` where it is not one of this version."""
    return folder.result_as(RagResult)


def _task(task: RagTask) -> dict[str, Any]:
    answer = task.answer
    stands = {sentence.text for sentence in answer.sentences}
    if answer.abstained is not None:
        verdict = f"No answer: {REASONS[answer.abstained.reason]}"
    elif answer.kind == "claim":
        verdict = {"supports": "The sources support it", "contradicts": "The sources contradict it"}.get(
            answer.stance or "", "What the sources say of it"
        )
    else:
        verdict = "Answer"
    unchecked = any(sentence.verdict != "supported" for sentence in answer.sentences)
    return {
        "id": task.id,
        "question": task.question,
        "verdict": verdict + (", not checked" if unchecked else ""),
        "level": "unknown" if answer.abstained is not None or unchecked else "good",
        "explanation": answer.abstained.explanation if answer.abstained is not None else "",
        "sentences": answer.sentences,
        "citations": answer.citations if answer.abstained is None else answer.abstained.citations,
        "refused": [
            sentence for sentence in task.checked if sentence.text not in stands and sentence.verdict != "supported"
        ],
        "seen": [
            (seen, "none" if seen.grade is None else f"{seen.grade:.2f}", f"{seen.similarity:.3f}")
            for seen in task.seen
        ],
        "queries": task.queries,
        "decisions": task.decisions,
        "took": seconds(task.seconds),
    }


def _plain(value: Any) -> str:
    return "none" if value is None or value == "" else str(value)
