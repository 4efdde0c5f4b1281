"""Which words did it: useful and idle phrases are planted, and what is said of them is so."""

from __future__ import annotations

import numpy as np
import pytest
from search_parts import WordCount, Writer

from inloop.graphs.opt2i.ablation import effects_of, shorten
from inloop.graphs.opt2i.assessment import hold_out
from inloop.graphs.opt2i.search import SearchContext
from inloop.graphs.opt2i.stops import usual
from inloop.runtime.store.blobs import BlobStore

PLANTED = {"centred": 0.12, "on a table": 0.3, "shiny": 0.0, "a photo of": 0.0, "8k": -0.05}
TEXT = "a photo of a centred shiny mug on a table, 8k"


@pytest.fixture
def search(tmp_path):
    blobs = BlobStore(tmp_path / "blobs")

    def worth(text, seed, value):
        """What is planted, and what a seed does to every picture."""
        luck = np.random.default_rng(seed).normal(0, 0.2)
        return 0.4 + luck / 4 + sum(points for phrase, points in PLANTED.items() if phrase in text)

    return SearchContext(
        proposer=None, realiser=Writer(blobs), evaluators={"worth": WordCount(blobs, worth)},
        objective=lambda scores: scores["worth"], stop=usual(iterations=1), seeds=(1,),
        heldout_seeds=tuple(range(10, 18)), blobs=blobs,
    )  # fmt: skip


async def test_every_phrase_has_what_was_planted_whatever_the_seeds_do(search):
    held = (await hold_out(search, [TEXT]))[TEXT]
    effects = {effect.phrase: effect for effect in await effects_of(search, TEXT, held)}
    assert set(effects) == set(PLANTED)
    for phrase, worth in PLANTED.items():
        effect = effects[phrase]
        assert effect.effect == pytest.approx(100 * worth) and effect.n == 8
        assert effect.ci == pytest.approx((100 * worth, 100 * worth)), "seed by seed the same"
        assert phrase not in effect.without


async def test_idle_phrases_go_and_useful_ones_stay(search):
    held = (await hold_out(search, [TEXT]))[TEXT]
    short = await shorten(search, TEXT, await effects_of(search, TEXT, held), held, fresh=range(90, 98))
    assert short.text == "a centred mug on a table" and short.kept
    assert short.change == pytest.approx(5) and short.n == 8
    asked = {seed for _, seeds in search.realiser.asked for seed in seeds}
    assert asked == {*search.heldout_seeds, *range(90, 98)}, "nothing is told on the seeds that were optimised on"


async def test_a_prompt_without_idle_phrases_stays_as_it_is(search):
    text = "a centred mug on a table"
    held = (await hold_out(search, [text]))[text]
    assert await shorten(search, text, await effects_of(search, text, held), held, fresh=range(90, 98)) is None


async def test_of_two_phrases_that_say_the_same_one_stays(tmp_path, search):
    def either(text, seed, value):
        return 0.9 if "glossy" in text or "shiny" in text else 0.2

    twice = SearchContext(**{**vars(search), "evaluators": {"worth": WordCount(search.blobs, either)}})
    text = "a glossy shiny mug"
    held = (await hold_out(twice, [text]))[text]
    effects = await effects_of(twice, text, held)
    assert [effect.effect for effect in effects] == [0, 0], "each is idle beside the other"
    short = await shorten(twice, text, effects, held, fresh=range(90, 98))
    assert short.kept and short.text in ("a glossy mug", "a shiny mug")


async def test_what_only_helped_on_the_seeds_it_was_chosen_on_is_not_left_out(search):
    def lucky(text, seed, value):
        """Without "shiny" it is as good on the held-out seeds, and worse elsewhere."""
        return 0.8 if "shiny" in text or seed < 90 else 0.3

    other = SearchContext(**{**vars(search), "evaluators": {"worth": WordCount(search.blobs, lucky)}})
    text = "a shiny mug"
    held = (await hold_out(other, [text]))[text]
    short = await shorten(other, text, await effects_of(other, text, held), held, fresh=range(90, 98))
    assert short.text == "a mug" and short.change == pytest.approx(-50) and not short.kept
