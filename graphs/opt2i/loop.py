"""OPT2I: rewrite a text-to-image prompt until its pictures match it (Mañas et al. 2024, arXiv 2403.17804, algorithm 1).

1. the user's prompt is painted with a few seeds; its scene graph is asked of the pictures (DSG), its phrases compared (dCS)
2. the LLM sees the best prompts so far with their scores by question, and writes new ones
3. each is painted with the same seeds and scored against the user's prompt, never against the rewrite
4. the best k stay; again from 2 until the score is perfect, 30 times, or the budget is spent
5. what the paper leaves out: the best prompt and the user's are compared on unseen seeds and by the other scorer, beside
   blind paraphrases and more seeds of the user's prompt at the same number of pictures
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langgraph.graph.state import CompiledStateGraph

from ...runtime.errors import BadInput
from ...runtime.run import Loop, exported
from ...runtime.session import Mapped
from .baselines import compare, published
from .config import Opt2iConfig
from .context import Opt2iContext
from .realism import check_reference, realism_of
from .result import Opt2iResult, Opt2iTask
from .task import work

__all__ = ["graph", "opt2i"]

_LONGEST = 4000  # characters of a prompt; text encoders read a few hundred


def _prompts(config: Opt2iConfig) -> dict[str, str]:
    check_reference(config)
    for place, prompt in enumerate(config.prompts, start=1):
        of = f"prompt {place} of {len(config.prompts)}"
        if not prompt.strip():
            raise BadInput(f"{of} is empty ({prompt!r}): write what is to be painted.")
        if len(prompt) > _LONGEST:
            raise BadInput(f"{of} has {len(prompt)} characters, {prompt[:60]!r}...: give at most {_LONGEST}.")
    return {f"p{place}": " ".join(prompt.split()) for place, prompt in enumerate(config.prompts, start=1)}


async def _summary(context: Opt2iContext, mapped: Mapped[Opt2iTask]) -> Mapping[str, Any]:
    tasks = tuple(mapped.results.values())
    if context.panel is not None and (agreed := context.panel.agreement().in_words()):
        context.session.notes.append(f"{agreed}.")
    spent = [task.stop for task in tasks if task.stop.startswith("budget")]
    rows = {
        "comparisons": tuple(compare(tasks)),
        "published": tuple(published(tasks, context.config.objective)),
        "realism": await realism_of(context, tasks),
    }
    return rows | ({"stopped": spent[0]} if spent else {})


opt2i = Loop(
    name="opt2i",
    brief="rewrite a text-to-image prompt until the pictures are right",
    config=Opt2iConfig,
    result=Opt2iResult,
    inputs=_prompts,
    open=Opt2iContext,
    work=work,
    summary=_summary,
    brings={
        "models": "by role (llm, images, vqa, clip, questioner), an object with the methods of its protocol",
        "evaluators": "by name, an `Evaluator` of pictures of the user's prompt, or a function score(image: PIL.Image.Image, text: str) -> float",
        "objective": "a function of the mean scores by name, 0 to 1",
        "proposer": "a `Proposer`: writes new texts from the best trials",
        "stop": "a `StopRule`: the reason to end, or None",
        "reviewer": "with review: an async function of an `Offer` (as a dict) that gives a `Review`",
    },
)


def graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The loop for `langgraph dev`: the fields of `Opt2iConfig` in, the result out."""
    return exported(opt2i)
