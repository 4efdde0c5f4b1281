"""The loop over pictures with scripted models: what is asked of whom, in which order, and how it ends."""

from __future__ import annotations

import pytest
from PIL import Image
from servers import serving, well

from inloop.agents.captions.caption_answerer import CaptionAnswerer
from inloop.agents.captions.follow_up import LLMFollowUp, PlainFollowUp
from inloop.agents.captions.support import LLMSupport, WordSupport
from inloop.evaluators.vqa.accuracy import Asked, Human
from inloop.evaluators.vqa.sets import VQAItem
from inloop.graphs.promptcap.context import VQAContext, first_state, max_steps
from inloop.graphs.promptcap.examples import shots_of
from inloop.graphs.promptcap.graph import build, task_fields
from inloop.graphs.promptcap.result import Facts, Method, VQATask
from inloop.graphs.vqa_eval.ablations import OURS, counterfactuals, ladder
from inloop.runtime.budget import Budget
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedCaptioner, ScriptedChat, ScriptedEmbedder, ScriptedVQA
from inloop.runtime.llm import OpenAIChat
from inloop.runtime.machine.runner import Checkpoints, Runner
from inloop.runtime.passages import Passage
from inloop.runtime.store import Store
from inloop.runtime.store.blobs import BlobStore
from inloop.runtime.transport.sender import Sender
from inloop.tools.data.shots import Shot, Shots
from inloop.tools.index.open import open_index

QUESTION = "what is the young of the animal called?"
CAPTIONS = {None: "a field", QUESTION: "a cow in a field"}


def captioner():
    return ScriptedCaptioner(lambda image, question: CAPTIONS[question])


@pytest.fixture
def blobs(tmp_path):
    return BlobStore(tmp_path / "blobs")


def context(blobs, method, chat, *, preset="promptcap", **parts):
    chat = ScriptedChat(chat)
    return VQAContext(
        method=method, answerer=CaptionAnswerer(chat, preset), blobs=blobs, captioner=captioner(), **parts
    ), chat


async def go(made, *, task="ours/new", picture=True, choices=(), facts=None, checkpoints=None):
    image = made.blobs.put_image(Image.new("RGB", (4, 4))) if picture else None
    runner = Runner(build(), context=made, checkpoints=checkpoints, thread_id=task, max_steps=max_steps(made.method))
    state = first_state(made, task, QUESTION, image=image, choices=choices, facts=facts or Facts())
    finish = await runner.start(dict(state))
    assert finish.finished
    return VQATask(id=task, **task_fields(made, finish.state))


async def test_a_question_aware_caption_and_an_answer(blobs):
    made, chat = context(blobs, Method(), ["A: a Calf."])
    task = await go(made)
    assert task.answer == "calf" and task.told and task.supported is None
    [messages] = chat.asked
    assert messages[-1].content.endswith(f"Context: a cow in a field.\n===\nQ: {QUESTION}\nA:")
    assert [decision.step for decision in task.decisions] == ["caption", "answer", "conclude"]


@pytest.mark.parametrize(("kind", "shown"), [("generic", "a field."), ("both", "a cow in a field. a field.")])
async def test_other_captions(blobs, kind, shown):
    made, chat = context(blobs, Method(caption=kind), ["calf"])
    await go(made)
    assert f"Context: {shown}\n===" in chat.asked[0][-1].content


async def test_blind_looks_at_nothing(blobs):
    made, chat = context(blobs, Method(caption="none", tags=True, ocr=True), ["calf"])
    task = await go(made, facts=Facts(tags="cow", captions=("a cow",), ocr="MOO"))
    text = chat.asked[0][-1].content
    assert "Context" not in text and "cow" not in text and "MOO" not in text
    assert made.captioner.asked == [] and task.evidence.captions == ()


async def test_tags_and_what_is_written_stand_beside_the_caption(blobs):
    made, chat = context(blobs, Method(tags=True, ocr=True), ["calf"])
    await go(made, facts=Facts(tags="cow, grass", ocr="MOO"))
    assert "Context: a cow in a field. cow, grass. Text in the picture: MOO.\n" in chat.asked[0][-1].content


