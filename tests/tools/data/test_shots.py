"""Worked examples: never the question itself or its picture, the most similar first, exactly."""

import numpy as np
import pytest

from inloop.runtime.errors import BadInput
from inloop.runtime.fakes import ScriptedEmbedder
from inloop.runtime.records import BlobRef
from inloop.tools.data.shots import Shot, Shots
from inloop.tools.index.open import open_index


def ref(number):
    return BlobRef(sha256=f"{number:064x}", media_type="image/png", bytes=1)


def pool(n, *, pictures=True):
    return [
        Shot(
            id=f"s{k}",
            question=f"question {k}?",
            answer="a",
            image_id=f"i{k // 2}",
            image=ref(k // 2) if pictures else None,
        )
        for k in range(n)
    ]


async def made(n, by, **options):
    index = (
        None
        if by == "random"
        else await open_index("memory:", text=ScriptedEmbedder(size=8), image=ScriptedEmbedder(size=8))
    )
    shots = Shots(pool(n), by=by, index=index, **options)
    await shots.fill()
    return shots


async def test_its_own_question_and_picture_are_left_out():
    for by in ("random", "question", "image+question"):
        shots = await made(12, by)
        found = await shots.choose("s4", "question 4?", 32, image_id="i2", image=ref(2))
        assert len(found) == 10 and not {"s4", "s5"} & {shot.id for shot in found}
        assert await shots.choose("s4", "question 4?", 0) == []


async def test_the_same_question_elsewhere_comes_first():
    shots = await made(12, "question")
    found = await shots.choose("new", "question 7?", 3)
    assert found[0].id == "s7" and len(found) == 3


async def test_both_similarities_are_summed_exactly():
    shots = await made(300, "image+question")
    words, images = ScriptedEmbedder(size=8), ScriptedEmbedder(size=8)
    texts = np.array(await words.texts([shot.question for shot in pool(300)]))
    pictures = np.array(await images.images([shot.image for shot in pool(300)]))
    for query in range(20):
        [text] = await words.texts([f"asked {query}"])
        [picture] = await images.images([ref(1000 + query)])
        sums = texts @ np.array(text) + pictures @ np.array(picture)
        expected = np.sort(sums)[::-1][:8]
        found = await shots.choose("new", f"asked {query}", 8, image=ref(1000 + query))
        got = [sums[int(shot.id[1:])] for shot in found]
        assert got == pytest.approx(list(expected), abs=1e-5)


async def test_random_ones_depend_on_seed_and_question_alone():
    one, other = await made(50, "random"), Shots(list(reversed(pool(50))), by="random")
    first = [shot.id for shot in await one.choose("q1", "x?", 5)]
    assert first == [shot.id for shot in await other.choose("q1", "another wording", 5)]
    assert first != [shot.id for shot in await one.choose("q2", "x?", 5)]
    assert first != [shot.id for shot in await (await made(50, "random", seed=1)).choose("q1", "x?", 5)]


async def test_what_cannot_be_chosen_from():
    with pytest.raises(BadInput, match="one id"):
        Shots([*pool(2), *pool(1)], by="random")
    with pytest.raises(BadInput, match="need an index"):
        Shots(pool(2), by="question")
    index = await open_index("memory:", text=ScriptedEmbedder(), image=ScriptedEmbedder())
    with pytest.raises(BadInput, match="need a picture each"):
        Shots(pool(2, pictures=False), by="image+question", index=index)
    shots = await made(4, "image+question")
    with pytest.raises(BadInput, match="has no picture"):
        await shots.choose("new", "x?", 1)


async def test_a_picture_is_known_by_its_bytes_where_it_has_no_id():
    for by in ("random", "question", "image+question"):
        found = await (await made(12, by)).choose("new", "question 4?", 32, image=ref(2))
        assert len(found) == 10 and not {"s4", "s5"} & {shot.id for shot in found}


@pytest.mark.parametrize("by", ["question", "image+question"])
async def test_an_index_with_examples_of_other_pools_gives_as_many(by):
    index = await open_index("memory:", text=ScriptedEmbedder(size=8), image=ScriptedEmbedder(size=8))
    await Shots(pool(40), by=by, index=index).fill()
    few = Shots(pool(40)[32:], by=by, index=index)
    await few.fill()
    assert {shot.id for shot in await few.choose("new", "question 3?", 8, image=ref(99))} == {
        s.id for s in pool(40)[32:]
    }


async def test_another_example_under_the_same_id_is_embedded_anew():
    index = await open_index("memory:", text=ScriptedEmbedder(size=8))
    await Shots(pool(4), by="question", index=index).fill()
    swapped = [shot.model_copy(update={"id": f"s{3 - k}"}) for k, shot in enumerate(pool(4))]
    shots = Shots(swapped, by="question", index=index)
    await shots.fill()
    [found] = await shots.choose("new", "question 0?", 1)
    assert found.question == "question 0?"
