"""Steering as one loop: OPT2I's machine over questions, with floors that are told against the user's own question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.llm import open_chat
from ...runtime.run import Loop
from ...runtime.session import Mapped, Session
from ...tools.vision import is_closed, open_vqa
from ..opt2i import SearchedTask
from ..search import Searches, compared, search_one, texts_of
from .config import SteerConfig
from .result import SteerResult
from .task import LOOKS, SteerTask, kept_of

__all__ = ["steer_vlm"]


def _questions(config: SteerConfig) -> Mapping[str, str]:
    if len(config.texts) != 1:
        raise BadInput("give one question: what a rewording costs is told against it.")
    [question] = config.texts
    if question.count("{}") != 1:
        raise BadInput(f"{question!r}: put {{}} once, in the place of the thing that is asked for.")
    if not is_closed(question):
        raise BadInput(f"{question!r} asks for no yes or no: begin with Is, Are, Does or Can.")
    return texts_of(config)


def _open(config: SteerConfig, session: Session) -> Searches:
    chat = session.open("llm", open_chat, config.llm) if config.llm else None
    task = SteerTask(
        session.open("vqa", open_vqa, config.vqa),
        session.store,
        toward=config.toward,
        question=config.texts[0],
        chat=chat,
        on=config.on,
        seed=config.seed,
    )
    guarded = config
    if config.loss < 100:
        floors = (*config.floor, f"kept={kept_of(-config.loss / 100):.6f}", f"looks={LOOKS}")
        guarded = config.model_copy(update={"floor": floors})
    else:
        session.notes.append("no floor: the best question may be one that the model hardly answers any more.")
    return Searches(guarded, session, task)


def _summary(context: Searches, mapped: Mapped[SearchedTask]) -> Mapping[str, Any]:
    assert isinstance(context.config, SteerConfig)
    return {**compared(context, mapped), "toward": context.config.toward, "loss": context.config.loss}


steer_vlm = Loop(
    name="steer_vlm",
    config=SteerConfig,
    result=SteerResult,
    inputs=_questions,
    open=_open,
    work=search_one,
    summary=_summary,
    brings={"models": "by role: vqa (VisualQA), llm (Chat)", "stop": "a `StopRule`: the reason to end, or None"},
    brief="the wording of a question that makes a vision-language model look at shape, or at texture",
)
