"""The verifier: does what is cited bear out each sentence, and does it answer what was asked?

Four checks a sentence, in this order; the first that fails decides:

1. it cites a passage, and no number that stands for none (a sentence without any is traced to the passage that says it)
2. a quotation stands in its passage, letter for letter
3. the cited text entails the sentence: its best sentence, or the best two together (natural language inference), and no part of the
   sentence is lacking there or said otherwise (`tools.entailment.claims`): a rule that stands above every judge
4. what is cited has to do with the request; a quotation far weaker than the best one is dropped. Of quotations for a claim
   the overlap also weighs how their passages were found; whether a quotation answers a question is up to a picker
   (`tools.entailment.picker`), whose line was set on questions

The judge of 3 and 4 is an `Entailment`: the calibrated overlap (not an LLM, not an NLI model), an NLI cross-encoder, or a
language model. Whether a quotation speaks for a claim is decided part by part, and by a model of `inference` where the parts leave it
open, as a paraphrase does: a model's "supports" stands only where no part of the claim is lacking or said otherwise. The overlap cannot
tell for from against; beside it the inference may be another model, or none. A judge that failed leaves the sentence "unscored": it is
not shown as supported, and not called wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...runtime.answers import Checked, Citation, DraftSentence, Kind, Stance
from ...runtime.errors import CallFailed
from ...runtime.passages import Passage
from ...tools.entailment import (
    Entailment,
    Judgement,
    Overlap,
    Picked,
    Picker,
    Span,
    Standing,
    compare,
    quantities,
    sentences,
)
from .stances import by_model, by_parts, compared, spoken_of, titled, with_context

__all__ = ["Verifier", "Verifies"]

_QUOTES = 2
_POOL = 6  # sentences that the judge is asked about, for one sentence of an answer: the best by shared words


class Verifies(Protocol):
    """Whatever checks sentences against what they cite, one `Checked` each, in order."""

    @property
    def name(self) -> str: ...
    async def verify(
        self, question: str, kind: Kind, drafted: Sequence[DraftSentence], passages: Sequence[Passage]
    ) -> list[Checked]: ...
    async def contradict(self, pairs: Sequence[tuple[str, str]]) -> list[bool]: ...


class Verifier:
    """Checks drafts with `judge`.

    Check 4 of claims is made by `judge`, of quotations for a question by `picker`, of other sentences for one by `pertinence`, for of a
    question nothing can be entailed; default of both: the overlap. `inference` says what a quotation says of a claim where the parts alone
    leave it open; default: `judge`, if it can.
    """

    def __init__(
        self,
        judge: Entailment,
        *,
        pertinence: Entailment | None = None,
        inference: Entailment | None = None,
        picker: Picker | None = None,
    ) -> None:
        self.judge, self.picker = judge, picker
        self.inference = inference or (None if isinstance(judge, Overlap) else judge)
        self._words = Overlap()
        self.pertinence = pertinence or (judge if isinstance(judge, Overlap) else self._words)

    @property
    def name(self) -> str:
        """What the report says."""
        judges = (self.judge, self.pertinence, self.inference)
        return ", ".join(dict.fromkeys(judge.name for judge in judges if judge is not None))

    async def verify(
        self, question: str, kind: Kind, drafted: Sequence[DraftSentence], passages: Sequence[Passage]
    ) -> list[Checked]:
        """One `Checked` a sentence, in order. The citations have no numbers yet."""
        by_id = {passage.id: passage for passage in passages}
        try:
            standings = await self._standings(question, kind, drafted, passages)
            picked = await self._picked(question, kind, drafted, passages)
        except CallFailed as error:
            why = f"the check against the request failed: {error}"
            return [Checked(text=sentence.text, verdict="unscored", why=why) for sentence in drafted]
        checked = [await self._one(question, kind, sentence, by_id, standings, picked) for sentence in drafted]
        quoted = [
            c.support or 0.0 for c, d in zip(checked, drafted, strict=True) if d.quoted and c.verdict == "supported"
        ]
        best, lines = max(quoted, default=0.0), self._about(kind).thresholds
        line = min(best, lines["beside"]) if standings else 0.0 if picked else lines["weakest"] * best
        for place, sentence in enumerate(drafted):
            found = checked[place]
            if sentence.quoted and found.verdict == "supported" and (found.support or 0.0) < line:
                why = f"too weak beside the best quotation (P = {found.support or 0.0:.2f} and {best:.2f})"
                checked[place] = found.model_copy(update={"verdict": "unsupported", "why": why})
        return checked

    async def contradict(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Whether the first text of each pair contradicts the second.

        Raises:
            CallFailed: the judge failed.
        """
        if isinstance(self.judge, Overlap):
            return [compare(second, first).outcome == "otherwise" for first, second in pairs]
        line = self.judge.thresholds["contradicts"]
        return [judgement.contradicts >= line for judgement in await self.judge.judge(pairs)]

    def _about(self, kind: Kind) -> Entailment:
        return self.judge if kind == "claim" else self.pertinence

    async def _standings(
        self, question: str, kind: Kind, drafted: Sequence[DraftSentence], passages: Sequence[Passage]
    ) -> dict[str, Standing]:
        """By passage; empty where check 4 does not weigh it."""
        if kind != "claim" or not isinstance(self.judge, Overlap) or not any(sentence.quoted for sentence in drafted):
            return {}
        found = await self.judge.standings(question, [passage.indexed for passage in passages])
        return {passage.id: standing for passage, standing in zip(passages, found, strict=True)}

    async def _picked(
        self, question: str, kind: Kind, drafted: Sequence[DraftSentence], passages: Sequence[Passage]
    ) -> dict[tuple[str, int, str], Picked]:
        """What the picker says of each quotation of the passages, by passage, place and words; empty where no picker decides."""
        if self.picker is None or kind != "question" or not any(sentence.quoted for sentence in drafted):
            return {}
        return {
            (passages[each.quotation.place].id, each.quotation.start, each.quotation.text): each
            for each in await self.picker.pick(question, passages)
        }

    async def _one(
        self, question: str, kind: Kind, sentence: DraftSentence, passages: dict[str, Passage],
        standings: dict[str, Standing], picked: dict[tuple[str, int, str], Picked],
    ) -> Checked:  # fmt: skip
        text = sentence.text
        if sentence.unknown:
            shown = ", ".join(f"[{number}]" for number in sentence.unknown)
            return Checked(text=text, verdict="unsupported", why=f"it cites {shown}, and there is no such passage")
        if sentence.quoted:
            passage = passages[sentence.cites[0]]
            start = passage.text.find(text) if sentence.start is None else sentence.start
            if start < 0 or passage.text[start : start + len(text)] != text:
                return Checked(text=text, verdict="unsupported", why="the quotation does not stand in its source")
            span = Span(start, start + len(text), text)
            if self.picker is not None and (found := picked.get((passage.id, start, text))) is not None:
                return self._answers(passage, span, found, self.picker)
            cited = [(passage, span)]
            support, how = None, "quoted letter for letter"
        else:
            traced = not sentence.cites
            pool = [passages[key] for key in sentence.cites] or list(passages.values())
            try:
                best = await self._best(text, pool)
            except CallFailed as error:
                return Checked(text=text, verdict="unscored", why=f"the check failed: {error}")
            if best is None:
                where = "no passage says it" if traced else "what it cites does not say it"
                missing = _missing(text, pool)
                return Checked(text=text, verdict="unsupported", why=f"{where} ({missing or self.judge.name})")
            cited, support = best
            comparison = compared(text, cited)
            if comparison.outcome != "borne out":
                why = f"what it cites does not bear it out: {comparison.why}"
                return Checked(text=text, verdict="unsupported", why=why)
            cited = [one for one in cited if compared(text, [one]).outcome == "borne out"] or cited
            how = "it cited nothing; traced to what says it" if traced else "what it cites says it"
            if traced:
                cited = cited[:1]
        about = self._about(kind)
        need = about.thresholds["pertinent"]
        pairs = [(titled(passage, span.text), question) for passage, span in cited]
        try:
            if sentence.quoted and standings and isinstance(about, Overlap):
                judged = await about.judge_found(pairs, [standings[passage.id] for passage, _ in cited])
                need = about.found_line
            else:
                judged = await about.judge(pairs)
            sides = await self._sides(question, cited, judged) if kind == "claim" else [(None, "")] * len(cited)
        except CallFailed as error:
            return Checked(text=text, verdict="unscored", why=f"the check against the request failed: {error}")
        citations = tuple(
            _citation(passage, span, judgement, side)
            for (passage, span), judgement, side in zip(cited, judged, sides, strict=True)
        )
        best_about = max(judgement.evidence for judgement in judged)
        support = best_about if support is None else min(support, best_about)
        if best_about < need:
            why = f"{how}, but it does not bear on the request (P = {best_about:.2f})"
            return Checked(
                text=text, verdict="unsupported", why=why, citations=citations, support=support, quoted=sentence.quoted
            )
        return Checked(
            text=text, verdict="supported", why=f"{how} (P = {support:.2f})", citations=citations, support=support,
            quoted=sentence.quoted,
        )  # fmt: skip

    async def _sides(
        self, claim: str, cited: Sequence[tuple[Passage, Span]], judged: Sequence[Judgement]
    ) -> list[tuple[Stance | None, str]]:
        """Whether each quotation speaks for a claim or against it, and what decided.

        Raises:
            CallFailed: the inference failed.
        """
        need = self.judge.thresholds["pertinent"]
        sides: list[tuple[Stance | None, str]] = [(None, "")] * len(cited)
        for place, judgement in enumerate(judged):
            if judgement.evidence >= need:
                sides[place] = by_parts(claim, cited[place])
        if self.inference is None:
            return sides
        least = self.inference.thresholds.get("spoken_of", 0.0)
        unsure = [
            place
            for place, (stance, why) in enumerate(sides)
            if stance is None and why and spoken_of(claim, cited[place]) >= least
        ]
        if self.inference is self.judge:
            inferred = [judged[place] for place in unsure]
        else:
            inferred = await self.inference.judge([(with_context(*cited[place]), claim) for place in unsure])
        for place, judgement in zip(unsure, inferred, strict=True):
            stance, why = by_model(claim, cited[place], judgement, self.inference)
            sides[place] = (stance, why or sides[place][1])
        return sides

    def _answers(self, passage: Passage, span: Span, picked: Picked, picker: Picker) -> Checked:
        """A quotation for a question, judged by the picker."""
        citations = (_citation(passage, span, Judgement(supports=picked.probability), (None, "")),)
        stands = picked.answered >= picker.line
        why = f"quoted letter for letter (P = {picked.answered:.2f})"
        if not stands:
            why = f"quoted letter for letter, but it is not surely the answer (P = {picked.answered:.2f}, needed {picker.line:.2f})"
        return Checked(
            text=span.text, verdict="supported" if stands else "unsupported", why=why, citations=citations,
            support=picked.probability, near=not stands and picked.answered >= picker.near, quoted=True,
        )  # fmt: skip

    async def _best(self, text: str, pool: Sequence[Passage]) -> tuple[list[tuple[Passage, Span]], float] | None:
        """The one or two sentences of each cited passage that entail `text`, with the probability; None: none does.

        Passages that do not support it on their own are left out: a citation too many is a wrong citation.
        """
        spans = [(passage, span) for passage in pool for span in sentences(passage.text)]
        if not spans:
            return None
        if len(spans) > _POOL:
            shared = await self._words.evidence([(" ".join(span.text.split()), text) for _, span in spans])
            spans = [spans[i] for i in sorted(sorted(range(len(spans)), key=lambda i: -shared[i])[:_POOL])]
        judged = await self.judge.judge([(" ".join(span.text.split()), text) for _, span in spans])
        need = self.judge.thresholds["entails"]
        ranked = sorted(range(len(spans)), key=lambda i: -judged[i].supports)
        cited: dict[str, tuple[Passage, Span]] = {}
        for i in ranked:
            if judged[i].supports >= need:
                cited.setdefault(spans[i][0].id, spans[i])
        if cited:
            return list(cited.values()), judged[ranked[0]].supports
        if len(ranked) >= _QUOTES:
            pair = sorted(ranked[:_QUOTES], key=lambda i: (spans[i][0].id, spans[i][1].start))
            [both] = await self.judge.judge([(" ".join(" ".join(spans[i][1].text for i in pair).split()), text)])
            if both.supports >= need:
                return [spans[i] for i in pair], both.supports
        return None


def _missing(statement: str, pool: Sequence[Passage]) -> str:
    """A number or a date of a statement that no passage has, in words; "" where there is none."""
    there = [quantity for passage in pool for quantity in quantities(passage.indexed)]
    missing = (each for each in quantities(statement) if not any(other.within(each) for other in there))
    return next((f"{quantity.text!r} stands nowhere in it" for quantity in missing), "")


def _citation(passage: Passage, span: Span, judged: Judgement, side: tuple[Stance | None, str]) -> Citation:
    stance, decided = side
    return Citation(
        passage=passage.id,
        document=passage.document,
        title=passage.title,
        source=passage.source,
        page=passage.page,
        start=passage.start + span.start,
        end=passage.start + span.end,
        quote=span.text,
        support=round(judged.evidence, 4),
        stance=stance,
        decided=decided,
    )
