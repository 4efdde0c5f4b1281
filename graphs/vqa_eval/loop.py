"""`vqa_eval`: a data set answered by the ladder of methods, scored under every rule, with the causes of errors.

Every figure has a bootstrap interval over questions; methods are compared in pairs on the same questions. A question that could
not be answered (the model failed, the budget ended) is unscored and counted, never a 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...evaluators.vqa import counted
from ...runtime.errors import BadInput
from ...runtime.run import Loop
from ...runtime.session import Mapped, Session, Warned
from ...runtime.storage import write_whole
from ..promptcap import BRINGS, MethodStarted, Question, VQAModels, VQATask, answer, shots_of, store_pictures
from .ablations import OURS
from .causes import explain
from .config import VQAEvalConfig
from .plan import Plan
from .predictions import need_place, write_predictions
from .result import Answers, VQAEvalResult, method_report, pairs_of, rows_of, score_tasks, worst_of

__all__ = ["vqa_eval"]


class Evaluation:
    """What the questions of an evaluation share."""

    def __init__(self, plan: Plan, models: VQAModels) -> None:
        self.plan, self.models, self.session = plan, models, models.session
        self.questions = plan.questions(plan.methods, plan.asked)
        self._started: set[str] = set()

    async def answer(self, id: str, question: Question) -> VQATask | None:
        """A question brought to its end; None where the budget has no room for it."""
        method = question.method.name
        if method not in self._started:
            self._started.add(method)
            count = sum(each.method.name == method for each in self.questions.values())
            self.session.emit(MethodStarted(way=method, questions=count))
        return await answer(self.models, id, question)

    async def ask(self, questions: Mapping[str, Question]) -> Mapped[VQATask]:
        """Further questions, such as those that explain errors."""
        self.questions = {**self.questions, **questions}
        return await self.session.map(questions, self.answer, in_flight=self.plan.config.in_flight)


async def _open(config: VQAEvalConfig, session: Session) -> Evaluation:
    plan = Plan.of(config)
    if config.predictions:
        need_place(config.predictions)
    seen = bool(config.tagger or config.ocr)
    seen |= any(method.selection == "image+question" and method.shots for method in plan.methods)
    lacking = [item.picture for item in plan.pool if seen or not item.captions]
    pictures = store_pictures([*(item.picture for item in plan.asked), *lacking], session.store.blobs)
    models = VQAModels(config, session, plan.methods)
    models.pictures = pictures
    models.examples_are = "generic" if config.way.caption == "generic" else "aware"
    await models.open_knowledge()
    await _check_oracle(plan, models)
    shots = [*session.parts.get("pool", ()), *shots_of(plan.pool, pictures, choices=config.multiple_choice)]
    await models.open_shots(shots)
    models.tell_foreign()
    for note in plan.notes(shots):
        session.emit(Warned(text=note))
    return Evaluation(plan, models)


async def _check_oracle(plan: Plan, models: VQAModels) -> None:
    """Raise `BadInput` where the index lacks the oracle's passages: a cause told without them would be none."""
    ids = list(dict.fromkeys(key for item in plan.asked for key in item.oracle_passages))
    if models.index is None or not ids or not plan.config.causes or models.session.budget.exhausted():
        return
    lacking = [key for key, passage in zip(ids, await models.index.get(ids), strict=True) if passage is None]
    if lacking:
        raise BadInput(
            f"{len(lacking)} of the {len(ids)} passages of {plan.config.oracle!r} are not in the index {plan.config.index!r}"
            f" ({', '.join(lacking[:3])}): give the index that it was written for, or --no-causes."
        )


async def _summary(evaluation: Evaluation, mapped: Mapped[VQATask]) -> Mapping[str, Any]:
    """The figures; every question goes to `items.jsonl` of the run's folder."""
    plan, session = evaluation.plan, evaluation.session
    headline, names = plan.headline, [method.name for method in plan.methods]
    answers: Answers = {name: {} for name in names}
    for id, task in mapped.results.items():
        answers[task.way][evaluation.questions[id].id] = task
    failures = {
        name: [str(error) for id, error in mapped.failures.items() if evaluation.questions[id].method.name == name]
        for name in names
    }
    scores = {name: score_tasks(plan.rules, plan.asked, answers[name]) for name in names}
    explained = await explain(plan, answers, scores, evaluation.ask)
    reports = tuple(
        method_report(method, plan.asked, answers[method.name], scores[method.name], headline, failures[method.name])
        for method in plan.methods
    )
    notes = [note for report in reports for note in report.notes]
    if plan.config.predictions:
        notes.append(await write_predictions(plan, answers[OURS], evaluation.ask))
    for note in filter(None, dict.fromkeys(notes)):
        session.emit(Warned(text=note))
    rows = rows_of(plan.asked, answers, scores, explained.causes, headline)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write_whole(session.folder.path / "items.jsonl", lines.encode("utf-8"))
    return {
        "tasks": (),
        "stopped": session.budget.exhausted() if mapped.left_out or not explained.complete else None,
        "headline": headline,
        "questions": len(plan.asked),
        "ways": reports,
        "pairs": pairs_of(plan.methods, scores, headline),
        "causes": counted(list(explained.causes.values())),
        "unexplained": explained.why,
        "worst": worst_of(rows),
        "predictions": plan.config.predictions,
    }


def _questions(config: VQAEvalConfig) -> Mapping[str, Question]:
    plan = Plan.of(config)
    return plan.questions(plan.methods, plan.asked)


vqa_eval = Loop(
    name="vqa_eval",
    config=VQAEvalConfig,
    result=VQAEvalResult,
    inputs=_questions,
    open=_open,
    work=Evaluation.answer,
    summary=_summary,
    brings=BRINGS,
    checkpoints=False,
    brief="score answers to a VQA data set beside baselines, and say why they fail",
)
