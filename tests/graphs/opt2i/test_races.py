"""Races: the abandoned could not have won, the halved had their chance, and the user's own text gets every seed."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_parts import WordCount, Writer

from inloop.graphs.opt2i.graph import build, chapters
from inloop.graphs.opt2i.races import Abandon, Everyone, Halve, Standing
from inloop.graphs.opt2i.search import SearchContext, first_state
from inloop.graphs.opt2i.stops import Iterations
from inloop.runtime.errors import BadInput
from inloop.runtime.machine.runner import Runner
from inloop.runtime.store.blobs import BlobStore


class Fresh:
    """A proposer of texts that are new each time, whatever it is shown; it keeps what it was shown."""

    def __init__(self):
        self.shown = []

    async def propose(self, text, history, *, n, seed):
        self.shown.append([(trial.text, trial.objective) for trial in history])
        return [f"text {seed} {i}" for i in range(n)]


def search(folder, race, *, values=(0.0, 0.25, 0.5, 0.75, 1.0), draw=0, top=3, candidates=4, seeds=4, rounds=4):
    blobs = BlobStore(folder)

    def luck(text, seed, _):
        return random.Random(f"{draw} {text} {seed}").choice(values)

    return SearchContext(
        proposer=Fresh(),
        realiser=Writer(blobs),
        evaluators={"luck": WordCount(blobs, luck)},
        objective=lambda scores: scores["luck"],
        stop=Iterations(rounds),
        seeds=tuple(range(seeds)),
        heldout_seeds=(),
        blobs=blobs,
        candidates=candidates,
        top=top,
        race=race,
    )


def run(context):
    async def whole():
        runner = Runner(build(), context=context, checkpoints=None, thread_id="t", max_steps=400)
        return (await runner.start(dict(first_state("t", "the user's own")))).state

    return asyncio.run(whole())


def artefacts(context):
    return sum(len(texts) * len(seeds) for texts, seeds in context.realiser.asked)


@given(
    draw=st.integers(0, 10**6),
    top=st.integers(1, 5),
    seeds=st.integers(1, 6),
    values=st.lists(st.sampled_from([0.0, 0.2, 1 / 3, 0.5, 0.75, 0.9, 1.0]), min_size=1, max_size=5),
)
@settings(max_examples=12, deadline=None)
def test_what_is_abandoned_could_not_have_been_among_the_best(tmp_path_factory, draw, top, seeds, values):
    folder = tmp_path_factory.mktemp("race")
    every, race = (
        search(folder, kind, draw=draw, top=top, seeds=seeds, values=values) for kind in (Everyone(), Abandon())
    )
    whole, quick = run(every), run(race)
    assert quick["history"] == whole["history"] and quick["best"] == whole["best"]
    assert race.proposer.shown == every.proposer.shown  # the same best at every step, not at the end alone
    assert artefacts(race) <= artefacts(every)


def test_abandoning_saves_pictures_and_says_why(tmp_path):
    every, race = (search(tmp_path, kind, rounds=12, top=2) for kind in (Everyone(), Abandon()))
    run(every)
    state = run(race)
    assert artefacts(race) < artefacts(every)
    left = [trial for trial in chapters(race.blobs, state["chapter"]) if trial.objective is None]
    assert left and all(0 < len(trial.images) < 4 and trial.scores["luck"] is not None for trial in left)
    assert all(trial.note.startswith(f"left after {len(trial.images)} of 4 seeds: at most ") for trial in left)
    assert all(trial.iteration for trial in left)


def test_halving_gives_the_better_half_twice_the_seeds(tmp_path):
    race = search(tmp_path, Halve(), candidates=8, rounds=1)
    state = run(race)
    assert [(len(texts), list(seeds)) for texts, seeds in race.realiser.asked] == [
        (1, [0, 1, 2, 3]), (8, [0]), (4, [1]), (2, [2, 3]),
    ]  # fmt: skip
    trials = chapters(race.blobs, state["chapter"])[1:]
    first = {trial.text: trial.images[0].scores["luck"].value for trial in trials}
    went_on = [first[trial.text] for trial in trials if len(trial.images) > 1]
    assert min(went_on) >= max(first[trial.text] for trial in trials if len(trial.images) == 1)
    assert sum(trial.objective is not None for trial in trials) == 2


def test_who_leaves():
    def at(objective, most):
        return Standing(objective, most)

    assert Abandon().leaving([at(0.5, 0.7), at(0.5, 0.8), at(None, 1.0)], 0.8) == [
        "at most 70.0, and 80.0 are needed", "", "",
    ]  # fmt: skip
    assert Abandon().leaving([at(0.0, 0.1)], None) == [""]
    assert [bool(why) for why in Halve().leaving([at(None, 1), at(0.5, 1), at(0.5, 1), at(0.9, 1)], 0.8)] == [
        True, False, True, False,
    ]  # fmt: skip
    assert Everyone().leaving([at(0.0, 0.0)], 1.0) == [""] and Everyone().seeds(0, 4) == 4
    with pytest.raises(BadInput, match=r"share of 1.5"):
        Halve(1.5)


def test_an_artefact_that_cannot_be_made_does_not_end_a_race(tmp_path):
    context = search(tmp_path, Abandon(), rounds=2)

    class Broken(Writer):
        async def realise(self, texts, seeds):
            rows = await super().realise(texts, seeds)
            return [[None if seed == 2 and text.endswith("1") else ref for ref, seed in zip(row, seeds, strict=True)]
                    for text, row in zip(texts, rows, strict=True)]  # fmt: skip

    context = replace(context, realiser=Broken(context.blobs))
    trials = chapters(context.blobs, run(context)["chapter"])
    broken = [trial for trial in trials[1:] if trial.text.endswith("1")]
    assert broken and all("1 of 4 could not be made" in trial.note for trial in broken if trial.objective is not None)
