"""The report of `inloop ask`: one HTML file that needs nothing else, drawn from `result.json` alone.

It shows the answer with its quotations, every sentence that did not stand and why, the passages that were found with their
grades, and every decision in order. Text from documents and models is escaped by the template and shown as what it is.
"""

from __future__ import annotations

from typing import Any

from ...graphs.rag import RagResult, RagTask
from ...runtime.store import BlobStore
from ..report import DEFAULT_LIMIT, run_page
from .reasons import REASONS

__all__ = ["render"]


def render(result: RagResult, blobs: BlobStore | None = None, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string; the same result gives the same bytes. It has no pictures."""
    return run_page(
        result,
        blobs,
        template="rag/ask.html.j2",
        headline=result.tasks[0].question if len(result.tasks) == 1 else "",
        tasks=[_task(task) for task in result.tasks],
        single=len(result.tasks) == 1,
        hidden=("questions",),
    )


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
            [
                seen.title or seen.document,
                seen.excerpt,
                f"{seen.similarity:.3f}",
                "none" if seen.grade is None else f"{seen.grade:.2f}",
                ("yes" if seen.shown else "no") + (f", query {seen.query + 1}" if seen.query else ""),
            ]
            for seen in task.seen
        ],
        "decisions": task.decisions,
    }
