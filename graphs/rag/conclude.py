"""The end of the RAG loop: numbers for the citations, and sources that contradict each other."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ...runtime.answers import Abstention, Checked, Citation, CitedAnswer, DraftSentence, Kind, Reason, Stance
from ...runtime.errors import CallFailed
from ...runtime.passages import Passage
from ...tools.entailment import rival_answers, surroundings, tells_by_itself

__all__ = ["AROUND", "abstention", "concluded", "contradiction", "uncheckable", "with_surroundings"]

_MOST_PAIRS = 20
AROUND = 60  # words of a quotation with what stands around it


def concluded(
    question: str,
    kind: Kind,
    kept: Sequence[Checked],
    abstained: Abstention | None,
    *,
    also: Mapping[str, tuple[str, ...]],
) -> CitedAnswer:
    """The answer with its citations numbered in the order of their first use; one quotation has one number.

    `also`: by passage the sources of its copies.
    """
    numbers: dict[tuple[str, int, int], int] = {}

    def numbered(citation: Citation) -> Citation:
        place = (citation.document, citation.start, citation.end)
        number = numbers.setdefault(place, len(numbers) + 1)
        return citation.model_copy(update={"number": number, "also": also.get(citation.passage, ())})

    sentences = tuple(
        sentence.model_copy(update={"citations": tuple(numbered(citation) for citation in sentence.citations)})
        for sentence in kept
    )
    if abstained is not None:
        shown = tuple(numbered(citation) for citation in abstained.citations)
        abstained = abstained.model_copy(update={"citations": shown})
    stances = {c.stance for s in sentences for c in s.citations if c.stance is not None}
    stance: Stance | None = stances.pop() if kind == "claim" and len(stances) == 1 else None
    return CitedAnswer(question=question, kind=kind, sentences=sentences, abstained=abstained, stance=stance)


def abstention(
    checked: Sequence[Checked], *, failed: str | None, shown: Sequence[Passage], spent: str | None, tried: int
) -> Abstention:
    """Why nothing stands, by the most telling reason.

    `failed`: what the answerer failed with; `shown`: the passages to answer from; `spent`: what ended the budget.
    """
    reason: Reason
    near = max((s for s in checked if s.near), key=lambda sentence: sentence.support or 0.0, default=None)
    unscored = next((sentence.why for sentence in checked if sentence.verdict == "unscored"), None)
    if failed is not None:
        reason, why = "answerer_failed", f"the answerer gave nothing usable: {failed}"
    elif unscored is not None:
        reason, why = "verifier_failed", f"an answer was written and could not be checked: {unscored}"
    elif near is not None:
        why = "no sentence of what was found is surely the answer; it may be in this passage"
        [passage] = (each for each in shown if each.id == near.citations[0].passage)
        return Abstention(reason="not_sure", explanation=why, citations=(_whole(passage, near.support),))
    elif checked:
        reason = "does_not_say"
        why = f"passages were found, but they do not bear out what was written: {checked[0].why}"
    elif shown:
        reason, why = "does_not_say", "passages were found, and the answerer found no answer in them"
    elif spent:
        reason, why = "budget", spent
    else:
        reason = "nothing_found"
        why = f"no passage has to do with it ({tried} quer{'y' if tried == 1 else 'ies'} tried)"
    found = tuple(citation for sentence in checked for citation in sentence.citations)
    return Abstention(reason=reason, explanation=why, citations=found[:5])


async def contradiction(
    contradict: Callable[[Sequence[tuple[str, str]]], Awaitable[list[bool]]],
    question: str,
    kind: Kind,
    kept: Sequence[Checked],
) -> Abstention | None:
    """An abstention where two documents of the answer contradict each other, with a quotation of each.

    Of a claim: one document speaks for it and another against it. Of a question: what one quotation says contradicts what
    one of another document says, judged both ways, or the two give different dates, numbers or names and
    nothing else. Within one document nothing is a contradiction of sources.
    """
    citations = [citation for sentence in kept for citation in sentence.citations]
    if kind == "claim":
        pairs = [
            (a, b)
            for a, b in itertools.product(citations, citations)
            if a.stance == "supports" and b.stance == "contradicts" and a.document != b.document
        ]
        return (
            _against(*pairs[0], "the claim is supported by one source and contradicted by another") if pairs else None
        )
    different = [(a, b) for a, b in itertools.combinations(citations, 2) if a.document != b.document][:_MOST_PAIRS]
    if not different:
        return None
    both = [(a.quote, b.quote) for a, b in different] + [(b.quote, a.quote) for a, b in different]
    try:
        found = await contradict(both)
    except CallFailed:  # each sentence stands by its own source; that they were not compared loses no check of those
        return None
    half = len(different)
    for place, pair in enumerate(different):
        if (found[place] and found[place + half]) or rival_answers(question, pair[0].quote, pair[1].quote):
            return _against(*pair, "two sources contradict each other")
    return None


def with_surroundings(question: str, kept: Sequence[Checked], passages: Sequence[Passage]) -> list[Checked]:
    """Each quotation with what stands around it, where it does not tell by itself what is asked for, the likeliest first; other quotations that
    then stand in it are left out.
    """
    judged = [each for each in kept if each.quoted and each.support is not None]
    shown = list(kept)
    for quoted in sorted(judged, key=lambda each: -(each.support or 0.0)):
        if quoted in shown and not tells_by_itself(question, quoted.text):
            shown = _widened(quoted, shown, passages)
    return shown


def _widened(quoted: Checked, kept: list[Checked], passages: Sequence[Passage]) -> list[Checked]:
    """What is kept, one quotation of it with what stands around it; as it was where that would cut another one in two."""
    [citation] = quoted.citations
    [passage] = (each for each in passages if each.id == citation.passage)
    start, end = citation.start - passage.start, citation.end - passage.start
    around = surroundings(passage.text, start, end, most=AROUND)
    start, end = passage.start + around.start, passage.start + around.end
    beside = [
        each
        for each in kept
        if each is not quoted and each.quoted and each.citations[0].passage == passage.id
        and each.citations[0].start < end and start < each.citations[0].end
    ]  # fmt: skip
    if any(each.citations[0].start < start or end < each.citations[0].end for each in beside):
        return kept
    cited = citation.model_copy(update={"start": start, "end": end, "quote": around.text})
    wide = quoted.model_copy(update={"text": around.text, "citations": (cited,)})
    return [wide if each is quoted else each for each in kept if each not in beside]


def uncheckable(sentence: DraftSentence, passages: Sequence[Passage]) -> Checked:
    """A sentence as it was written, where nothing checks it: each citation is the whole passage, or the quoted words."""
    by_id = {passage.id: passage for passage in passages}
    citations = []
    for passage in (by_id[key] for key in sentence.cites):
        whole = _whole(passage, None)
        if sentence.quoted:
            start = passage.start + (sentence.start or 0)
            whole = whole.model_copy(update={"start": start, "end": start + len(sentence.text), "quote": sentence.text})
        citations.append(whole)
    return Checked(
        text=sentence.text,
        verdict="unscored",
        why="not checked: there is no verifier",
        citations=tuple(citations),
        quoted=sentence.quoted,
    )


def _whole(passage: Passage, support: float | None) -> Citation:
    return Citation(
        passage=passage.id, document=passage.document, title=passage.title, source=passage.source, page=passage.page,
        start=passage.start, end=passage.start + len(passage.text), quote=passage.text, support=support,
    )  # fmt: skip


def _against(first: Citation, second: Citation, why: str) -> Abstention:
    return Abstention(reason="contradicting_sources", explanation=why, citations=(first, second))
