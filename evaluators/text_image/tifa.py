"""TIFA: the share of a prompt's multiple choice questions that a picture answers rightly (Hu et al. 2023, arXiv 2303.11897).

The VQA model answers freely; its answer is taken for the choice that it equals after VQA normalisation, else for the
nearest one by an `Embedder` (the release uses SBERT), else for none of them: wrong. Questions have no dependencies.
Not comparable to the published figures unless questions, VQA model and embedder are theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ...agents.scene import SceneGraph
from ...runtime.errors import BadInput
from ...runtime.protocols import Embedder, VisualQA
from ...runtime.records import Answer, Cost, Part, Record, Sample, Score
from ...runtime.session import each
from ...runtime.text import json_of, read_text
from ..stats import unscored
from ..vqa import official_form
from .dsg import verdict

__all__ = ["TIFA", "ChoiceQuestion", "questions_from_graph", "read_tifa_questions"]

_COLORS = ("red", "blue", "green", "yellow", "black", "white")
_COUNTED = re.compile(r"^other - count \((.+?),\s*(?:==\s*)?(\d+)\)$", re.IGNORECASE)
_COLORED = re.compile(r"^attribute - colou?r \((.+?),\s*(.+)\)$", re.IGNORECASE)


class ChoiceQuestion(Record):
    """A question with its choices and the one that is right for the prompt; `element` is what it asks about."""

    question: str
    choices: tuple[str, ...]
    answer: str
    element: str = ""


class TIFA:
    """An `Evaluator` of pictures for the questions of one prompt; the texts of the samples are not looked at."""

    name = "tifa"

    def __init__(self, vqa: VisualQA, questions: Sequence[ChoiceQuestion], *, embedder: Embedder | None = None) -> None:
        if not questions:
            raise BadInput("there are no questions to score with: give one or more.")
        for question in questions:
            if question.answer not in question.choices:
                raise BadInput(f"{question.question!r}: the answer {question.answer!r} is not among its choices.")
        self.vqa = vqa
        self.questions = tuple(questions)
        self.embedder = embedder

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """A share from 0 to 1 a sample; None where a question could not be answered."""
        pictures = list({s.image.sha256: s.image for s in samples if s.image is not None}.values())
        asked = [(picture, question.question) for picture in pictures for question in self.questions]
        answers = await each(self.vqa.answer, asked)
        parts: dict[str, list[Part]] = {picture.sha256: [] for picture in pictures}
        reasons: dict[str, str] = {}
        for place, ((picture, _), answer) in enumerate(zip(asked, answers, strict=True)):
            question = self.questions[place % len(self.questions)]
            if isinstance(answer, Exception):
                reasons[picture.sha256] = str(answer)
                parts[picture.sha256].append(Part(name=question.question, value=None, detail="no answer"))
                continue
            chosen = await self._choice(question, answer)
            told = f"answer={answer.text!r} choice={chosen!r} right={question.answer!r}"
            value = float(chosen == question.answer)
            parts[picture.sha256].append(Part(name=question.question, value=value, detail=told))
        return [
            unscored(sample)
            if sample.image is None
            else _total(parts[sample.image.sha256], reasons.get(sample.image.sha256, ""))
            for sample in samples
        ]

    async def _choice(self, question: ChoiceQuestion, answer: Answer) -> str | None:
        """The choice that an answer means; None for none of them."""
        if set(question.choices) == {"yes", "no"}:
            said = verdict(answer)
            return None if said is None else "yes" if said else "no"
        forms = {official_form(choice): choice for choice in question.choices}
        if (form := official_form(answer.text)) in forms:
            return forms[form]
        if self.embedder is None or not answer.text.strip():
            return None
        vectors = await each(self.embedder.texts, [answer.text, *question.choices])
        if any(isinstance(vector, Exception) for vector in vectors):
            return None
        said_vector, *others = [vector for vector in vectors if not isinstance(vector, Exception)]
        near = [sum(a * b for a, b in zip(said_vector, other, strict=True)) for other in others]
        return question.choices[near.index(max(near))]


def questions_from_graph(graph: SceneGraph) -> list[ChoiceQuestion]:
    """The questions of a scene graph as TIFA asks them: yes/no for each tuple, and a choice for colours and counts."""
    asked = []
    for node in graph.nodes:
        element = node.tuple.partition(" (")[0]
        asked.append(
            ChoiceQuestion(question=node.question, choices=("yes", "no"), answer=node.expected, element=element)
        )
        if node.expected == "no":
            continue
        if match := _COLORED.match(node.tuple):
            thing, color = match[1], match[2].strip()
            choices = tuple(dict.fromkeys([color, *_COLORS]))[:5]
            asked.append(
                ChoiceQuestion(question=f"What color is the {thing}?", choices=choices, answer=color, element=element)
            )
        elif match := _COUNTED.match(node.tuple):
            count = int(match[2])
            choices = tuple(str(n) for n in sorted({count, 1, 2, 3, 4}))
            thing = match[1] if match[1].endswith("s") else f"{match[1]}s"
            asked.append(
                ChoiceQuestion(
                    question=f"How many {thing} are there?", choices=choices, answer=str(count), element=element
                )
            )
    return asked


def read_tifa_questions(path: Path) -> dict[str, list[ChoiceQuestion]]:
    """The questions by caption of a file in the form of `tifa_v1.0_question_answers.json`; `BadInput` names the row."""
    text = read_text(path)
    try:
        rows = json_of(text)
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is no JSON: {error}.") from None
    found: dict[str, list[ChoiceQuestion]] = {}
    for place, row in enumerate(rows if isinstance(rows, list) else []):
        try:
            question = ChoiceQuestion(
                question=row["question"],
                choices=tuple(row["choices"]),
                answer=row["answer"],
                element=str(row.get("element_type", "")),
            )
            found.setdefault(row["caption"], []).append(question)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{str(path)!r}: row {place} is no TIFA question ({error}): {row!r:.200}") from None
    if not found:
        raise BadInput(f"{str(path)!r} holds no questions: give a list of caption, question, choices and answer.")
    return found


def _total(parts: list[Part], reason: str) -> Score:
    cost = Cost(answers=sum(part.value is not None for part in parts))
    missing = sum(part.value is None for part in parts)
    if missing:
        why = f"{missing} of {len(parts)} questions could not be answered: {reason}"
        return Score(value=None, explanation=why, parts=tuple(parts), cost=cost)
    values = [part.value for part in parts if part.value is not None]
    wrong = [part.name for part in parts if part.value == 0]
    told = f"{len(parts) - len(wrong)} of {len(parts)} questions answered rightly"
    if wrong:
        told += f"; not: {' '.join(wrong)}"
    return Score(value=sum(values) / len(values), explanation=told, parts=tuple(parts), cost=cost)
