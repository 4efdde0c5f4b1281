"""Statements made of sentences by rule, true and false ones: what is called supported by the document that they were made of.

Sentences of 60 abstracts of SciFact and of this repository's pages; a fixed draw. True: a copy, without its last clause, its first phrase
moved to the end, without a parenthesis. False: another number, name or word, a "not" more or less, two words exchanged; what remains true
by chance ("structure" for "structures") counts as false too. The peer is the calibrated overlap alone, on the document's best sentence.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from inloop.tools.data import read_corpus
from inloop.tools.entailment import Overlap, compare, content_words, quantities, sentences

from .figures import Figure, Options
from .rag_answers import scifact

__all__ = ["measure", "statements"]

_DOCUMENTS, _SENTENCES, _SEED = 60, 6, 7
_PAGES = ("README.md", "docs/serving.md", "docs/llm2llm.md", "docs/rag.md", "docs/promptcap.md")
_AUXILIARY = r"(?:is|are|was|were|can|did|does|do|will|has|have)"
_WORD = re.compile(r"[A-Za-z][a-z]{3,}")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][A-Za-z0-9-]+")


def measure(options: Options) -> list[Figure]:
    """Shares of the statements that are called supported, by kind and by who calls them so."""
    rng = random.Random(_SEED)
    asked: list[tuple[str, bool, str, str, list[str]]] = []
    for title, text in _documents(rng):
        lines = [line for span in sentences(text) if 6 <= len((line := " ".join(span.text.split())).split()) <= 45]
        for line in rng.sample(lines, min(len(lines), _SENTENCES)):
            asked += [
                (kind, true, statement, title, lines)
                for kind, true, statement in statements(line, " ".join(lines), rng)
            ]
    peer = asyncio.run(_overlap([(statement, lines) for _, _, statement, _, lines in asked]))
    ours, theirs = defaultdict(list), defaultdict(list)
    for (kind, true, statement, title, lines), supported in zip(asked, peer, strict=True):
        befores = ["", *lines]
        said = (compare(statement, line, title=title, before=befores[place]) for place, line in enumerate(lines))
        for name in (f"{'true' if true else 'false'}: {kind}", f"all {'true' if true else 'false'} ones"):
            theirs[name].append(supported)
            ours[name].append(False)
        if any(comparison.outcome == "borne out" for comparison in said):
            for name in (f"{'true' if true else 'false'}: {kind}", f"all {'true' if true else 'false'} ones"):
                ours[name][-1] = True
    return [
        Figure(name=name, value=100 * sum(ours[name]) / len(ours[name]), unit="% supported",
               note=f"{len(ours[name])} statements; the overlap alone: {100 * sum(theirs[name]) / len(theirs[name]):.1f} %")
        for name in sorted(ours)
    ]  # fmt: skip


def _documents(rng: random.Random) -> Iterator[tuple[str, str]]:
    abstracts = [(passage.title, passage.text) for passage in read_corpus(scifact() / "corpus.jsonl")]
    yield from rng.sample(abstracts, _DOCUMENTS)
    for page in _PAGES:
        text = (Path(__file__).resolve().parent.parent / page).read_text(encoding="utf-8")
        yield "", re.sub(r"[`*#|]", " ", text)


def statements(sentence: str, document: str, rng: random.Random) -> Iterator[tuple[str, bool, str]]:
    """Kind, whether it is true, and the statement; `document` gives other numbers, names and words."""
    yield "copy", True, sentence
    if (match := re.search(r",\s+(?:which|where|although|but|and)\b[^,]*[.]$", sentence)) and match.start() > 30:
        yield "without its last clause", True, sentence[: match.start()] + "."
    if match := re.match(r"((?:In|At|On|After|Before|During|For|With)\b[^,]{4,50}),\s+(.*)[.]$", sentence):
        yield "first phrase last", True, f"{match[2][0].upper()}{match[2][1:]} {match[1][0].lower()}{match[1][1:]}."
    if match := re.search(r"\s\([^()]*\)", sentence):
        yield "without a parenthesis", True, sentence[: match.start()] + sentence[match.end() :]
    if counted := [quantity for quantity in quantities(sentence) if quantity.scale in ("number", "date")]:
        quantity = rng.choice(counted)
        rivals = [
            other.text for other in quantities(document) if other.scale == quantity.scale and other.apart(quantity)
        ]
        if rivals:
            yield "number", False, sentence[: quantity.start] + rng.choice(rivals) + sentence[quantity.end :]
    if match := re.search(rf"\b{_AUXILIARY}\b(?! not)", sentence):
        yield "a not more", False, f"{sentence[: match.end()]} not{sentence[match.end() :]}"
    if match := re.search(rf"\b({_AUXILIARY}) not\b", sentence):
        yield "a not less", False, sentence[: match.start()] + match[1] + sentence[match.end() :]
    words = [match for match in _WORD.finditer(sentence) if content_words(match[0])]
    others = [
        word for word in content_words(document) if word.isalpha() and len(word) > 3 and word not in sentence.lower()
    ]
    if words and others:
        match = rng.choice(words)
        yield "word", False, sentence[: match.start()] + rng.choice(others) + sentence[match.end() :]
    names = list(_NAME.finditer(sentence))
    others = [name for name in _NAME.findall(document) if name not in sentence]
    if names and others:
        match = rng.choice(names)
        yield "name", False, sentence[: match.start()] + rng.choice(others) + sentence[match.end() :]
    if len(words) >= 3:
        place = rng.randrange(len(words) - 2)
        one, two = words[place], words[rng.randrange(place + 2, len(words))]
        if one[0].lower() != two[0].lower():
            between = sentence[one.end() : two.start()]
            yield (
                "two words exchanged",
                False,
                sentence[: one.start()] + two[0] + between + one[0] + sentence[two.end() :],
            )


async def _overlap(asked: list[tuple[str, list[str]]]) -> list[bool]:
    overlap = Overlap()
    supported = []
    for statement, lines in asked:
        best = max(await overlap.judge([(line, statement) for line in lines]), key=lambda judged: judged.evidence)
        enough = best.evidence >= overlap.thresholds["pertinent"]
        supported.append(enough and best.supports / best.evidence >= overlap.thresholds["stance"])
    return supported
