"""The rewriter: what the model is shown, and what is made of the replies that models really write."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.opt2i.rewriter import Proposals, Rewriter, Shown, parse_proposals
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedChat
from inloop.runtime.records import Message, Reply

TEXT = "a crimson disc to the left of an azure box"
A, B, C = "a red circle left of a blue square", "a blue square right of a red circle", "a red disc beside a blue box"

# replies as models of different sizes write them
MESSY = {
    "as asked": f"1. <PROMPT>{A}</PROMPT>\n2. <PROMPT>{B}</PROMPT>\n3. <PROMPT>{C}</PROMPT>",
    "talkative": f"Sure! Here are 3 paraphrases that should score higher:\n\n1. <PROMPT>{A}</PROMPT>\n\n"
    f"2. <PROMPT>{B}</PROMPT>\n\n3. <PROMPT>{C}</PROMPT>\n\nI focused on the spatial relation. Let me know!",
    "the paper's own broken tag": f"1. <PROMPT>{A}</PROMPT\n2. <PROMPT>{B}</PROMPT\n3. <PROMPT>{C}</PROMPT",
    "no closing tags": f"1. <PROMPT>{A}\n2. <PROMPT>{B}\n3. <PROMPT>{C}",
    "opening tag as closing tag": f"<PROMPT>{A}<PROMPT>\n<PROMPT>{B}<PROMPT>\n<PROMPT>{C}<PROMPT>",
    "lower case, blanks": f"< prompt > {A} </ prompt >\n<prompt>{B}</prompt>\n<Prompt>{C}</Prompt>",
    "line ends inside": f"<PROMPT>\n{A}\n</PROMPT>\n<PROMPT>\n  {B}\n</PROMPT><PROMPT>{C}</PROMPT>",
    "quoted": f'1. <PROMPT>"{A}"</PROMPT>\n2. <PROMPT>“{B}”</PROMPT>\n3. <PROMPT>**{C}**</PROMPT>',
    "no tags at all": f"1. {A}\n2. {B}\n3. {C}",
    "brackets for dots": f"1) {A}\n2) {B}\n3) {C}",
    "fenced": f"```\n<PROMPT>{A}</PROMPT>\n<PROMPT>{B}</PROMPT>\n<PROMPT>{C}</PROMPT>\n```",
    "square brackets": f"1. [PROMPT]{A}[/PROMPT]\n2. [PROMPT]{B}[/PROMPT]\n3. [PROMPT]{C}",
    "number inside": f"<PROMPT>1. {A}</PROMPT>\n<PROMPT>2. {B}</PROMPT>\n<PROMPT>3. {C}</PROMPT>",
}


@pytest.mark.parametrize("reply", MESSY.values(), ids=MESSY.keys())
def test_messy_replies_are_read(reply: str) -> None:
    assert parse_proposals(reply)[0] == [A, B, C]


@pytest.mark.parametrize("reply", ["", "I'm sorry, I can't help with that.", "<PROMPT></PROMPT>", "<PROMPT>", "\x00"])
def test_replies_without_a_proposal_give_none(reply: str) -> None:
    assert parse_proposals(reply)[0] == []


words = st.lists(
    st.sampled_from(["red", "blue", "disc", "box", "small", "on", "the", "left", "of"]), min_size=2, max_size=9
).map(" ".join)


@given(
    st.lists(words, min_size=1, max_size=6), st.sampled_from(["</PROMPT>", "</PROMPT", "</prompt >", ""]), st.booleans()
)
def test_tagged_texts_come_back_whole(texts: list[str], close: str, numbered: bool) -> None:
    lines = [f"{place}. " * numbered + f"<PROMPT>{text}{close}" for place, text in enumerate(texts, start=1)]
    assert parse_proposals("\n".join(lines)) == (texts, True)


@given(st.text(max_size=300))
def test_any_reply_is_read_without_an_error(reply: str) -> None:
    for text in parse_proposals(reply)[0] + parse_proposals(f"<PROMPT>{reply}")[0]:
        assert text == " ".join(text.split()) and text


async def test_the_model_sees_the_history_as_in_the_paper() -> None:
    chat = ScriptedChat([MESSY["as asked"]])
    history = [
        Shown(text="best", score=90, parts=(("Is there a disc?", 100), ("Is the disc crimson?", 80))),
        *(Shown(text=f"try {score}", score=score) for score in (10, 20, 30, 40, 50)),
    ]
    made = await Rewriter(chat).propose(text=TEXT, history=history, n=3, seed=1, objective="dsg")
    assert made.texts == (A, B, C)
    system, user = chat.asked[0]
    assert (system.role, user.role) == ("system", "user")
    shown = [line for line in user.content.splitlines() if line[:2] in ("1.", "2.", "3.", "4.", "5.")][:5]
    assert shown == ["1. try 20", "2. try 30", "3. try 40", "4. try 50", "5. best"]  # top 5, ascending
    assert "overall score: 90\nevaluation questions:\nIs there a disc? 100\nIs the disc crimson? 80" in user.content
    assert TEXT in user.content and "Write 3 new paraphrases" in user.content


async def test_dcs_has_its_own_words() -> None:
    chat = ScriptedChat([f"<PROMPT>{A}</PROMPT>"] * 2)
    shown = [Shown(text="x y", score=24, parts=(("a crimson disc", 22),))]
    await Rewriter(chat).propose(text=TEXT, history=shown, n=1, seed=1, objective="dcs")
    assert "visual elements:\na crimson disc 22" in chat.asked[0][1].content
    await Rewriter(chat).propose(text=TEXT, history=[], n=1, seed=1, objective="dcs")
    assert "(none yet)" in chat.asked[1][1].content


async def test_mini_style_is_one_compact_message() -> None:
    chat = ScriptedChat([f"<PROMPT>{A}</PROMPT>"] * 3)
    parts = (("Is there a disc?", 100), ("Is the disc crimson?", 25), ("Is the box azure?", 0), ("Is there a box?", 50))
    history = [Shown(text=f"t{score}", score=score, parts=parts) for score in (70, 10, 40, 20)]
    mini = Rewriter(chat, style="mini")
    await mini.propose(text=TEXT, history=history, n=1, seed=1)
    await mini.propose(text=TEXT, history=[Shown(text="perfect", score=100, parts=(("Is it?", 100),))], n=1, seed=1)
    await mini.paraphrase(TEXT, 1, 1)
    assert [[message.content for message in asked] for asked in chat.asked] == [
        [f"Rewrite: {TEXT}\nTried:\n20 t20\n40 t40\n70 t70\nWrong: Is the box azure? Is the disc crimson?\nWrite 1."],
        [f"Rewrite: {TEXT}\nTried:\n100 perfect\nWrite 1."],
        [f"Rewrite: {TEXT}\nWrite 1."],
    ]


async def test_copies_repetitions_and_echoes_are_dropped_and_named() -> None:
    reply = "".join(
        f"<PROMPT>{text}</PROMPT>\n"
        for text in (TEXT.upper() + ".", A, f" {A}. ", "first paraphrase", B, "Tried  Before", C)
    )
    made = await Rewriter(ScriptedChat([reply]), attempts=1).propose(
        text=TEXT, history=[Shown(text="tried before", score=5)], n=2, seed=1
    )
    assert made.texts == (A, B)
    assert [reason for _, reason in made.dropped] == [
        "the user's own text",
        "repeated",
        "about the task, not the picture",
        "tried before",
        "more than the 2 asked for",
    ]
    assert made.raw == (reply,)


async def test_missing_texts_are_asked_for_once_more_with_another_seed() -> None:
    seeds: list[int | None] = []

    class Noted(ScriptedChat):
        async def complete(self, messages: list[Message], *, seed: int | None = None, **rest: object) -> Reply:  # type: ignore[override]
            seeds.append(seed)
            return await super().complete(messages, seed=seed)

    chat = Noted([f"<PROMPT>{A}</PROMPT>", f"<PROMPT>{A}</PROMPT><PROMPT>{B}</PROMPT>"])
    made = await Rewriter(chat).propose(text=TEXT, history=[], n=2, seed=7)
    assert made.texts == (A, B) and made.dropped == ((A, "repeated"),)
    assert seeds[0] == 7 and seeds[1] not in (None, 7)
    assert "Write 1 new" in chat.asked[1][1].content


async def test_a_useless_reply_is_an_empty_proposal() -> None:
    made = await Rewriter(ScriptedChat(["No.", "Still no."])).propose(text=TEXT, history=[], n=2, seed=0)
    assert made == Proposals(texts=(), raw=("No.", "Still no."), dropped=())


# what SmolLM2-135M-Instruct answered to the paper's meta-prompt: no candidate is better than these
SMALL = [
    "a crimson disc to the left of an azure box\noverall score: 28\nevaluation questions:\nThe second paraphrase is worth "
    "10% higher than the first paraphrase, with a score of 28\n\nI am a paraphrase, I am a paraphrase.",
    "Here is the 5 paraphrases and only one more from the 4th one that I was asked to make:\n3. The first paraphrase\n\n"
    "The rest are my other ones:\n1. A more precise paraphrase\n2. The rest\n\nYou can use the above example.",
    "1. [PROMPT]first paraphrase: \nThe description you provided is a classic illustration of the use of a paraphrase.",
    "1. *The first paraphrase* is an example of **first paraphrase**.\n2. *The second one* is a clear choice.",
]


@pytest.mark.parametrize("reply", SMALL)
async def test_the_chatter_of_a_small_model_is_no_candidate(reply: str) -> None:
    made = await Rewriter(ScriptedChat([reply]), attempts=1).propose(text=TEXT, history=[], n=5, seed=0)
    assert made.texts == ()


async def test_a_text_that_was_cut_off_is_no_candidate() -> None:
    class Cut(ScriptedChat):
        async def complete(self, messages: list[Message], **rest: object) -> Reply:  # type: ignore[override]
            return Reply(texts=(f"<PROMPT>{A}</PROMPT><PROMPT>a blue squa",), finish_reasons=("length",))

    made = await Rewriter(Cut([]), attempts=1).propose(text=TEXT, history=[], n=2, seed=0)
    assert made.texts == (A,) and made.dropped == (("a blue squa", "cut off at the token limit"),)


async def test_paraphrases_see_no_score() -> None:
    chat = ScriptedChat([MESSY["talkative"]])
    made = await Rewriter(chat).paraphrase(TEXT, 3, seed=1)
    assert made.texts == (A, B, C)
    assert "score" not in chat.asked[0][0].content and TEXT in chat.asked[0][0].content


async def test_bad_input_is_refused_before_a_call() -> None:
    chat = ScriptedChat([])
    with pytest.raises(BadInput, match="' ' is empty"):
        await Rewriter(chat).propose(text=" ", history=[], n=1, seed=0)
    with pytest.raises(BadInput, match="n=0"):
        await Rewriter(chat).paraphrase(TEXT, 0, seed=0)
    with pytest.raises(BadInput, match="'poem'"):
        Rewriter(chat, style="poem")  # type: ignore[arg-type]
    assert chat.asked == []


class Failing(ScriptedChat):
    """Fails on its first calls, as a model does that spends its tokens on thinking."""

    def __init__(self, failures: int, replies: list[str]) -> None:
        super().__init__(replies)
        self.failures = failures

    async def complete(self, messages: Sequence[Message], **options: Any) -> Reply:
        if self.failures:
            self.failures -= 1
            raise CallFailed("it thought, and gave no answer")
        return await super().complete(messages, **options)


async def test_a_reply_that_is_none_is_asked_for_again_with_another_seed() -> None:
    proposals = await Rewriter(Failing(1, [MESSY["as asked"]])).propose(text=TEXT, history=[], n=3, seed=1)
    assert proposals.texts == (A, B, C) and proposals.why_none == ""
    with pytest.raises(CallFailed, match="it thought"):
        await Rewriter(Failing(2, [])).propose(text=TEXT, history=[], n=3, seed=1)


async def test_what_came_back_in_place_of_a_text_is_told() -> None:
    echo = f"1. <PROMPT>{TEXT}</PROMPT>"
    none = await Rewriter(ScriptedChat([echo, echo])).propose(text=TEXT, history=[], n=1, seed=1)
    assert "(the user's own text)" in none.why_none
    talk = await Rewriter(ScriptedChat(["The sea.", "The sea."])).propose(text=TEXT, history=[], n=1, seed=1)
    assert talk.why_none == "the reply holds none: 'The sea.'"


async def test_the_meta_prompts_of_the_paper_differ_in_what_they_ask_for() -> None:
    asked = {}
    for guidance in ("concise", "prioritize", "reason", "structure"):
        for objective in ("dsg", "dcs"):
            chat = ScriptedChat([f"The disc may be missing.\n1. <PROMPT>{A}</PROMPT>"])
            written = await Rewriter(chat, guidance=guidance).propose(
                text=TEXT, history=[], n=1, seed=1, objective=objective
            )
            assert written.texts == (A,), "a reason beside it is no text"
            asked[guidance, objective] = chat.asked[0][1].content
    assert len(set(asked.values())) == len(asked)
    for objective, first in (("dsg", "low scores"), ("dcs", "lowest scores")):
        assert [first in asked[guidance, objective] for guidance in ("concise", "prioritize", "reason", "structure")] == [
            False, True, True, True,
        ]  # fmt: skip
    with pytest.raises(BadInput, match="concise, prioritize, reason, structure"):
        Rewriter(ScriptedChat([]), guidance="long")  # type: ignore[arg-type]