async def test_each_vote_has_other_examples_the_most_similar_last(blobs):
    index = await open_index("memory:", text=ScriptedEmbedder(size=8))
    pool = [Shot(id=f"s{k}", question=f"question {k}?", answer=f"a{k}", caption=f"c{k}") for k in range(8)]
    shots = Shots([*pool, Shot(id="new", question=QUESTION, answer="LEAK")], by="question", index=index)
    await shots.fill()
    made, chat = context(blobs, Method(shots=2, votes=3), ["calf", "calf", "kid"], shots=shots)
    task = await go(made)
    ranked = [shot.answer for shot in await shots.choose("new", QUESTION, 6)]
    shown = [
        [line[3:] for line in messages[-1].content.splitlines() if line.startswith("A: ")] for messages in chat.asked
    ]
    assert shown == [ranked[1::-1], ranked[3:1:-1], ranked[5:3:-1]], (
        "nearest last, and the question is not its own example"
    )
    assert task.answer == "calf" and task.shares[0] == ("calf", pytest.approx(2 / 3)) and len(task.votes) == 3


async def test_knowledge_is_searched_with_what_the_picture_shows(blobs):
    index = await open_index("memory:")
    texts = {"k1": "The young of a cow is a calf.", "k2": "Stones are hard.", "k3": "A field is flat land."}
    await index.upsert([Passage(id=key, document=key, text=text, end=len(text)) for key, text in texts.items()])
    made, chat = context(blobs, Method(knowledge="index", passages=1), ["calf"], index=index, mode="bm25")
    task = await go(made)
    assert [seen.id for seen in task.evidence.passages] == ["k1"]
    assert "a cow in a field. The young of a cow is a calf.\n===" in chat.asked[0][-1].content
    shots = Shots([Shot(id="s", question="what are stones like?", answer="hard", caption="stones")], by="random")
    made, chat = context(blobs, Method(knowledge="index", shots=1), ["calf"], index=index, mode="bm25", shots=shots)
    await go(made)
    assert "Context: stones. Stones are hard.\n" in chat.asked[0][-1].content, "an example has its passage too"
    made, _ = context(blobs, Method(knowledge="oracle", caption="oracle"), ["x"], index=index)
    task = await go(made, facts=Facts(oracle_caption="a cow", oracle_passages=("k2",)))
    assert [seen.id for seen in task.evidence.passages] == ["k2"] and task.evidence.captions[0].text == "a cow"


async def test_choices(blobs):
    made, chat = context(blobs, Method(), ["The answer is kid, I think"])
    task = await go(made, choices=("calf", "kid"))
    assert task.answer == "kid" and f"Q: {QUESTION}\nChoices: calf, kid\nA:" in chat.asked[0][-1].content


async def test_it_cannot_be_told(blobs):
    made, _ = context(blobs, Method(), ["It cannot be told from the picture."])
    task = await go(made)
    assert not task.told and task.reason == "cannot_tell"


async def test_an_answer_that_is_borne_out_is_not_asked_about_again(blobs):
    vqa = ScriptedVQA({})
    made, chat = context(
        blobs, Method(check=True, follow_ups=2), ["cow"], vqa=vqa, support=WordSupport(), follow_up=PlainFollowUp()
    )
    task = await go(made)
    assert task.supported and vqa.asked == [] and len(chat.asked) == 1


async def test_the_picture_is_asked_on_and_the_new_answer_stands(blobs):
    vqa = ScriptedVQA({QUESTION: "calf"})
    made, chat = context(
        blobs,
        Method(check=True, follow_ups=3),
        ["puppy", "calf"],
        vqa=vqa,
        support=WordSupport(),
        follow_up=PlainFollowUp(),
    )
    task = await go(made)
    assert task.answer == "calf" and task.supported and task.evidence.looked == ((QUESTION, "calf"),)
    assert f"{QUESTION} calf." in chat.asked[1][-1].content, "what was seen is in the context of the second answer"
    assert [d.step for d in task.decisions] == ["caption", "answer", "check", "look", "answer", "check", "conclude"]


