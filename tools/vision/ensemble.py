"""Several judges as one: the weighted mean of their probabilities of yes.

Scores are averaged and not verdicts: on the released TIFA160 answers a majority vote on each question correlates worse with people than the mean of
the models' scores, and that better than the best model. What scores a picture by several questions takes the mean of the members' scores
(`evaluators.text_image.Panel`). Weights are equal unless they were certified on labelled answers.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import VisualQA
from ...runtime.records import Answer, BlobRef
from ...runtime.roles import close
from ...runtime.session import settled
from .certificate import Certificate
from .questions import closed_answer, is_closed

__all__ = ["EnsembleVQA", "probability"]


def probability(answer: Answer) -> float | None:
    """The probability of yes: 1 or 0 by the text where the model gave none; None where the text is neither."""
    if answer.p_yes is not None:
        return answer.p_yes
    return {"yes": 1.0, "no": 0.0}.get(closed_answer(answer.text))


class EnsembleVQA:
    """A `VisualQA` of others. `said` holds, by picture and question, what each member answered with yes (True) or no.

    Args:
        members: two or more different models; they are closed with the ensemble.
        weights: one a member, above or equal to 0; by default equal ones.
        certificate: what the weights were certified on.
    """

    def __init__(
        self,
        members: Sequence[VisualQA],
        weights: Sequence[float] | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        names = [member.model for member in members]
        if len(members) < 2 or len({(member.model, member.revision) for member in members}) < len(members):
            raise BadInput(f"an ensemble needs two or more different models; these are {names}.")
        given = [1.0] * len(members) if weights is None else list(weights)
        if len(given) != len(members) or min(given) < 0 or not sum(given) > 0:
            raise BadInput(
                f"the weights {given} do not fit the {len(members)} models {names}: give one above 0 of each."
            )
        self.members = tuple(members)
        self.weights = tuple(weight / sum(given) for weight in given)
        self.certificate = certificate
        self.said: dict[tuple[str, str], tuple[bool, ...]] = {}

    @property
    def model(self) -> str:
        """The members' names, joined by "+"."""
        return " + ".join(member.model for member in self.members)

    @property
    def revision(self) -> str:
        """The sha256 of the members' revisions and weights."""
        parts = [
            f"{member.model} {member.revision} {weight:.9f}"
            for member, weight in zip(self.members, self.weights, strict=True)
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the run must know: the members, their weights and where these come from."""
        told = ", ".join(
            f"{member.model} {weight:.2f}" for member, weight in zip(self.members, self.weights, strict=True)
        )
        why = (
            "no certificate was given: the weights are equal"
            if self.certificate is None
            else self.certificate.in_words()
        )
        own = [note for member in self.members for note in getattr(member, "notes", ())]
        return (f"the judge is the mean of several, by weight: {told}; {why}.", *own)

    async def answer(self, asked: Sequence[tuple[BlobRef, str]]) -> list[Answer]:
        """One answer a (picture, question), in order: to a closed question yes or no with the mean probability, to an open one what most weight says.

        Raises:
            BadInput, CallFailed, PrerequisiteError: as a member does; or a member answered a closed question with neither yes nor no.
        """
        rows = await settled([member.answer(asked) for member in self.members])
        return [
            self._joined(image, question, [answers[place] for answers in rows])
            for place, (image, question) in enumerate(asked)
        ]

    def hear(self, picture: str, question: str, verdicts: Sequence[bool | None]) -> None:
        """Note what each member said; counted once a picture and question, where all said yes or no."""
        if None not in verdicts:
            self.said[picture, question] = tuple(bool(said) for said in verdicts)

    async def aclose(self) -> None:
        """Close the members."""
        for member in self.members:
            await close(member)

    def _joined(self, image: BlobRef, question: str, answers: Sequence[Answer]) -> Answer:
        if not is_closed(question):
            weight: dict[str, float] = defaultdict(float)
            for answer, own in zip(answers, self.weights, strict=True):
                weight[answer.text.casefold()] += own
            best = max(weight.values())
            # of equals the first member's
            return next(answer for answer in answers if weight[answer.text.casefold()] >= best - 1e-9)
        known = []
        for member, answer in zip(self.members, answers, strict=True):
            p_yes = probability(answer)
            if p_yes is None:
                raise CallFailed(f"{member.model} answered {answer.text[:60]!r} to {question!r}, neither yes nor no")
            known.append(p_yes)
        self.hear(image.sha256, question, [p_yes >= 0.5 for p_yes in known])
        p_yes = round(sum(own * each for own, each in zip(self.weights, known, strict=True)), 6)
        return Answer(text="yes" if p_yes >= 0.5 else "no", p_yes=p_yes)
