"""How candidates are asked for: several proposals at once, crossed, apart from each other, with pictures, from the start again."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inloop.agents.opt2i import Rewriter, Shown
from inloop.graphs.opt2i.config import Opt2iConfig
from inloop.graphs.opt2i.parts import PromptProposer, complements, farthest
from inloop.graphs.opt2i.result import Trial, TrialImage
from inloop.runtime.errors import BadInput
from inloop.runtime.fakes import ScriptedChat
from inloop.runtime.records import BlobRef, Part, Score

MINE = "a red cube left of a ball"


def trial(name, *parts):
    value = sum(parts) / len(parts)
    images = tuple(
        TrialImage(
            seed=seed,
            image=BlobRef(sha256=f"{name} {seed}", media_type="image/png", bytes=1),
            scores={"dsg": Score(value=max(0.0, value - seed / 10))},
        )
        for seed in range(3)
    )
    return Trial(
        id=name,
        iteration=1,
        text=name,
        objective=value,
        scores={"dsg": value},
        parts={"dsg": tuple(Part(name=f"q{i}", value=part) for i, part in enumerate(parts))},
        images=images,
    )


HISTORY = [trial("low", 0.0, 0.5), trial("odd", 0.0, 1.0), trial("best", 1.0, 0.5)]


def propose(chat, n=4, **how):
    proposer = PromptProposer(Rewriter(chat, attempts=1), "dsg", lambda text: None, **how)
    return asyncio.run(proposer.propose(MINE, HISTORY, n=n, seed=3))


def numbered(messages):
    """A reply of as many new prompts as are asked for, by what was shown."""
    asked = messages[-1].content
    count = int(asked.split("Write ")[-1].split()[0])
    name = "crossed" if "Each of them succeeds" in asked else f"from {asked.count('overall score:')}"
    return "\n".join(f"<PROMPT>a red cube {name} number {i}</PROMPT>" for i in range(count))


def test_proposals_at_once_start_from_different_trials():
    chat = ScriptedChat(numbered)
    texts = propose(chat, parallel=3)
    assert len(chat.asked) == 3 and len(texts) == 4
    assert {text.split("from ")[1][0] for text in texts} == {"3", "2", "1"}
    shown = [[name for name in ("low", "odd", "best") if f". {name}\n" in asked[-1].content] for asked in chat.asked]
    assert shown == [["low", "odd", "best"], ["low", "odd"], ["low"]]


def test_a_crossing_joins_the_best_with_whoever_does_best_where_it_fails():
    chat = ScriptedChat(numbered)
    texts = propose(chat, crossover=True)
    assert [text for text in texts if "crossed" in text] and [text for text in texts if "from 3" in text]
    crossing = chat.asked[-1][-1].content
    assert (
        "1. odd\noverall score: 50" in crossing and "2. best\noverall score: 75" in crossing and ". low" not in crossing
    )
    assert (
        complements([Shown(text="a", score=3, parts=(("q", 50),)), Shown(text="b", score=9, parts=(("q", 50),))])
        is None
    )
    assert complements([Shown(text="a", score=3)]) is None


def test_the_worst_pictures_of_each_trial_are_shown_in_the_order_of_their_numbers():
    chat = ScriptedChat(numbered)
    propose(chat, pictures=2)
    message = chat.asked[0][-1]
    assert [ref.sha256 for ref in message.images] == ["low 2", "low 1", "odd 2", "odd 1", "best 2", "best 1"]
    assert "The pictures above" in message.content and "2 of each" in message.content
    propose(chat)
    assert not chat.asked[1][-1].images and "pictures above" not in chat.asked[1][-1].content


def test_more_are_asked_for_and_those_kept_that_differ_most():
    async def embed(texts):
        # what ends in an even number lies where the tries lie
        away = [int(text[-1]) if text[-1].isdigit() and int(text[-1]) % 2 else 0 for text in texts]
        return [[math.cos(angle / 10), math.sin(angle / 10)] for angle in away]

    chat = ScriptedChat(numbered)
    texts = propose(chat, n=3, diverse=2, embed=embed)
    assert "Write 6 new" in chat.asked[0][-1].content
    assert [text[-1] for text in texts] == ["1", "3", "5"]


@given(st.lists(st.floats(0, 6), min_size=1, max_size=9), st.integers(1, 5))
def test_the_farthest_first(angles, n):
    vectors = [[math.cos(angle), math.sin(angle)] for angle in angles]
    chosen = farthest(vectors, [], n)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(n, len(angles))
    assert (
        farthest(vectors, vectors[:1], 1)[0]
        == min(
            range(len(vectors)),
            key=lambda i: (round(sum(a * b for a, b in zip(vectors[i], vectors[0], strict=True)), 12), i),
        )
        or len(angles) > 1
    )


def test_what_mini_writer_was_not_taught_is_refused_before_anything_is_painted(tmp_path):
    import inloop
    from inloop.runtime.settings import Settings

    for asked in ({"crossover": True}, {"show_pictures": 1}):
        with pytest.raises(BadInput, match="was not taught that"):
            inloop.opt2i("a red circle", settings=Settings(runs_dir=tmp_path), **asked)
    with pytest.raises(ValueError, match="race='abandon' with keep='front'"):
        Opt2iConfig(prompts=("a",), race="abandon", keep="front")
