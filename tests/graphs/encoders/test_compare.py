"""Encoders compared: real differences and none, what is paid twice, and what is refused before anything is computed."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.graphs.encoders import encoders
from inloop.runtime.errors import BadInput
from inloop.runtime.settings import Settings

COLORS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
SHARP = """
import numpy as np

class {name}:
    model, revision, asked = "me/{name}", "1", 0

    def __init__(self, store):
        self.store = store

    async def images(self, images):
        type(self).asked += len(images)
        rows = [np.asarray(self.store.blobs.get_image(each), dtype=float).mean(axis=(0, 1)) for each in images]
        return [list(row / np.linalg.norm(row)){cut} for row in rows]
"""


def folder_of(root: Path, count: int, seed: int, classes: tuple[str, ...] = ("red", "green", "blue")) -> Path:
    rng = np.random.default_rng(seed)
    for name in classes:
        (root / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.clip(np.array(COLORS[name]) + rng.normal(0, 30, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with an encoder that sees the colours, and one that sees only how bright a picture is."""
    text = SHARP.format(name="Sharp", cut="") + SHARP.format(name="Blind", cut=" and [1.0, 1e-9 * row[0]]")
    (tmp_path / "colour_encoders.py").write_text(text, encoding="utf-8")
    monkeypatch.delitem(sys.modules, "colour_encoders", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "colour_encoders"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(runs_dir=tmp_path / "runs", cache_dir=tmp_path / "cache", device="cpu", threads=1)


def test_an_encoder_that_sees_the_classes_is_told_from_one_that_does_not(
    tmp_path: Path, parts: str, settings: Settings
) -> None:
    on, shifted = folder_of(tmp_path / "on", 20, 0), folder_of(tmp_path / "other", 4, 1)
    names = (f"{parts}:Blind", f"{parts}:Sharp")
    result = encoders(*names, on=str(on), shifted=(str(shifted),), settings=settings)
    blind, sharp = result.tasks
    assert result.train == result.test == 30 and result.classes == ("blue", "green", "red")
    assert sharp.probe.value == sharp.knn.value == sharp.k_shot.value == 1.0 and blind.probe.value < 0.7
    assert result.ranking.order == (names[1], names[0]) and [pair.differs for pair in result.ranking.pairs] == [True]
    assert sharp.zero_shot is None and "no text" in sharp.no_zero_shot
    assert any("Sharp has no zero-shot accuracy" in note for note in result.notes)
    assert sharp.shifted["other"].value == 1.0 and sharp.shifted["other"].n == 12
    assert "first by linear probe" in result.finding() and len(result.rows()) == 2
    assert result.rows()[0]["zero-shot"] is None


def test_a_second_run_makes_no_forward_pass_and_an_encoder_that_is_added_is_the_only_one_computed(
    tmp_path: Path, parts: str, settings: Settings, clip_folder: Path
) -> None:
    on = str(folder_of(tmp_path / "on", 8, 0))
    first = encoders("mini", on=on, shots=3, template="a {}", settings=settings)
    again = encoders("mini", on=on, shots=3, template="a {}", settings=settings)
    assert first.tasks == again.tasks and first.tasks[0].zero_shot.n == 12
    assert again.models["mini"]["id"] == "mini-clip"
    paid = [run.calls["embedding"] for run in (first, again)]
    assert paid[0]["paid"] == 24 + 3 and paid[1]["paid"] == 0, paid
    more = encoders("mini", str(clip_folder), on=on, shots=3, template="a {}", settings=settings)
    assert more.calls["embedding"]["paid"] == 24 + 3 and more.tasks[0] == first.tasks[0]


def test_a_picture_that_is_learned_from_is_not_tested(tmp_path: Path, parts: str, settings: Settings) -> None:
    on, test = folder_of(tmp_path / "on", 6, 0), folder_of(tmp_path / "test", 6, 1)
    (test / "red" / "0.png").write_bytes((on / "red" / "3.png").read_bytes())
    result = encoders(f"{parts}:Sharp", on=str(on), test=str(test), settings=settings)
    assert result.test == 17 and any("1 picture of the test set left out" in note for note in result.notes)
    with pytest.raises(BadInput, match="each picture of the test set"):
        encoders(f"{parts}:Sharp", on=str(on), test=str(on), settings=settings)


def test_what_cannot_be_compared_is_refused_before_anything_is_computed(
    tmp_path: Path, parts: str, settings: Settings
) -> None:
    on, sharp = str(folder_of(tmp_path / "on", 6, 0)), f"{parts}:Sharp"
    one = str(folder_of(tmp_path / "one", 6, 0, classes=("red",)))
    (tmp_path / "empty").mkdir()
    few = folder_of(tmp_path / "few", 6, 0)
    for path in (few / "blue").glob("[1-5].png"):
        path.unlink()
    other = folder_of(tmp_path / "other", 6, 2)
    (other / "red").rename(other / "pink")
    for names, options, words in (
        ((sharp, sharp), {"on": on}, "named twice"),
        ((sharp,), {"on": str(tmp_path / "empty")}, "no picture in"),
        ((sharp,), {"on": one}, "only class"),
        ((sharp,), {"on": str(few)}, "'blue' has one picture"),
        ((sharp,), {"on": on}, "'blue' has 3"),
        ((sharp,), {"on": on, "test": str(other), "shots": 2}, "'pink'"),
        ((sharp,), {"on": on, "template": "a photo"}, "no place for the class"),
        (("nothing/./here",), {"on": on}, "neither"),
        (("mini", "clip:mini"), {"on": on, "shots": 2}, "the same encoder"),
    ):
        with pytest.raises(BadInput, match=words):
            encoders(*names, settings=settings, **options)
    import colour_encoders

    assert colour_encoders.Sharp.asked == 0
