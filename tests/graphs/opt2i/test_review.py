"""A person in the search: what they are shown, what their wishes do, and that the search waits for them, in another process if need be."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from search_parts import WordCount, Writer

from inloop.graphs.opt2i.events import Reviewed
from inloop.graphs.opt2i.graph import build, chapters
from inloop.graphs.opt2i.result import Wishes
from inloop.graphs.opt2i.review import Offer, Review, as_question, banned, wishes_after
from inloop.graphs.opt2i.search import SearchContext, first_state
from inloop.graphs.opt2i.stops import Iterations, usual
from inloop.runtime.errors import BadInput
from inloop.runtime.machine.runner import Checkpoints, Runner
from inloop.runtime.records import Part, Score
from inloop.runtime.store.blobs import BlobStore


class Adds:
    """A proposer of the best text with one word more."""

    def __init__(self):
        self.shown = []

    async def propose(self, text, history, *, n, seed):
        self.shown.append([trial.text for trial in history])
        return [f"{history[-1].text} {word}" for word in ("plain", "golden")][:n]


class Asked(WordCount):
    """Scores by words, and by how many of the further questions are words of the text."""

    def __init__(self, blobs, questions=()):
        super().__init__(blobs)
        self.questions = questions

    def _one(self, file):
        text = file.partition(" #")[0]
        parts = [min(1.0, len(text.split()) / 10), *(float(q.strip("?").split()[-1] in text) for q in self.questions)]
        names = ["words", *self.questions]
        value = sum(parts) / len(parts)
        return Score(value=value, parts=tuple(Part(name=n, value=v) for n, v in zip(names, parts, strict=True)))


@pytest.fixture
def search(tmp_path):
    blobs = BlobStore(tmp_path / "blobs")
    return SearchContext(
        proposer=Adds(),
        realiser=Writer(blobs),
        evaluators={"words": Asked(blobs)},
        objective=lambda scores: scores["words"],
        stop=Iterations(3),
        seeds=(0, 1),
        heldout_seeds=(),
        blobs=blobs,
        candidates=2,
        review=True,
        asking=lambda questions: {"words": Asked(blobs, questions)},
    )


def carried(search, folder, answers):
    """The last state, the offers, and what is left of `answers`; each answer is given by a runner of its own, as by another process."""

    async def whole():
        offers = []
        async with Checkpoints(folder / "c.sqlite") as checkpoints:

            def runner():
                return Runner(build(), context=search, checkpoints=checkpoints, thread_id="t", max_steps=400)

            end = await runner().start(dict(first_state("t", "one two")))
            while end.interrupts:
                offers.append(Offer.model_validate(end.interrupts[0].value))
                answer = answers.pop(0) if answers else Review()
                end = await runner().resume(answer.model_dump(mode="json"))
            assert end.finished
            return end.state, offers

    return asyncio.run(whole())


def test_a_person_who_says_nothing_changes_nothing(search, tmp_path):
    state, offers = carried(search, tmp_path, [])
    (tmp_path / "alone").mkdir()
    alone, _ = carried(replace(search, review=False, proposer=Adds()), tmp_path / "alone", [])
    assert (state["history"], state["best"], state["stop"]) == (alone["history"], alone["best"], alone["stop"])
    assert [offer.iteration for offer in offers] == [0, 1, 2, 3] and offers[-1].stop == "iterations"
    best = offers[1].candidates[-1]
    assert best.text == "one two plain" and best.score == pytest.approx(0.3) and len(best.images) == 2
    assert [candidate.text for candidate in offers[0].candidates] == ["one two"]


def test_a_banned_word_leaves_with_those_that_have_it(search, tmp_path):
    state, offers = carried(search, tmp_path, [Review(), Review(ban=("Plain",))])
    texts = {kept["id"] for kept in state["history"]}
    found = {trial.id: trial.text for trial in chapters(search.blobs, state["chapter"])}
    assert all("plain" not in found[id] for id in texts) and state["best"].endswith("golden golden golden")
    assert offers[2].wishes.ban == ("plain",) and all("plain" not in text for text in search.proposer.shown[-1])


def test_a_text_of_ones_own_is_tried_and_what_is_kept_stays(search, tmp_path):
    state, offers = carried(search, tmp_path, [Review(texts=("a cup",), keep=("t.0.0",)), Review(), Review(stop=True)])
    assert "a cup" in [candidate.text for candidate in offers[1].candidates]
    assert "t.0.0" in [kept["id"] for kept in state["history"]] and state["stop"] == "a person stopped it"
    assert state["iteration"] == 2


def test_a_further_question_is_asked_of_everything_and_can_make_another_one_the_best(search, tmp_path):
    state, offers = carried(search, tmp_path, [Review(), Review(questions=("the ring must be golden",))])
    before, after = offers[1].candidates, offers[2].candidates
    assert before[-1].text == "one two plain"
    found = {trial.text: trial for trial in chapters(search.blobs, state["chapter"])}
    assert [part.name for part in found["one two"].parts["words"]] == ["words", "Is the ring golden?"]
    assert found["one two golden"].objective > found["one two plain"].objective
    assert after[-1].text.split()[2] == "golden"
    assert sum(len(texts) for texts, _ in search.realiser.asked) == len(found)  # nothing was made twice


def test_where_it_would_end_a_person_can_bring_more(search, tmp_path):
    search = replace(search, stop=usual(iterations=1))
    state, offers = carried(search, tmp_path, [Review(), Review(texts=("a b c d e f",))])
    assert offers[1].stop == "iterations" and offers[2].iteration == 2
    assert state["best"] == "a b c d e f" and state["stop"] == "iterations"


def test_a_wrong_answer_is_named_and_the_question_waits(search, tmp_path):
    async def whole():
        async with Checkpoints(tmp_path / "c.sqlite") as checkpoints:

            def runner():
                return Runner(build(), context=search, checkpoints=checkpoints, thread_id="t", max_steps=400)

            first = await runner().start(dict(first_state("t", "one two")))
            for answer, reason in (
                ({"keep": ["nobody"]}, "keep 'nobody': there is no such candidate; there are t.0.0."),
                ({"ban": ["two"]}, "ban 'two': your own prompt has that word. Start a search of another prompt."),
                ({"questions": ["more golden"]}, "'more golden' is no question"),
                ("go on", "valid dictionary"),
            ):
                again = await runner().resume(answer)
                offer = again.interrupts[0].value
                assert reason in offer["wrong"] and offer | {"wrong": ""} == first.interrupts[0].value
                json.dumps(offer)
            end = await runner().resume({"stop": True})
            assert end.finished and end.state["stop"] == "a person stopped it"

    asyncio.run(whole())


def test_what_people_say_is_told(search, tmp_path):
    told = []
    carried(replace(search, emit=told.append), tmp_path, [Review(ban=("x y",)), Review(stop=True)])
    assert [event.review.ban for event in told if isinstance(event, Reviewed)] == [("x y",), ()]


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("the cup must be empty", "Is the cup empty?"),
        ("The cup on the left should be  red.", "Is the cup on the left red?"),
        ("all plates must be white", "Are all plates white?"),
        ("the plates are white", "Are the plates white?"),
        ("there must be a spoon", "Is there a spoon?"),
        ("is the cup empty?", "Is the cup empty?"),
    ],
)
def test_what_must_be_so_becomes_a_question(said, question):
    assert as_question(said) == question


def test_what_is_no_question_is_refused():
    with pytest.raises(BadInput, match="is no question"):
        as_question("more golden please")
    with pytest.raises(ValueError, match="empty text"):
        Review(ban=(" ",))


def test_a_ban_is_of_whole_words():
    assert (
        banned("A Cat, asleep", ["cat"]) and not banned("a category", ["cat"]) and banned("a photo of it", ["photo of"])
    )
    wishes = wishes_after(Wishes(ban=("x",)), Review(ban=("X", "y")), "text", ["a"])
    assert wishes.ban == ("x", "y") and wishes.reviews == 1
