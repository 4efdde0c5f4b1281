"""A gain that is proven: on seeds of its own, as few as it takes, at any number of looks, and nothing paid twice on the way."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from search_parts import WordCount, Writer

from inloop.graphs.opt2i.config import Opt2iConfig
from inloop.graphs.opt2i.events import GainLooked
from inloop.graphs.opt2i.graph import build
from inloop.graphs.opt2i.plan import plan_of
from inloop.graphs.opt2i.proof import Proof
from inloop.graphs.opt2i.result import Look
from inloop.graphs.opt2i.search import SearchContext, first_state
from inloop.graphs.opt2i.stops import Iterations
from inloop.runtime.errors import BadInput
from inloop.runtime.machine.runner import Runner
from inloop.runtime.store.blobs import BlobStore

PROOFS = tuple(range(1000, 1040))


class Texts:
    async def propose(self, text, history, *, n, seed):
        return [f"text {seed} {i}" for i in range(n)]


def search(folder, change, **others):
    blobs = BlobStore(folder)
    return SearchContext(
        proposer=Texts(),
        realiser=Writer(blobs),
        evaluators={"words": WordCount(blobs, change)},
        objective=lambda scores: scores["words"],
        stop=Iterations(6),
        seeds=(0, 1),
        heldout_seeds=tuple(range(500, 508)),
        blobs=blobs,
        candidates=2,
        **others,
    )


def run(context):
    async def whole():
        runner = Runner(build(), context=context, checkpoints=None, thread_id="t", max_steps=400)
        return (await runner.start(dict(first_state("t", "mine")))).state

    return asyncio.run(whole())


def better(text, seed, _):
    return 0.0 if text == "mine" else 0.9


def luck(text, seed, _):
    return random.Random(f"{text} {seed}").choice([0.0, 0.25, 0.5, 0.75, 1.0])


def test_a_gain_is_proven_on_as_few_seeds_as_it_takes_and_reported_on_others(tmp_path):
    told = []
    state = run(search(tmp_path, better, proof=Proof(PROOFS), emit=told.append))
    looks = [event.look for event in told if isinstance(event, GainLooked)]
    assert [look.seeds for look in looks] == [4, 8] and looks[-1].proven and not looks[0].proven
    assert state["stop"] == "iterations" and state["accepted"] and state["look"] == looks[-1].model_dump(mode="json")
    assert looks[-1].needed == 20 and looks[0].least < 0 < looks[-1].least < 90


def test_it_ends_as_soon_as_a_gain_is_proven_where_that_is_asked_for(tmp_path):
    context = search(tmp_path, better, proof=Proof(PROOFS, early=True))
    state = run(context)
    assert (state["stop"], state["iteration"], state["accepted"]) == ("proven", 3, True)
    assert state["look"]["needed"] == 40 and state["look"]["seeds"] == 12
    *_, reported = context.realiser.asked
    assert reported[1] == list(context.heldout_seeds)


def test_luck_is_not_proven_and_not_accepted(tmp_path):
    told = []
    context = search(tmp_path, luck, proof=Proof(PROOFS), emit=told.append)
    state = run(context)
    assert state["best"] != "mine" and not state["accepted"]
    assert told[-1].verdict == "unclear" and state["look"]["seeds"] == len(PROOFS)


def test_each_new_best_text_is_looked_at_from_the_first_seed_and_needs_more(tmp_path):
    def climbing(text, seed, _):
        return 0.5 if text == "mine" or seed >= 500 else min(1.0, 0.5 + int(text.split()[1]) / 20)

    told = []
    run(search(tmp_path, climbing, proof=Proof(PROOFS, early=True), emit=told.append))
    looks = [event.look for event in told if isinstance(event, GainLooked)]
    assert [look.texts for look in looks[:6]] == [1, 2, 3, 4, 5, 6]
    assert [look.needed for look in looks[:3]] == pytest.approx([40, 120, 240])
    assert [look.seeds for look in looks[:6]] == [4] * 6 and looks[-1].seeds == len(PROOFS)


def test_without_seeds_to_report_on_the_proof_decides_all_the_same(tmp_path):
    state = run(replace(search(tmp_path, better, proof=Proof(PROOFS)), heldout_seeds=()))
    assert state["accepted"] and state["heldout"] == ""


def test_seeds_that_decide_are_no_others(tmp_path):
    with pytest.raises(BadInput, match="500 is reported on too"):
        search(tmp_path, better, proof=Proof(tuple(range(499, 510))))
    with pytest.raises(BadInput, match="0 is optimised on too"):
        search(tmp_path, better, proof=Proof(tuple(range(10))))
    with pytest.raises(BadInput, match="3 seeds prove nothing"):
        Proof((1, 2, 3))


def test_what_is_asked_for_together():
    config = Opt2iConfig(prompts=("a red circle",), prove=64, until="proven", seed=2)
    apart = [config.seeds, config.unseen, config.fresh, config.proofs]
    assert (
        len({seed for seeds in apart for seed in seeds}) == sum(map(len, apart)) and config.proofs[0] < config.extra[0]
    )
    with pytest.raises(ValueError, match="until='proven' without prove"):
        Opt2iConfig(prompts=("a",), until="proven")
    with pytest.raises(ValueError, match="prove=7"):
        Opt2iConfig(prompts=("a",), prove=7)
    (proof,) = [step for step in plan_of(config).steps if step.name == "proof"]
    assert proof.pictures == 2 * 64 + 30 * 4


def test_a_look_is_of_one_text():
    proof = Proof(PROOFS)
    look = proof.look("a", None, [0.5] * 4)
    assert isinstance(look, Look) and len(proof.next_seeds("a", look)) == 8 and len(proof.next_seeds("b", look)) == 4
    assert not proof.done("b", look) and proof.done("a", look.model_copy(update={"proven": True}))