@pytest.mark.parametrize(("strict", "told"), [(False, True), (True, False)])
@pytest.mark.parametrize("bound", [0, 1, 2, 5])
async def test_follow_ups_are_bounded(blobs, strict, told, bound):
    vqa = ScriptedVQA(lambda image, question: "no")
    made, chat = context(
        blobs, Method(check=True, follow_ups=bound, strict=strict), lambda messages: "puppy", vqa=vqa, support=WordSupport(),
        follow_up=PlainFollowUp(),
    )  # fmt: skip
    task = await go(made)
    # the user's own question, and whether there is a puppy: that it is named there bears nothing out
    assert len(vqa.asked) == min(bound, 2) and len(chat.asked) <= bound + 1
    assert task.told is told and task.supported is False and task.answer == "puppy"
    assert task.reason == ("" if told else "unsupported")


async def test_a_spent_budget_asks_no_further(blobs):
    vqa, budget = ScriptedVQA({QUESTION: "calf"}), Budget({"calls": 1})
    from inloop.runtime.records import Cost

    budget.charge(Cost(calls=1))
    made, _ = context(
        blobs, Method(check=True), ["puppy"], vqa=vqa, support=WordSupport(), follow_up=PlainFollowUp(), budget=budget
    )
    assert (await go(made)).answer == "puppy" and vqa.asked == []


async def test_direct(blobs):
    made, chat = context(blobs, Method(direct=True), [], vqa=ScriptedVQA({QUESTION: "a calf"}))
    task = await go(made)
    assert task.answer == "calf" and chat.asked == [] and made.captioner.asked == []


async def test_candidates_of_prophet(blobs):
    chat = ScriptedChat(["cow", "calf", "calf", "calf", "cow"])
    made, answering = context(
        blobs,
        Method(),
        ["calf"],
        preset="prophet",
        proposer=CaptionAnswerer(chat, "promptcap"),
        vqa=ScriptedVQA({QUESTION: "calf"}),
    )
    task = await go(made)
    assert task.evidence.candidates[0] == ("calf", pytest.approx(4 / 6))
    assert "Candidates: calf(0.67), cow(0.33)\n" in answering.asked[0][-1].content
    made, answering = context(blobs, Method(), ["calf"], preset="prophet")
    await go(made, facts=Facts(candidates=(("kid", 0.9),)))
    assert "Candidates: kid(0.90)\n" in answering.asked[0][-1].content


async def test_a_language_model_that_fails_is_no_answer(blobs):
    def fail(messages):
        raise CallFailed("refused")

    made, _ = context(blobs, Method(votes=2, check=True), fail, support=WordSupport())
    task = await go(made)
    assert not task.told and task.reason == "failed" and "refused" in task.decisions[1].why
    assert "refused" in task.why, "the check does not talk over it"


async def test_a_second_answer_that_fails_is_a_failure_and_no_wrong_answer(blobs):
    replies = iter(["puppy"])

    def once(messages):
        for reply in replies:
            return reply
        raise CallFailed("refused")

    made, _ = context(
        blobs, Method(check=True), once, vqa=ScriptedVQA({QUESTION: "calf"}), support=WordSupport(), follow_up=PlainFollowUp()
    )  # fmt: skip
    task = await go(made)
    assert task.reason == "failed" and "refused" in task.why and task.votes == ()


async def test_a_vote_that_fails_is_told(blobs):
    replies = iter(["calf"])

    def once(messages):
        for reply in replies:
            return reply
        raise CallFailed("refused")

    made, _ = context(blobs, Method(votes=2), once)
    task = await go(made)
    assert task.answer == "calf" and task.why == "1 of 2 votes failed: refused"


async def test_a_follow_up_that_the_picture_model_refuses_leaves_the_answer(blobs):
    def refuse(image, question):
        raise BadInput("too long")

    made, _ = context(
        blobs, Method(check=True), ["puppy"], vqa=ScriptedVQA(refuse), support=WordSupport(), follow_up=PlainFollowUp()
    )
    task = await go(made)
    assert task.answer == "puppy" and task.supported is False and task.decisions[3].why == "too long"


