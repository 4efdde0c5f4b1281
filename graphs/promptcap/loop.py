"""`vqa`: questions about pictures, each answered by one run of the state machine.

```
vqa("image.jpg", "what is this animal's young called?", index="lancedb:///./index")
vqa(None, "which sport is this for?", caption="a motorcycle in a parking lot")
```
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...evaluators.vqa import check_question
from ...runtime.errors import BadInput
from ...runtime.run import Loop, exported
from ...runtime.session import Session
from ...tools.data import Selection
from .config import Asking, VQAConfig
from .context import first_state, max_steps
from .examples import read_examples, shots_of, store_pictures
from .graph import build, task_fields
from .models import BRINGS, VQAModels, need_index
from .result import Facts, Method, VQAResult, VQATask

__all__ = ["Question", "answer", "graph", "vqa"]

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question for one method; `picture` is a file of `VQAModels.pictures`, empty for none."""

    id: str
    method: Method
    text: str
    picture: str = ""
    choices: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)

    @property
    def thread(self) -> str:
        """Its name in the checkpoints, one for each method that is asked it."""
        return f"{self.method.name.replace('/', ' ')}/{self.id}"


async def answer(models: VQAModels, id: str, question: Question) -> VQATask | None:
    """A question brought to its end; None where the budget has no room for it.

    Questions in flight share the queue of each model, so that their captions and answers are computed in batches.
    """
    session, begun = models.session, time.monotonic()
    if session.budget.exhausted():
        return None
    context = models.context(question.method)
    start = first_state(
        context, id, question.text, image=models.pictures.get(question.picture), choices=question.choices,
        facts=question.facts,
    )  # fmt: skip
    steps = max_steps(question.method)
    state = await session.finish(build(), context=context, id=question.thread, start=start, max_steps=steps)
    return VQATask(id=id, seconds=round(time.monotonic() - begun, 3), **task_fields(context, state))


def _questions(config: VQAConfig) -> Mapping[str, Question]:
    """The questions of a run, checked."""
    for place, asked in enumerate(config.asked, start=1):
        check_question(asked.question, "the question" if len(config.asked) == 1 else f"question {place}")
        if len(asked.choices) == 1:
            raise BadInput(f"{asked.choices!r} is one choice: give at least two, or none.")
        if not asked.image and not asked.caption:
            raise BadInput(f"there is no picture to {asked.question!r}: give one, or a caption.")
        if not asked.image and (config.tagger or config.ocr):
            raise BadInput(
                f"{config.tagger or config.ocr!r} looks at pictures, and there is none to {asked.question!r}: give one, or tags"
                " and text as words."
            )
    need_index(config, [config.way])
    return {
        f"q{place}": Question(
            id=f"q{place}", method=_method(config.way, asked), text=" ".join(asked.question.split()),
            picture=asked.image, choices=asked.choices,
            facts=Facts(captions=(asked.caption,) if asked.caption else (), tags=asked.tags, ocr=asked.ocr),
        )
        for place, asked in enumerate(config.asked, start=1)
    }  # fmt: skip


def _method(method: Method, asked: Asking) -> Method:
    """How a question is answered: a caption that is given is told instead of the captioner's."""
    if asked.image and not asked.caption:
        return method
    seen = asked.image or method.selection != "image+question"
    selection: Selection = method.selection if seen else "question"
    name = f"{method.name}, caption given"
    return method.model_copy(update={"name": name, "caption": "given", "selection": selection})


async def _open(config: VQAConfig, session: Session) -> VQAModels:
    examples = read_examples(config, config.data) if config.way.shots else []
    files = [*(asked.image for asked in config.asked), *(example.picture for example in examples)]
    pictures = store_pictures(files, session.store.blobs)
    models = VQAModels(config, session, [_method(config.way, asked) for asked in config.asked])
    models.pictures = pictures
    models.examples_are = "generic" if config.way.caption == "generic" else "aware"
    await models.open_knowledge()
    shots = shots_of(examples, pictures, choices=any(asked.choices for asked in config.asked))
    await models.open_shots([*session.parts.get("pool", ()), *shots])
    models.tell_foreign()
    return models


vqa = Loop(
    name="promptcap",
    called="vqa",
    config=VQAConfig,
    result=VQAResult,
    inputs=_questions,
    open=_open,
    work=answer,
    brings=BRINGS,
    brief="answer a question about a picture that needs knowledge",
)


def graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The loop for `langgraph dev`: the fields of `VQAConfig` in, the result out."""
    return exported(vqa)
