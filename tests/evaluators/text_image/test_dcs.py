"""dCS: raw cosines, one part a phrase, and no 0 for what could not be embedded."""

import math
from collections.abc import Sequence

import pytest

from inloop.evaluators.text_image.dcs import DCS, PREFIX
from inloop.runtime.errors import BadInput, CallFailed
from inloop.runtime.fakes import ScriptedEmbedder
from inloop.runtime.records import BlobRef, Sample

IMAGE = BlobRef(sha256="a" * 64, media_type="image/png", bytes=1)
OTHER = BlobRef(sha256="b" * 64, media_type="image/png", bytes=1)


class Plane:
    """Unit vectors at known angles, in degrees."""

    model, revision = "plane", "1"

    def __init__(self, **angles: float) -> None:
        self.angles = angles
        self.asked: list[str] = []

    def _at(self, name: str) -> list[float]:
        self.asked.append(name)
        if name not in self.angles:
            raise CallFailed(f"no angle for {name}")
        angle = math.radians(self.angles[name])
        return [math.cos(angle), math.sin(angle)]

    async def texts(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._at(text) for text in texts]

    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]:
        return [self._at(image.sha256[0]) for image in images]


def sample(image: BlobRef | None) -> Sample:
    return Sample(id="s", text="", image=image)


async def test_it_is_the_mean_of_raw_cosines() -> None:
    (score,) = await DCS(Plane(disc=0, box=180, a=60), ["disc", "box"]).score([sample(IMAGE)])
    assert [part.value for part in score.parts] == [pytest.approx(0.5), pytest.approx(-0.5)]
    assert score.value == pytest.approx(0.0)  # a CLIPScore would cut the second at 0
    assert [part.name for part in score.parts] == ["disc", "box"]
    assert score.explanation.endswith("the weakest is 'box'")


async def test_the_prefix_is_an_option() -> None:
    plane = Plane(**{PREFIX + "disc": 0, "a": 90})
    (score,) = await DCS(plane, ["disc"], prefix=PREFIX).score([sample(IMAGE)])
    assert score.value == pytest.approx(0.0) and score.parts[0].name == "disc"


async def test_pictures_keep_their_order_and_are_embedded_once() -> None:
    plane = Plane(disc=0, a=0, b=60)
    scores = await DCS(plane, ["disc"]).score([sample(OTHER), sample(IMAGE), sample(OTHER), sample(None)])
    assert [score.value for score in scores[:3]] == [pytest.approx(0.5), pytest.approx(1.0), pytest.approx(0.5)]
    assert scores[3].value is None and "no picture" in scores[3].explanation
    assert sorted(plane.asked) == ["a", "b", "disc"]


async def test_what_cannot_be_embedded_is_none() -> None:
    lost, kept = await DCS(Plane(disc=0, b=0), ["disc"]).score([sample(IMAGE), sample(OTHER)])
    assert lost.value is None and "no angle for a" in lost.explanation
    assert kept.value == pytest.approx(1.0)
    (score,) = await DCS(Plane(a=0), ["disc"]).score([sample(IMAGE)])
    assert score.value is None and "no angle for disc" in score.explanation


def test_no_phrases_are_refused() -> None:
    for phrases in ([], ["disc", " "]):
        with pytest.raises(BadInput, match="noun phrases"):
            DCS(ScriptedEmbedder(), phrases)
