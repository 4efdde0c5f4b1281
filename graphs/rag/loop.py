"""The RAG loop as one object: questions to an index, each answered by its own machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.run import Loop, exported
from ...runtime.session import Mapped
from .config import RagConfig
from .context import AGENTS, MODELS, RagContext, open_context
from .graph import build
from .result import RagResult, RagTask
from .state import first_state, task_fields

__all__ = ["ask", "checked", "finish", "graph"]

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph

_LONGEST = 4000


def _questions(config: RagConfig) -> Mapping[str, str]:
    """The questions by id; `BadInput` for one that nothing can be done with."""
    of = len(config.questions)
    if not of:
        raise BadInput('no question: give one, as in inloop ask "who built the bridge?" --index lancedb:///./index.')
    return {
        f"q{place}": checked(question, "the question" if of == 1 else f"question {place} of {of}")
        for place, question in enumerate(config.questions, start=1)
    }


def checked(question: str, name: str = "the question") -> str:
    """A question on one line; `BadInput`, with its `name`, for one that nothing can be done with."""
    if not any(sign.isalnum() for sign in question):
        raise BadInput(f"{name} has no word in it ({question[:60]!r}): write what you want to know.")
    if len(question) > _LONGEST:
        raise BadInput(f"{name} has {len(question)} characters, {question[:60]!r}...: give at most {_LONGEST}.")
    return " ".join(question.split())


async def finish(context: RagContext, id: str, question: str) -> RagTask:
    """Work on one question to its end."""
    begun = time.monotonic()
    state = await context.session.finish(
        build(), context=context, id=id, start=first_state(id, question), max_steps=context.config.max_steps
    )
    return RagTask(id=id, seconds=round(time.monotonic() - begun, 3), **task_fields(context, state))


def _index(context: RagContext, mapped: Mapped[RagTask]) -> Mapping[str, Any]:
    return {"index": context.index.url}


ask = Loop(
    name="rag",
    called="ask",
    config=RagConfig,
    result=RagResult,
    inputs=_questions,
    open=open_context,
    work=finish,
    summary=_index,
    brings={
        "models": f"by role ({', '.join(MODELS)}): what `runtime.protocols` calls an Index, a Chat, a TextEmbedder, ...",
        "agents": f"by role ({', '.join(AGENTS)}): what `agents.rag` calls Routes, Grades, Rewrites, Answerer, Verifies",
    },
    brief="an answer from an index, with citations that are checked",
)


def graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    """The loop for `langgraph dev`: the fields of `RagConfig` in, the result out."""
    return exported(ask)
