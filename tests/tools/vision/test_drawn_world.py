"""Which pictures the bundled models know, and what is said of others."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from inloop.mini.world import draw, items, scenes
from inloop.mini.world.drawing import BACKGROUND_RGB, SIZE
from inloop.tools.vision import foreign_note, is_drawn
from inloop.tools.vision.drawn_world import _GROUNDS

BUNDLED, OTHER = SimpleNamespace(model="mini-vqa"), SimpleNamespace(model="Salesforce/blip-vqa-base")


def noisy(picture, deviation, seed):
    noise = np.random.default_rng(seed).normal(0, deviation, (*picture.size, 3))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def test_what_is_drawn_is_drawn_with_noise_too():
    assert set(_GROUNDS) == set(BACKGROUND_RGB.values())
    drawn = [draw(scene) for scene in itertools.islice(scenes(3, flat=0.4), 150)]
    drawn += [draw(item.scene) for item in items("test", 50, 2)]
    assert all(map(is_drawn, drawn))
    assert all(is_drawn(noisy(picture, 20, seed)) for seed, picture in enumerate(drawn))


@pytest.mark.parametrize("name", ["astronaut", "camera", "cat", "coffee", "rocket", "moon", "coins", "grass", "brick"])
def test_photographs_are_not_also_as_small_as_a_drawing(name):
    data = pytest.importorskip("skimage.data", reason="scikit-image: pip install scikit-image")
    picture = Image.fromarray(getattr(data, name)())
    for shown in (picture, picture.resize((SIZE, SIZE)), picture.resize((SIZE, SIZE), Image.Resampling.NEAREST)):
        assert not is_drawn(shown)


def test_a_drawing_of_another_size_or_ground_is_none_of_that_world():
    picture = draw(next(iter(scenes(1))))
    assert (
        is_drawn(picture)
        and not is_drawn(picture.resize((SIZE + 1, SIZE)))
        and not is_drawn(Image.new("RGB", (SIZE, SIZE), "red"))
    )


def test_the_note_names_models_flags_and_counts():
    drawn, photo = draw(next(iter(scenes(1)))), Image.new("RGB", (300, 200), "red")
    assert foreign_note({"--vqa": BUNDLED, "--captioner": None}, [drawn, drawn]) == ""
    assert foreign_note({"--vqa": OTHER}, [photo]) == "" and foreign_note({"--vqa": BUNDLED}, []) == ""
    one = foreign_note({"--vqa": BUNDLED, "--captioner": OTHER}, [photo])
    assert one.startswith("mini-vqa knows nothing but the drawn world") and "the picture is none of it" in one
    assert one.endswith("A model that knows photographs is set by --vqa.")
    both = foreign_note(
        {"--captioner": SimpleNamespace(model="mini-promptcap"), "--vqa": BUNDLED}, [photo, drawn, photo]
    )
    assert "mini-promptcap and mini-vqa know" in both and "2 of 3 pictures" in both and "--captioner and --vqa" in both
