"""The questioner: three tasks, replies as models write them, repairs with the reason, no gaps and no circles."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.scene import Question, check_graph
from inloop.agents.scene.questioner import (
    Questioner,
    parse_dependencies,
    parse_questions,
    parse_tuples,
)
from inloop.agents.scene.tuple_questions import questions_of_tuples
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedChat
from inloop.runtime.records import Message, Reply

TEXT = "a crimson disc to the left of an azure box"
TUPLES = [
    "entity - whole (disc)",
    "entity - whole (box)",
    "attribute - color (disc, crimson)",
    "attribute - color (box, azure)",
    "relation - spatial (disc, box, left of)",
]
QUESTIONS = [
    "Is there a disc?",
    "Is there a box?",
    "Is the disc crimson?",
    "Is the box azure?",
    "Is the disc left of the box?",
]
PARENTS = [(), (), (1,), (2,), (1, 2)]


def numbered(lines: Sequence[str]) -> str:
    return "\n".join(f"{place} | {line}" for place, line in enumerate(lines, start=1))


GOOD = {
    "tuples": numbered(TUPLES),
    "questions": numbered(QUESTIONS),
    "dependencies": "1 | 0\n2 | 0\n3 | 1\n4 | 2\n5 | 1,2",
}
MESSY_TUPLES = {
    "talk around": f"Sure, here are the tuples:\n\n{GOOD['tuples']}\n\nLet me know if you need more!",
    "output repeated": f"Output:\n{GOOD['tuples']}",
    "task repeated": f"Input: a box\nOutput:\n1 | entity - whole (dog)\n\nOutput:\n{GOOD['tuples']}",
    "fenced": f"```\n{GOOD['tuples']}\n```",
    "dots for bars": "\n".join(f"{place}. {line}" for place, line in enumerate(TUPLES, start=1)),
    "blank lines": GOOD["tuples"].replace("\n", "\n\n"),
    "bar at the end": "\n".join(f"{line} |" for line in GOOD["tuples"].splitlines()),
    "bulleted": "\n".join(f"- {line}" for line in GOOD["tuples"].splitlines()),
    "wide blanks": GOOD["tuples"].replace(" - ", "  -  ").replace("|", " |  "),
}


@pytest.mark.parametrize("reply", MESSY_TUPLES.values(), ids=MESSY_TUPLES.keys())
def test_messy_tuples_are_read(reply: str) -> None:
    assert parse_tuples(reply) == TUPLES


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("I see a disc and a box.", "no line"),
        ("1 | entity - whole (disc)\n3 | entity - whole (box)", "without a gap"),
        ("1 | entity - whole (disc)\n2 | Entity - whole (disc)", "is there twice"),
        ("1 | there is a disc", "not of the form"),
        ("1 | entity - whole (disc", "not of the form"),
        ("1 | entity - whole (disc)\n1 | entity - whole (box)", "twice with different contents"),
        (numbered([f"entity - whole (thing {place})" for place in range(61)]), "at most 60"),
    ],
)
def test_tuples_that_cannot_be_used_say_why(reply: str, why: str) -> None:
    with pytest.raises(CallFailed, match=why):
        parse_tuples(reply)


@pytest.mark.parametrize(
    ("line", "parents"),
    [
        ("0", ()),
        ("1, 2", (1, 2)),
        ("1 and 2", (1, 2)),
        ("[1,2]", (1, 2)),
        ("none", ()),
        ("-", ()),
        ("2,1,2", (1, 2)),
        ("0, 1", (1,)),
        ("1; 2.", (1, 2)),
    ],
)
def test_dependencies_are_read_tolerantly(line: str, parents: tuple[int, ...]) -> None:
    assert parse_dependencies(f"1 | 0\n2 | 0\n3 | {line}", 3)[2] == parents


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("1 | 0\n2 | 0\n3 | 5, right", "numbers only, but it has 'right'"),  # as in ten rows of DSG-1k
        ("1 | 0\n2 | 0\n3 | 7", "there is no tuple 7"),
        ("1 | 2\n2 | 3\n3 | 1", r"\[1, 2, 3\] depend on each other"),
        ("1 | 0\n2 | 2\n3 | 0", r"\[2\] depend on each other"),
        ("1 | 0\n3 | 1", r"\[2\] are missing"),
        ("1 | 0\n2 | 0\n3 | 1\n4 | 1", r"lines for \[4\]"),
    ],
)
def test_dependencies_that_cannot_be_used_say_why(reply: str, why: str) -> None:
    with pytest.raises(CallFailed, match=why):
        parse_dependencies(reply, 3)


def test_each_tuple_is_asked_once() -> None:
    assert parse_questions(GOOD["questions"], 5) == QUESTIONS
    with pytest.raises(CallFailed, match="missing"):
        parse_questions("1 | Is there a disc?", 2)
    with pytest.raises(CallFailed, match="no question: '0'"):
        parse_questions("1 | 0", 1)


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Parents of an acyclic graph in random order of the nodes."""
    size = draw(st.integers(1, 9))
    order = draw(st.permutations(range(1, size + 1)))
    parents: dict[int, tuple[int, ...]] = {}
    for place, node in enumerate(order):
        parents[node] = tuple(sorted(draw(st.sets(st.sampled_from(order[:place]), max_size=3)) if place else ()))
    return [parents[node] for node in range(1, size + 1)]


