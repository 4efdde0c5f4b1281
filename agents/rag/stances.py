"""What a quotation says of a claim or a sentence: by its parts, and by a model where these leave it open.

A quotation is a passage and a place in it; it is read under what it stands under, after what it leans on.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.answers import Stance
from ...runtime.passages import Passage
from ...tools.entailment import Comparison, Entailment, Judgement, Span, compare, evidence_features, leans, sentences

__all__ = ["by_model", "by_parts", "compared", "spoken_of", "titled", "with_context"]


def compared(statement: str, cited: Sequence[tuple[Passage, Span]], *, words: bool = False) -> Comparison:
    """A statement beside what is cited for it, with the titles that this stands under and the sentence before it."""
    passage, span = cited[0]
    title = ". ".join(dict.fromkeys(line for each, _ in cited for line in each.above))
    before = next((each.text for each in reversed(sentences(passage.text[: span.start]))), "")
    source = " ".join(" ".join(each.text.split()) for _, each in cited)
    return compare(statement, source, title=title, before=before, words=words)


def spoken_of(claim: str, cited: tuple[Passage, Span]) -> float:
    """The share of a claim's words that a quotation has, with what it stands under and leans on."""
    return evidence_features(". ".join((*cited[0].above, with_context(*cited))), claim, None)[0]


def titled(passage: Passage, text: str) -> str:
    """A sentence under the title of its document, without which "this drug" says nothing."""
    line = " ".join(text.split())
    return f"{passage.title}\n{line}" if passage.title and passage.title not in line else line


def with_context(passage: Passage, span: Span) -> str:
    """A sentence under its title, after the one that it leans on where it leans on one ("It was built in 1903.")."""
    before = next((each.text for each in reversed(sentences(passage.text[: span.start]))), "")
    return titled(passage, f"{before} {span.text}" if before and leans(span.text) else span.text)


def by_parts(claim: str, cited: tuple[Passage, Span]) -> tuple[Stance | None, str]:
    """Whether a quotation speaks for a claim or against it by its parts alone, every word among them; else what is lacking."""
    comparison = compared(claim, [cited], words=True)
    stances: dict[str, Stance] = {"borne out": "supports", "otherwise": "contradicts"}
    return stances.get(comparison.outcome), comparison.why


def by_model(
    claim: str, cited: tuple[Passage, Span], judgement: Judgement, inference: Entailment
) -> tuple[Stance | None, str]:
    """What a model says where the parts leave it open: a "supports" that a part stands against is none."""
    sure = inference.thresholds["stance"]
    share = judgement.supports / max(judgement.evidence, 1e-9)
    if share >= sure and judgement.supports >= inference.thresholds["entails"]:
        comparison = compared(claim, [cited])
        if comparison.outcome == "borne out":
            return "supports", f"{inference.name} (P = {judgement.supports:.2f})"
        return None, comparison.why
    if share <= 1 - sure and judgement.contradicts >= inference.thresholds["contradicts"]:
        return "contradicts", f"{inference.name} (P = {judgement.contradicts:.2f})"
    return None, ""
