"""Citation precision and recall: as ALCE defines them with a judge, and against annotated evidence.

ALCE (Gao et al. 2023, arXiv 2305.14627, section 3.3): a sentence has recall 1 when its citations, joined, entail it. A
citation is irrelevant when it does not entail the sentence alone and the others do without it; it is precise when its
sentence has recall 1 and it is not irrelevant. A sentence without citations has recall 0.

A pair that the judge could not decide leaves its sentence unscored: counted, with the bounds of what it could have been,
and neither dropped from the mean in silence nor taken for a no.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pydantic import Field

from ...runtime.answers import Checked, CitedAnswer
from ...runtime.errors import CallFailed
from ...runtime.records import Record
from ...tools.entailment import Entailment

__all__ = ["Alce", "Tally", "alce", "evidence_citations"]


class Tally(Record):
    """Of one answer: `hits` of `trials` were right, `unscored` more could not be decided."""

    hits: int = Field(ge=0)
    trials: int = Field(ge=0)
    unscored: int = Field(default=0, ge=0)

    @property
    def value(self) -> float | None:
        """The share of what was decided; None where nothing was."""
        return self.hits / self.trials if self.trials else None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The share if every undecided one were wrong, and if every one were right."""
        whole = self.trials + self.unscored
        return (self.hits / whole, (self.hits + self.unscored) / whole) if whole else None


class Alce(Record):
    """Of one answer: `recall` over its sentences, `precision` over its citations."""

    recall: Tally
    precision: Tally


async def alce(answer: CitedAnswer, judge: Entailment) -> Alce:
    """The ALCE scores of an answer; of an abstention both are empty, for there is nothing to cite."""
    recall, precision = [0, 0, 0], [0, 0, 0]
    for sentence in answer.sentences:
        right, precise = await _sentence(sentence, judge)
        recall[2 if right is None else 1] += 1
        recall[0] += right is True
        for value in precise:
            precision[2 if value is None else 1] += 1
            precision[0] += value is True
    return Alce(recall=_tally(recall), precision=_tally(precision))


async def _sentence(sentence: Checked, judge: Entailment) -> tuple[bool | None, list[bool | None]]:
    quotes = [citation.quote for citation in sentence.citations]
    if not quotes:
        return False, []
    whole = await _entails(judge, quotes, sentence.text)
    if not whole:
        return whole, [None if whole is None else False] * len(quotes)
    precise: list[bool | None] = []
    for place, quote in enumerate(quotes):
        alone = await _entails(judge, [quote], sentence.text) if len(quotes) > 1 else True
        if alone is not False:
            precise.append(alone)
            continue
        others = await _entails(judge, [*quotes[:place], *quotes[place + 1 :]], sentence.text)
        precise.append(None if others is None else not others)
    return True, precise


async def _entails(judge: Entailment, quotes: Sequence[str], sentence: str) -> bool | None:
    try:
        [judged] = await judge.judge([(" ".join(quotes), sentence)])
    except CallFailed:
        return None
    return judged.supports >= judge.thresholds["entails"]


def evidence_citations(cited: Collection[tuple[str, int]], evidence: Collection[tuple[str, int]]) -> Alce:
    """Cited (document, sentence number) pairs against annotated ones: which citations are right, which evidence was cited.

    A citation of a sentence that no one annotated is wrong here, also where it would convince a reader: annotations cover
    the documents that annotators read.
    """
    found = set(cited)
    gold = set(evidence)
    return Alce(
        precision=Tally(hits=len(found & gold), trials=len(found)),
        recall=Tally(hits=len(found & gold), trials=len(gold)),
    )


def _tally(counts: Sequence[int]) -> Tally:
    return Tally(hits=counts[0], trials=counts[1], unscored=counts[2])