@given(graphs())
def test_acyclic_dependencies_survive_the_round_trip(parents: list[tuple[int, ...]]) -> None:
    reply = numbered([",".join(map(str, needed)) or "0" for needed in parents])
    assert parse_dependencies(reply, len(parents)) == parents
    check_graph(
        [
            Question(id=i, tuple=f"e ({i})", question="Is it?", parents=needed)
            for i, needed in enumerate(parents, start=1)
        ]
    )


@given(graphs(), st.data())
def test_an_edge_back_to_an_ancestor_is_refused(parents: list[tuple[int, ...]], data: st.DataObject) -> None:
    edges = [(child, parent) for child, needed in enumerate(parents, start=1) for parent in needed]
    child, parent = data.draw(st.sampled_from(edges or [(1, 1)]))
    parents[parent - 1] = (*parents[parent - 1], child)
    with pytest.raises(CallFailed, match="circle"):
        parse_dependencies(numbered([",".join(map(str, needed)) or "0" for needed in parents]), len(parents))


@given(st.text(max_size=200), st.integers(1, 4))
def test_any_reply_is_read_or_refused_with_a_reason(reply: str, count: int) -> None:
    for parse in (parse_tuples, lambda r: parse_questions(r, count), lambda r: parse_dependencies(r, count)):
        try:
            parse(reply)  # type: ignore[operator]
        except CallFailed as error:
            assert str(error)


def test_graphs_are_checked() -> None:
    node = Question(id=1, tuple="entity - whole (disc)", question="Is there a disc?")
    for nodes, why in (
        ([], "no questions"),
        ([node.model_copy(update={"id": 2})], "ids must be 1 to 1"),
        ([node, node.model_copy(update={"id": 2})], "asked once"),
        ([node.model_copy(update={"parents": (2,)})], "no tuple 2"),
        ([node.model_copy(update={"parents": (1,)})], "circle"),
    ):
        with pytest.raises(CallFailed, match=why):
            check_graph(nodes)


class Teller(ScriptedChat):
    """Answers by task; the replies to a task are used up in order, the last one for ever."""

    def __init__(self, **replies: list[str]) -> None:
        super().__init__([], model="teller")
        self.script = {task: list(lines) for task, lines in replies.items()}
        self.flying = self.most_flying = 0
        self.settings: list[tuple[str, float, int | None]] = []

    async def complete(
        self, messages: Sequence[Message], *, seed: int | None = None, temperature: float = 1.0, **rest: object
    ) -> Reply:  # type: ignore[override]
        first = messages[0].content + messages[1].content[:60] if messages[0].role == "system" else messages[0].content
        task = (
            "tuples"
            if "smallest facts" in first or first.startswith("Tuples:")
            else ("questions" if "answered with yes or no" in first else "dependencies")
        )
        self.asked.append(list(messages))
        self.settings.append((task, temperature, seed))
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        await asyncio.sleep(0.01)
        self.flying -= 1
        replies = self.script[task]
        return Reply(texts=(replies.pop(0) if len(replies) > 1 else replies[0],), finish_reasons=("stop",))


async def test_a_graph_in_three_calls_the_last_two_at_once() -> None:
    chat = Teller(**{task: [reply] for task, reply in GOOD.items()})
    graph = await Questioner(chat).questions(f" {TEXT}\n")
    assert [node.tuple for node in graph.nodes] == TUPLES
    assert [node.question for node in graph.nodes] == QUESTIONS
    assert [node.parents for node in graph.nodes] == PARENTS
    assert graph.questioner == "teller (dsg)" and graph.raw == {task: (reply,) for task, reply in GOOD.items()}
    assert len(chat.asked) == 3 and chat.most_flying == 2
    assert all(asked[1].content.rstrip().endswith("Output:") for asked in chat.asked)


