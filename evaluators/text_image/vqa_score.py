"""VQAScore: the probability that a VQA model says yes to 'Does this figure show "..."?' (Lin et al. 2024, arXiv 2404.01291).

Not comparable to the published figures: those are P("Yes") of the first token by CLIP-FlanT5-XXL. A `VisualQA` gives
P(yes) / (P(yes) + P(no)), which is higher wherever a model spends probability on other words. Compare runs of one model.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...runtime.errors import BadInput
from ...runtime.protocols import VisualQA
from ...runtime.records import Cost, Part, Sample, Score
from ...runtime.session import each
from ..stats import unscored

__all__ = ["TEMPLATE", "VQAScore"]

TEMPLATE = 'Does this figure show "{}"? Please answer yes or no.'


class VQAScore:
    """An `Evaluator` of pictures for their texts; one question a sample, all of them asked at once.

    `template` holds one `{}` for the text. A text that is too long for the model is refused by it: no score.
    """

    name = "vqascore"

    def __init__(self, vqa: VisualQA, *, template: str = TEMPLATE) -> None:
        if template.count("{}") != 1:
            raise BadInput(f"the template {template!r} must hold '{{}}' once, where the text goes.")
        self.vqa = vqa
        self.template = template

    async def score(self, samples: Sequence[Sample]) -> list[Score]:
        """A probability from 0 to 1 a sample; None where there is no picture, no answer or no p(yes)."""
        asked = [
            (sample.image, self.template.replace("{}", " ".join(sample.text.split())))
            for sample in samples
            if sample.image is not None
        ]
        answers = iter(await each(self.vqa.answer, asked))
        scores = []
        for sample in samples:
            if sample.image is None:
                scores.append(unscored(sample))
                continue
            answer = next(answers)
            if isinstance(answer, Exception):
                scores.append(unscored(sample, answer))
                continue
            if answer.p_yes is None:
                reason = f"{self.vqa.model} gives no probability of yes for {self.template!r}"
                scores.append(Score(value=None, explanation=reason, cost=Cost(answers=1)))
                continue
            told = f"p(yes) {answer.p_yes:.3f}; the answer was {answer.text!r}"
            parts = (Part(name=sample.text, value=answer.p_yes, detail=f"answer={answer.text!r}"),)
            scores.append(Score(value=answer.p_yes, explanation=told, parts=parts, cost=Cost(answers=1)))
        return scores