async def test_a_choice_that_sounds_like_no_answer_is_one(blobs):
    made, _ = context(blobs, Method(), ["Not enough light."])
    task = await go(made, choices=("Too hot", "Not enough light"))
    assert task.answer == "Not enough light" and task.told


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (Method(shots=1), "needs examples"), (Method(knowledge="index"), "needs an index"), (Method(direct=True), "question answering"),
    ],
)  # fmt: skip
async def test_what_is_not_there_is_said(blobs, way, message):
    made, _ = context(blobs, way, ["x"])
    with pytest.raises(BadInput, match=message):
        await go(made)


async def test_no_picture_and_a_captioner(blobs):
    made, _ = context(blobs, Method(), ["x"])
    with pytest.raises(BadInput, match="has no picture"):
        await go(made, picture=False)
    made, chat = context(blobs, Method(caption="given"), ["calf"])
    assert (await go(made, picture=False, facts=Facts(captions=("a cow",)))).answer == "calf"
    assert "Context: a cow." in chat.asked[0][-1].content


async def test_a_stopped_run_goes_on_where_it_was(blobs, tmp_path):
    calls = []

    def once(messages):
        calls.append(1)
        if len(calls) == 1:
            raise CallFailed("the server went away", retryable=True)
        return "calf"

    made, _ = context(blobs, Method(), once)
    async with Checkpoints(tmp_path / "c.sqlite") as checkpoints:
        with pytest.raises(CallFailed):
            await go(made, checkpoints=checkpoints)
        runner = Runner(
            build(), context=made, checkpoints=checkpoints, thread_id="ours/new", max_steps=max_steps(made.method)
        )
        finish = await runner.resume()
    assert task_fields(made, finish.state)["answer"] == "calf"
    assert len(made.captioner.asked) == 1, "the caption was not made again"


async def test_judges_and_follow_ups_of_a_language_model():
    judge = LLMSupport(ScriptedChat(["Yes.", "No, it does not", "perhaps"]))
    said = [(await judge.judge("what?", "cow", ["a cow"]))[0] for _ in range(3)]
    assert said == [True, False, None]
    asker = LLMFollowUp(ScriptedChat(["Sure! What colour is the cow?", "no idea", "What colour is the cow?"]))
    assert await asker.ask("what?", "cow", [], []) == "Sure! What colour is the cow?"
    assert await asker.ask("what?", "cow", [], []) is None
    assert await asker.ask("what?", "cow", [], ["What colour is the cow?"]) is None
    words = WordSupport()
    assert (await words.judge("q", "two dogs", ["a dog, two cats"]))[0] is True
    assert (await words.judge("q", "yes", ["anything"]))[0] is None
    for known, borne in (
        ("is there a dog? no", False),
        ("is there a dog? yes.", True),
        ("what has the dog? a ball", False),
    ):
        assert (await words.judge("q", "dog", [known]))[0] is borne


def names(ways):
    return [way.name for way in ways]


