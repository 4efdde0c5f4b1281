"""What the parts of a search owe it: a part of one's own that gives something else is named at once."""

from __future__ import annotations

import re

import pytest

from inloop.evaluators.run import score_items
from inloop.graphs.opt2i.graph import build, chapters
from inloop.graphs.opt2i.search import SearchContext, first_state
from inloop.graphs.opt2i.stops import usual
from inloop.runtime.errors import BadInput
from inloop.runtime.machine.runner import Runner
from inloop.runtime.records import Score
from inloop.runtime.store import BlobStore


class Words:
    """A proposer, a realiser and an evaluator that do what they are told."""

    name = "words"

    def __init__(self, blobs, *, texts=1, value=0.5, more=0, row=0):
        self.blobs, self.texts, self.value, self.more, self.row = blobs, texts, value, more, row

    async def propose(self, text, history, *, n, seed):
        return [f"{text} {seed} {k}" for k in range(self.texts)] if isinstance(self.texts, int) else self.texts

    async def realise(self, texts, seeds):
        return [[self.blobs.put(text.encode(), "text/plain") for _ in range(len(seeds) + self.row)] for text in texts]

    async def score(self, samples):
        value = self.value if isinstance(self.value, Score | str) else Score(value=self.value)
        return value if isinstance(value, str) else [value] * (len(samples) + self.more)


async def searched(blobs, *, seeds=(1,), held=(2,), candidates=2, evaluators=True, **kinds):
    part = Words(blobs, **kinds)
    context = SearchContext(
        proposer=part, realiser=part, evaluators={"e": part} if evaluators else {}, objective=lambda scores: scores["e"],
        stop=usual(iterations=2), seeds=seeds, heldout_seeds=held, blobs=blobs, candidates=candidates,
    )  # fmt: skip
    end = await Runner(build(), context=context, checkpoints=None, thread_id="x", max_steps=50).start(
        first_state("t", "a")
    )
    return chapters(blobs, end.state["chapter"])


@pytest.mark.parametrize(
    ("kinds", "why"),
    [
        ({"texts": 20}, "the proposer Words gave 20 texts where candidates=2"),
        ({"texts": "a text"}, "the proposer Words gave 'a text': it must give a list of texts"),
        ({"texts": ["\u200b"]}, "the proposer Words gave an empty text"),
        ({"value": 7.0}, "the objective is 7.0 where the scores are e 7.0: it must lie between 0 and 1"),
        ({"value": "good"}, "the evaluator 'e' (Words) gave 'good': it must give a list of Score"),
        ({"more": -1}, "the evaluator 'e' (Words) gave 0 scores for 1 samples"),
        ({"more": 3}, "the evaluator 'e' (Words) gave 4 scores for 1 samples"),
        ({"row": 1}, "the realiser Words gave"),
        ({"held": (1,)}, "heldout_seeds=(1,): 1 is optimised on too"),
        ({"seeds": (3, 3)}, "seeds=(3, 3): a seed that comes twice"),
        ({"seeds": ()}, "seeds=(): give at least one seed"),
        ({"candidates": 0}, "candidates=0"),
        ({"evaluators": False}, "evaluators={}"),
    ],
)
async def test_a_part_that_breaks_its_contract_is_named(tmp_path, kinds, why):
    with pytest.raises(BadInput, match=re.escape(why)):
        await searched(BlobStore(tmp_path), **kinds)


async def test_parts_that_keep_it_are_let_be(tmp_path):
    assert len(await searched(BlobStore(tmp_path), texts=2)) == 5
    assert await searched(BlobStore(tmp_path), value=Score(value=None, explanation="why"), held=())


async def test_an_evaluator_of_a_scoring_is_held_to_the_same(tmp_path):
    from PIL import Image

    from inloop.tools.data import Item, Items

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    items = [Item(id="a", text="a", path=str(tmp_path / "a.png"))]
    blobs = BlobStore(tmp_path / "blobs")
    with pytest.raises(BadInput, match=r"the evaluator 'e' \(Words\) gave 3 scores for 1 samples"):
        await score_items(Items(items), items, {"e": Words(blobs, more=2)}, blobs)
