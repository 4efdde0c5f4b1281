"""Our answers as the leaderboards of VQA data sets take them.

    aokvqa         {question_id: {"multiple_choice": ..., "direct_answer": ...}}
    okvqa, vqav2   [{"question_id": ..., "answer": ...}, ...]

A-OKVQA's takes both answers to a question: what the run did not ask (to answer freely, or to choose) is asked beside it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from ...evaluators.vqa import SetName, VQAItem
from ...runtime.errors import PrerequisiteError
from ...runtime.session import Mapped
from ...runtime.storage import write_whole
from ..promptcap import Question, VQATask
from .ablations import OURS
from .plan import Plan

__all__ = ["need_place", "write_predictions"]

_CHOOSING, _FREELY = "multiple_choice", "direct_answer"
Asker = Callable[[Mapping[str, Question]], Awaitable[Mapped[VQATask]]]


def need_place(path: str) -> None:
    """Raise `PrerequisiteError` where no file can be written to `path`, before anything is paid for it."""
    folder = Path(path).parent
    if Path(path).is_dir() or not folder.is_dir():
        raise PrerequisiteError(
            f"the predictions cannot be written to {path!r}: {str(folder)!r} is no folder, or the name is one",
            remedy="name a file in a folder that is there: --predictions FILE",
        )


async def write_predictions(plan: Plan, ours: Mapping[str, VQATask], ask: Asker) -> str:
    """Write the file that the config names, and say what it lacks; "" for nothing.

    Raises:
        PrerequisiteError: the file cannot be written.
    """
    config, answers = plan.config, {_CHOOSING if plan.config.multiple_choice else _FREELY: _texts(ours)}
    fields: tuple[str, ...] = (_FREELY,)
    if config.data == "aokvqa":
        fields = (_CHOOSING, _FREELY)
        [other] = set(fields) - set(answers)
        items = [item for item in plan.asked if other == _FREELY or len(item.asked.choices) > 1]
        name = f"{OURS}, {'choosing' if other == _CHOOSING else 'answering freely'}"
        method = plan.method.model_copy(update={"name": name})
        questions = plan.questions([method], items, choosing=other == _CHOOSING)
        mapped = await ask(questions)
        answers[other] = _texts({questions[id].id: task for id, task in mapped.results.items()})
    content = _content(config.data, plan.asked, answers, fields)
    try:
        write_whole(
            Path(config.predictions), (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
        )
    except OSError as error:
        raise PrerequisiteError(
            f"the predictions cannot be written to {config.predictions!r} ({error.strerror or error})",
            remedy="make the folder writable, and resume the run.",
        ) from error
    lacking = {field: sum(item.id not in answers[field] for item in plan.asked) for field in fields}
    missing = ", ".join(f"{count} have no {field}" for field, count in lacking.items() if count)
    return (
        f"{config.predictions}: of {len(plan.asked)} questions {missing}; the official script takes a file that answers all."
        if missing
        else ""
    )


def _texts(tasks: Mapping[str, VQATask]) -> dict[str, str]:
    """The answer to each question that has one, the best guess where it is not borne out; of choices, what is one of them."""
    return {
        id: task.answer
        for id, task in tasks.items()
        if task.answer and (not task.choices or task.answer in task.choices)
    }


def _content(
    data: SetName, asked: tuple[VQAItem, ...], answers: Mapping[str, Mapping[str, str]], fields: tuple[str, ...]
) -> Any:
    if data == "aokvqa":
        rows = {
            item.id: {field: answers[field][item.id] for field in fields if item.id in answers[field]} for item in asked
        }
        return {id: row for id, row in rows.items() if row}
    given = answers[_FREELY]
    return [
        {"question_id": int(item.id) if item.id.isdecimal() else item.id, "answer": given[item.id]}
        for item in asked
        if item.id in given
    ]