def test_the_ladder_has_what_ours_has():
    bare = Method(caption="given")
    assert names(ladder(bare, pictures=False, oracle=False)) == ["blind", OURS]
    rich = Method(caption="aware", shots=4, votes=3, knowledge="index")
    assert names(ladder(rich, pictures=True, oracle=True)) == [
        "blind", "blind with examples", "generic caption", "caption", "random examples", "similar examples", "knowledge", OURS,
        "ours, generic caption", "ours, no knowledge", "oracle caption", "direct",
    ]  # fmt: skip
    assert names(ladder(rich, pictures=True, oracle=True, baselines="none")) == [OURS]
    assert names(ladder(rich, pictures=True, oracle=True, baselines="blind,direct")) == ["blind", OURS, "direct"]
    two = ladder(rich, pictures=True, oracle=True, baselines="blind, ours, no knowledge,direct")
    assert names(two) == ["blind", OURS, "ours, no knowledge", "direct"]
    by_name = {way.name: way for way in ladder(rich, pictures=True, oracle=True)}
    assert by_name["random examples"].selection == "random" and by_name["random examples"].votes == 1
    assert by_name["blind"].caption == "none" and by_name["blind"].knowledge == "none" and not by_name["blind"].shots
    seen = rich.model_copy(update={"selection": "image+question", "tags": True, "ocr": True})
    by_name = {way.name: way for way in ladder(seen, pictures=True, oracle=True)}
    assert by_name["blind with examples"].selection == "question", "who is blind cannot choose by the picture"
    assert by_name["similar examples"].selection == "image+question" and by_name["similar examples"].ocr
    beside = {
        name: (by_name[name].tags, by_name[name].ocr) for name in ("generic caption", "caption", "tags and text", OURS)
    }
    assert set(beside.values()) == {(False, False), (True, True)} and beside["tags and text"] == beside[OURS] == (
        True,
        True,
    )
    with pytest.raises(BadInput, match="'tags and text' needs tags or text"):
        ladder(rich, pictures=True, oracle=True, baselines="tags and text")
    assert [way.knowledge for way in counterfactuals(rich)] == ["index", "oracle", "oracle"]
    with pytest.raises(BadInput, match="needs pictures"):
        ladder(bare, pictures=False, oracle=False, baselines="direct")
    with pytest.raises(BadInput, match="no baseline 'nonsense'"):
        ladder(bare, pictures=False, oracle=False, baselines="nonsense")


def item(number, *, captions=(), **asked):
    asked = {"humans": (Human(text="cow", id=0),), **asked}
    question = Asked(id=f"e{number}", question=f"what is {number}?", **asked)
    return VQAItem(asked=question, captions=captions, picture=f"{number}.png", tags="grass")


def test_an_example_without_choices_still_has_its_answer():
    bare, chosen = item(0, captions=("a",)), item(1, captions=("b",), choices=("cow", "ox"), correct="ox")
    assert [shot.answer for shot in shots_of([bare, chosen], {}, choices=True)] == ["cow", "ox"]


class Sighted:
    """Tags and reads pictures, and remembers which."""

    model, revision = "eyes", "fake"

    def __init__(self, tags="cow, grass", text="MOO"):
        self.said, self.tagged, self.read_of = (tags, text), [], []

    async def tags(self, images):
        self.tagged += images
        return [self.said[0]] * len(images)

    async def read(self, images):
        self.read_of += images
        return [self.said[1]] * len(images)


def pool_of(blobs, count):
    pool = [item(number) for number in range(count)]
    pictures = {one.picture: blobs.put_image(Image.new("RGB", (4, 4), (n, 9, 0))) for n, one in enumerate(pool)}
    return shots_of(pool, pictures), pictures


async def test_only_the_examples_that_are_shown_are_described(blobs):
    pool, _ = pool_of(blobs, 40)
    eyes = Sighted()
    way = Method(shots=2, votes=2, tags=True, ocr=True)
    made, chat = context(blobs, way, lambda _: "calf", shots=Shots(pool, by="random"), tagger=eyes, ocr=eyes)
    made.captioner._said = lambda image, question: f"seen for {question}"
    task = await go(made)
    assert len(made.captioner.asked) == 5 and len(eyes.tagged) == 5 and len(eyes.read_of) == 5, (
        "4 examples and the question"
    )
    shown = [shot for vote in task.evidence.shots for shot in vote]
    assert [(s.caption, s.tags, s.ocr) for s in shown] == [
        (f"seen for {s.question}", "cow, grass", "MOO") for s in shown
    ]
    assert f"Context: seen for {shown[0].question} cow, grass. Text in the picture: MOO.\n" in chat.asked[0][-1].content
    made, _ = context(
        blobs, Method(shots=2, caption="none", tags=True), ["calf"], shots=Shots(pool, by="random"), tagger=eyes
    )
    await go(made)
    assert made.captioner.asked == [] and len(eyes.tagged) == 5, "who is blind is shown no captions, and pays for none"


