"""The quoting answerer: what answers the request, as quotations of the passages. Not an LLM.

For where the language model is too weak to answer in words of its own: what it "writes" stands in the source letter for
letter, so that only one thing is left to check, whether it answers the request. A question is answered by what a picker thinks likeliest, with a
command, a list or a table where a sentence leads to one; a claim by the sentences that say most about it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.answers import Checked, Draft, DraftSentence, Kind
from ...runtime.errors import BadInput
from ...runtime.passages import Passage
from ...tools.documents import word_count
from ...tools.entailment import CalibratedPicker, Overlap, Picker, Quotation, compare, quotations, rival_answers

__all__ = ["BESIDE", "QuotingAnswerer", "apart"]

BESIDE = 0.25  # the share of the best one's probability that another answer needs
_RIVAL = 0.15  # and one of another document that says something else
_SHORTEST = 3  # words of a sentence that says something about a claim


class QuotingAnswerer:
    """Quotes the `most` best: of a question by `picker`, of a claim by `overlap`; asked to repair, the next best that were not refused.

    `picker`: by default the calibrated one.
    """

    def __init__(self, overlap: Overlap, *, picker: Picker | None = None, most: int = 3) -> None:
        if most < 1:
            raise BadInput(f"most={most!r} sentences cannot be quoted: give 1 or more.")
        self.overlap, self.most = overlap, most
        self.picker: Picker = picker or CalibratedPicker(overlap.embedder)

    @property
    def name(self) -> str:
        """What the report says."""
        return f"quotations chosen by {self.overlap.name}"

    async def answer(
        self, question: str, kind: Kind, passages: Sequence[Passage], *, checked: Sequence[Checked] = ()
    ) -> Draft:
        """At most `most` quotations, in the order of their passages; of a question one more, where another document says something else.

        Raises:
            CallFailed: the embedder failed.
        """
        if any(sentence.verdict == "supported" for sentence in checked):  # a quotation cannot be said better
            return Draft(by=self.name, note="nothing to add to the quotations that stand")
        if checked and kind == "question":
            return Draft(by=self.name, note="nothing is likelier to be the answer")
        if kind == "question":
            chosen = await self._likeliest(question, passages)
        else:
            refused = {_folded(sentence.text) for sentence in checked}
            about = await self._about(question, passages)
            chosen = apart([each for each in about if _folded(each.text) not in refused], self.most)
        if not chosen:
            return Draft(by=self.name, note="there is no sentence to quote")
        chosen.sort(key=lambda each: (each.place, each.start))
        return Draft(
            sentences=tuple(
                DraftSentence(text=each.text, cites=(passages[each.place].id,), quoted=True, start=each.start)
                for each in chosen
            ),
            by=self.name,
        )

    async def _likeliest(self, question: str, passages: Sequence[Passage]) -> list[Quotation]:
        """What answers a question, with a rival of it; where nothing is an answer, what comes nearest."""
        picked = sorted(await self.picker.pick(question, passages), key=lambda each: -each.probability)
        if not picked or picked[0].answered < self.picker.line:
            return [each.quotation for each in picked[:1]]

        def beside(share: float) -> list[Quotation]:
            return [each.quotation for each in picked if each.probability >= share * picked[0].probability]

        chosen = apart(beside(BESIDE), self.most)
        return chosen + _rival(question, chosen, beside(_RIVAL), passages)

    async def _about(self, claim: str, passages: Sequence[Passage]) -> list[Quotation]:
        """The sentences that say most about a claim, the best first; before them those that bear it out, or say otherwise, part by part."""
        pool = [
            each
            for place, passage in enumerate(passages)
            for each in quotations(passage, place)
            if word_count(each.text) >= _SHORTEST and not each.leads and each.kind != "code"
        ]
        scores = await self.overlap.evidence(
            [(f"{passages[each.place].title}\n{' '.join(each.text.split())}", claim) for each in pool]
        )
        decides = [_decides(claim, each, passages[each.place]) for each in pool]
        return [pool[i] for i in sorted(range(len(pool)), key=lambda i: (not decides[i], -scores[i]))]


def _decides(claim: str, quotation: Quotation, passage: Passage) -> bool:
    """Whether the parts of a claim tell what a quotation says of it."""
    source = " ".join(quotation.text.split())
    return compare(claim, source, title=". ".join(passage.above), before=quotation.before).outcome != "not told"


def apart(ranked: Sequence[Quotation], most: int) -> list[Quotation]:
    """The first `most` that are neither the same words nor parts of one another."""
    chosen: list[Quotation] = []
    for each in ranked:
        if len(chosen) == most:
            break
        if not any(
            _folded(each.text) == _folded(other.text)
            or (each.place == other.place and each.start < other.end and other.start < each.end)
            for other in chosen
        ):
            chosen.append(each)
    return chosen


def _rival(
    question: str, chosen: Sequence[Quotation], ranked: Sequence[Quotation], passages: Sequence[Passage]
) -> list[Quotation]:
    """The likeliest answer of another document that says something else than one that was chosen; none where all agree.

    However many places a document takes, by saying a thing often or by repeating the question, it does not hide what another says.
    """
    told = {passages[each.place].document for each in chosen}
    for each in ranked:
        if passages[each.place].document not in told and any(_differ(question, each.text, one.text) for one in chosen):
            return [each]
    return []


def _differ(question: str, first: str, second: str) -> bool:
    both_ways = (compare(first, second), compare(second, first))
    return rival_answers(question, first, second) or all(each.outcome == "otherwise" for each in both_ways)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
