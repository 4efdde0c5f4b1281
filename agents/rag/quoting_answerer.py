"""The quoting answerer: the sentences of the passages that say most about the request, as quotations. Not an LLM.

For where the language model is too weak to answer in words of its own: what it "writes" stands in the source letter for
letter, so that only one thing is left to check, whether it answers the request.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.answers import Checked, Draft, DraftSentence, Kind
from ...runtime.errors import BadInput
from ...runtime.passages import Passage
from ...tools.entailment import Overlap, Span, sentences

__all__ = ["QuotingAnswerer"]

_SHORTEST, _LONGEST = 3, 120  # words of a sentence that is worth quoting


class QuotingAnswerer:
    """Quotes the `most` best sentences by `overlap`; asked to repair, the next best that were not refused."""

    def __init__(self, overlap: Overlap, *, most: int = 3) -> None:
        if most < 1:
            raise BadInput(f"most={most!r} sentences cannot be quoted: give 1 or more.")
        self.overlap, self.most = overlap, most

    @property
    def name(self) -> str:
        """What the report says."""
        return f"quotations chosen by {self.overlap.name}"

    async def answer(
        self, question: str, kind: Kind, passages: Sequence[Passage], *, checked: Sequence[Checked] = ()
    ) -> Draft:
        """At most `most` quotations, in the order of their passages.

        Raises:
            CallFailed: the embedder failed.
        """
        kept = sum(sentence.verdict == "supported" for sentence in checked)
        if kept:  # a quotation cannot be said better; what stands is enough
            return Draft(by=self.name, note="nothing to add to the quotations that stand")
        seen = {_folded(sentence.text) for sentence in checked}
        pool: list[tuple[int, Passage, Span]] = []
        for place, passage in enumerate(passages):
            for span in sentences(passage.text):
                if _SHORTEST <= len(span.text.split()) <= _LONGEST and _folded(span.text) not in seen:
                    seen.add(_folded(span.text))
                    pool.append((place, passage, span))
        if not pool:
            return Draft(by=self.name, note="there is no sentence to quote")
        scores = await self.overlap.evidence(
            [(f"{passage.title}\n{_line(span.text)}", question) for _, passage, span in pool]
        )
        best = sorted(range(len(pool)), key=lambda i: (-scores[i], pool[i][0], pool[i][2].start))[: self.most]
        chosen = sorted((pool[i] for i in best), key=lambda item: (item[0], item[2].start))
        return Draft(
            sentences=tuple(
                DraftSentence(text=span.text, cites=(passage.id,), quoted=True, start=span.start)
                for _, passage, span in chosen
            ),
            by=self.name,
        )


def _line(text: str) -> str:
    return " ".join(text.split())


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