async def test_tools_look_at_the_picture_beside_the_captioner_and_are_told(blobs):
    eyes = Sighted(tags="", text="SLOW DOWN")
    made, chat = context(blobs, Method(tags=True, ocr=True), ["calf"], tagger=eyes, ocr=eyes)
    task = await go(made, facts=Facts(tags="given tags", ocr="given text"))
    assert "Context: a cow in a field. Text in the picture: SLOW DOWN.\n" in chat.asked[0][-1].content
    steps = {d.step: (d.by, d.said) for d in task.decisions}
    assert steps["tags"] == ("eyes", "nothing that it is sure of") and steps["text"] == ("eyes", "SLOW DOWN")
    made, _ = context(blobs, Method(tags=True, ocr=True), ["calf"])
    steps = {d.step: d.by for d in (await go(made, facts=Facts(tags="cow", ocr=""))).decisions}
    assert steps["tags"] == "given" and "text" not in steps


async def test_captions_are_kept_when_a_tool_beside_them_fails(blobs):
    class Broken(Sighted):
        async def read(self, images):
            raise CallFailed("no text can be read")

    made, chat = context(blobs, Method(ocr=True), ["calf"], ocr=Broken())
    with pytest.raises(CallFailed, match="no text"):
        await go(made)
    assert len(made.captioner.asked) == 1 and chat.asked == [], (
        "an answer without what was asked for would be another way's"
    )


async def test_an_example_that_the_captioner_fails_on_is_left_out(blobs):
    def say(image, question):
        if question == "what is 1?":
            raise CallFailed("an empty caption")
        return f"seen for {question}"

    pool, _ = pool_of(blobs, 3)
    made, _ = context(blobs, Method(shots=3), ["calf"], shots=Shots(pool, by="random"))
    made.captioner._said = say
    task = await go(made)
    assert sorted(shot.id for shot in task.evidence.shots[0]) == ["e0", "e2"]
    [told] = [d for d in task.decisions if d.step == "examples"]
    assert "1 left out" in told.why and "an empty caption" in told.why
    made, _ = context(blobs, Method(shots=1, caption="given"), ["calf"], shots=Shots(pool[1:2], by="random"))
    made.captioner._said = say
    with pytest.raises(CallFailed, match="empty"):
        await go(made)


@pytest.mark.parametrize("tags", [True, False])
async def test_examples_have_tags_where_the_question_has(blobs, tags):
    shots = Shots(shots_of([item(0, captions=("a cow",))], {}), by="random")
    made, chat = context(blobs, Method(shots=1, tags=tags), ["calf"], shots=shots)
    await go(made)
    assert f"Context: a cow.{' grass.' if tags else ''}\n" in chat.asked[0][-1].content


async def test_votes_without_examples_are_one_request(tmp_path):
    with serving() as server, Store(tmp_path) as store:
        server.behaviours = [lambda handler, body: well(handler, body | {"messages": [{"content": "calf"}]})]
        async with OpenAIChat(Sender(server.url, "k", model="m"), store=store) as chat:
            votes = await CaptionAnswerer(chat, "promptcap").votes(QUESTION, ["a cow"], count=5)
        assert [vote.raw for vote in votes] == ["calf 0 0", *(f"calf 1 {place}" for place in range(4))]
        greedy, sampled = sorted(server.seen, key=lambda body: body["n"])
        assert (greedy["n"], greedy["temperature"], sampled["n"], sampled["temperature"]) == (1, 0.0, 4, 0.7)
        server.behaviours = [lambda handler, body: well(handler, body | {"n": 1, "messages": [{"content": "kid"}]})]
        async with OpenAIChat(Sender(server.url, "k", model="other", attempts=1), store=store) as chat:
            votes = await CaptionAnswerer(chat, "promptcap").votes(QUESTION, ["a cow"], count=4)
        assert [vote.raw for vote in votes] == [f"kid {seed} 0" for seed in range(4)], "each with a seed of its own"
