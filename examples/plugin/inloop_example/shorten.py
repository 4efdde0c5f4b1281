"""Shorten: a language model shortens a text until it has at most `words` words, at most `rounds` times."""

from typing import Annotated, Any, Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from inloop import Loop, RunConfig, RunResult, Session, Task, open_chat, option
from inloop.protocols import Chat
from inloop.records import Message


class Config(RunConfig):
    """What is shortened, and how far."""

    SUBJECT = "texts"

    texts: Annotated[tuple[str, ...], option("texts to shorten", metavar="TEXT", min_length=1)]
    llm: Annotated[str, option("who shortens", "models")] = "mini-writer"
    words: Annotated[int, option("at most so many words", ge=1)] = 8
    rounds: Annotated[int, option("at most so many attempts", ge=1)] = 3


class State(TypedDict):
    text: str
    round: int


class Shortened(Task):
    text: str
    rounds: int


class Context:
    def __init__(self, config: Config, session: Session) -> None:
        self.config, self.session = config, session
        self.chat: Chat = session.open("llm", open_chat, config.llm)


async def shorten_once(state: State, runtime: Runtime[Context]) -> dict[str, Any]:
    request = f"Shorten to {runtime.context.config.words} words: {state['text']}"
    reply = await runtime.context.chat.complete([Message(role="user", content=request)], seed=state["round"])
    return {"text": reply.text, "round": state["round"] + 1}


def onward(state: State, runtime: Runtime[Context]) -> Literal["shorten", "__end__"]:
    config = runtime.context.config
    return END if len(state["text"].split()) <= config.words or state["round"] >= config.rounds else "shorten"


def graph() -> StateGraph[State, Context, State, State]:
    machine = StateGraph(State, context_schema=Context)
    machine.add_node("shorten", shorten_once)
    machine.add_edge(START, "shorten")
    machine.add_conditional_edges("shorten", onward)
    return machine


async def work(context: Context, id: str, text: str) -> Shortened:
    start = State(text=text, round=0)
    state = await context.session.finish(
        graph(), context=context, id=id, start=start, max_steps=context.config.rounds + 2
    )
    return Shortened(id=id, text=state["text"], rounds=state["round"])


shorten = Loop(
    name="shorten",
    config=Config,
    result=RunResult[Shortened],
    inputs=lambda config: {f"t{place}": text for place, text in enumerate(config.texts, start=1)},
    open=Context,
    work=work,
    brings={"models": "llm: an object with the methods of `Chat`"},
    brief="a text in fewer words",
)