async def test_in_the_compact_format_the_questions_follow_from_the_tuples() -> None:
    chat = Teller(tuples=[GOOD["tuples"]])
    graph = await Questioner(chat, style="mini").questions(f" {TEXT}\n")
    assert [(node.tuple, node.question, node.parents) for node in graph.nodes] == list(
        zip(TUPLES, QUESTIONS, PARENTS, strict=True)
    )
    assert graph.questioner == "teller (mini)" and graph.raw == {"tuples": (GOOD["tuples"],)}
    assert [asked[0].content for asked in chat.asked] == [f"Tuples: {TEXT}"]


@pytest.mark.parametrize(
    ("tuples", "questions"),
    [
        (
            ["entity - whole (geese)", "other - count (geese, ==3)", "attribute - size (geese, tiny)"],
            ["Are there geese?", "Are there exactly three geese?", "Are the geese tiny?"],
        ),
        (["entity - whole (owl)", "other - count (owl, ==1)"], ["Is there an owl?", "Is there exactly one owl?"]),
        (["entity - whole (water)", "entity - absent (boat)"], ["Is there water?", "Is there a boat?"]),
        (["entity - whole (keys)", "global - background (red)"], ["Are there keys?", "Is the background red?"]),
    ],
)
def test_questions_by_rule(tuples: list[str], questions: list[str]) -> None:
    nodes = questions_of_tuples(tuples, "a picture")
    check_graph(nodes)
    assert [node.question for node in nodes] == questions
    assert [node.expected == "no" for node in nodes] == ["absent" in node.tuple for node in nodes]


@pytest.mark.parametrize(
    ("tuples", "why"),
    [
        (["entity - whole (disc)", "attribute - color (box, red)"], "speaks of 'box', but there is no entity tuple"),
        (["entity - whole (disc)", "relation - spatial (disc, above)"], "no rule that asks"),
        (["entity - whole (disc)", "mood - of all (calm)"], "no rule that asks"),
    ],
)
def test_tuples_that_no_rule_asks_about_say_which(tuples: list[str], why: str) -> None:
    with pytest.raises(CallFailed, match=why):
        questions_of_tuples(tuples, "a picture")


async def test_a_bad_reply_is_sent_back_with_the_reason() -> None:
    chat = Teller(
        **{**{task: [reply] for task, reply in GOOD.items()}, "dependencies": ["3 | 1", GOOD["dependencies"]]}
    )
    graph = await Questioner(chat).questions(TEXT)
    assert [node.parents for node in graph.nodes] == PARENTS
    assert graph.raw["dependencies"] == ("3 | 1", GOOD["dependencies"])
    repaired = chat.asked[-1]
    assert [message.role for message in repaired] == ["system", "user", "assistant", "user"]
    assert repaired[2].content == "3 | 1" and "[1, 2, 4, 5] are missing" in repaired[3].content


async def test_mini_writer_is_asked_again_with_another_seed() -> None:
    chat = Teller(**{**{task: [reply] for task, reply in GOOD.items()}, "tuples": ["disc box", GOOD["tuples"]]})
    await Questioner(chat, style="mini").questions(TEXT)
    assert chat.settings[:2] == [("tuples", 0.0, 0), ("tuples", 0.5, 1)]
    assert len(chat.asked[1]) == 1


async def test_after_the_repairs_it_is_a_clear_failure() -> None:
    chat = Teller(tuples=["no idea"])
    with pytest.raises(CallFailed, match=r"no usable tuples for 'a crimson disc.*in 3 tries.*no line of the form"):
        await Questioner(chat).questions(TEXT)
    assert len(chat.asked) == 3


async def test_a_reply_that_was_cut_off_is_not_used() -> None:
    class Cut(Teller):
        async def complete(self, messages: Sequence[Message], **rest: object) -> Reply:  # type: ignore[override]
            return (await super().complete(messages)).model_copy(update={"finish_reasons": ("length",)})

    with pytest.raises(CallFailed, match="cut off at the token limit"):
        await Questioner(Cut(tuples=[GOOD["tuples"]]), repairs=0).questions(TEXT)


async def test_bad_input_is_refused_before_a_call() -> None:
    chat = ScriptedChat([])
    with pytest.raises(BadInput, match="is empty"):
        await Questioner(chat).questions(" \n")
    with pytest.raises(BadInput, match="'tifa'"):
        Questioner(chat, style="tifa")  # type: ignore[arg-type]
