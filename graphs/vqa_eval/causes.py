"""Why answers of ours are wrong: the wrong ones are asked again with what an oracle knows, where the data set has one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from ...evaluators.vqa import RIGHT, Cause, cause_of
from ...runtime.session import Mapped
from ..promptcap import Question, VQATask
from .ablations import OURS, counterfactuals
from .plan import Plan, due
from .result import Answers, Scores, score_tasks

__all__ = ["Explained", "explain"]


@dataclass(frozen=True)
class Explained:
    """By question id, the cause of each answered question of ours; `why` some could not be told, and whether all were asked."""

    causes: Mapping[str, Cause]
    why: str
    complete: bool


async def explain(
    plan: Plan,
    answers: Answers,
    scores: Mapping[str, Scores],
    ask: Callable[[Mapping[str, Question]], Awaitable[Mapped[VQATask]]],
) -> Explained:
    """The causes; `ask` answers further questions."""
    config, headline = plan.config, plan.headline
    ours = scores[OURS][headline]
    wrong = [item for item in plan.asked if (value := ours[item.id]) is not None and value < RIGHT]
    by_method: dict[str, Scores] = {}
    why, complete = "", True
    has_caption = any(item.oracle_caption for item in plan.asked)
    has_passage = any(item.oracle_passages for item in plan.asked) and config.way.knowledge != "none"
    if not any(value is not None for value in ours.values()):
        why = "nothing was scored"
    elif not config.causes:
        why = "causes were not asked for"
    elif not (has_caption or has_passage):
        why = "there is no oracle (--oracle): causes other than the form of the answer could not be told"
    else:
        for method in counterfactuals(plan.method):
            if (method.caption == "oracle" and not has_caption) or (method.knowledge == "oracle" and not has_passage):
                continue
            items = [item for item in wrong if method.knowledge != "oracle" or item.oracle_passages]
            known = answers.get(method.name)
            if known:  # a rung of the ladder
                complete = complete and all(item.id in known for item in due(method, items))
            else:
                questions = plan.questions([method], items)
                mapped = await ask(questions)
                known = {questions[id].id: task for id, task in mapped.results.items()}
                complete = complete and not mapped.left_out
            by_method[method.name] = score_tasks(plan.rules, wrong, known)
        if not complete:
            why = "the budget ended before every error was explained: some are unknown for that"
    causes = {}
    for item in plan.asked:
        value = ours[item.id]
        if value is None:
            continue
        other = {name: found[headline].get(item.id) for name, found in by_method.items()}
        causes[item.id] = cause_of(
            answers[OURS][item.id].answer, item.asked, value, with_caption=other.get("oracle caption"),
            with_passage=other.get("oracle passage"), with_both=other.get("oracle caption and passage"),
        )  # fmt: skip
    return Explained(causes, why, complete)
