"""The picture and the mask of an edit: every kind of file comes to the same pixels, and what is unclear is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.records import BlobRef, EditRequest
from inloop.runtime.store import BlobStore
from inloop.tools.images.canvas import Canvas

HALF = np.zeros((6, 8), dtype=np.uint8)
HALF[:, :4] = 255
RNG = np.random.default_rng(0)
PICTURE = Image.fromarray(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8))


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


def canvas(blobs: BlobStore, image: Image.Image, mask: Image.Image | None = None, strength: float = 0.5) -> Canvas:
    ref = None if mask is None else blobs.put_image(mask)
    return Canvas.of(
        EditRequest(prompt="a disc", seed=0, image=blobs.put_image(image), mask=ref, strength=strength), blobs
    )


def palette(grey: np.ndarray) -> Image.Image:
    image = Image.fromarray((grey > 0).astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 255, 255, 255])
    return image


@pytest.mark.parametrize(
    "mask",
    [
        Image.fromarray(HALF),
        Image.fromarray(HALF).convert("1"),
        Image.fromarray(HALF).convert("RGB"),
        Image.fromarray(HALF).convert("RGBA"),
        Image.fromarray(HALF.astype(np.uint16) * 257),
        palette(HALF),
        Image.fromarray(np.where(HALF > 0, 128, 127).astype(np.uint8)),  # as a brush with soft edges leaves it
    ],
    ids=["L", "1", "RGB", "RGBA", "16 bits", "palette", "greys"],
)
def test_a_mask_means_the_same_in_every_kind_of_picture(mask: Image.Image, blobs: BlobStore) -> None:
    read = canvas(blobs, PICTURE, mask)
    assert read.mask is not None and (read.mask == (HALF > 0)).all()
    assert (np.asarray(read.mask_image()) == HALF).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_picture_keeps_its_pixels(mode: str, blobs: BlobStore) -> None:
    read = canvas(blobs, PICTURE.convert(mode))
    assert read.size == (8, 6) and (read.pixels == np.asarray(PICTURE)).all()


def test_a_picture_is_taken_as_a_viewer_shows_it(blobs: BlobStore) -> None:
    glass = PICTURE.convert("RGBA")
    glass.putalpha(0)
    assert (canvas(blobs, glass).pixels == 255).all()
    grey = RNG.integers(0, 256, (6, 8), dtype=np.uint8)
    for image in (Image.fromarray(grey), Image.fromarray(grey.astype(np.uint16) * 257)):
        assert (canvas(blobs, image).pixels == grey[..., None]).all()


def glassy(grey: np.ndarray) -> Image.Image:
    image = Image.fromarray(grey).convert("RGBA")
    image.putalpha(Image.fromarray(255 - grey))
    return image


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (Image.new("L", (8, 6)), "the mask is empty, its brightest grey is 0"),
        (Image.new("L", (8, 6), 127), "its brightest grey is 127"),
        (Image.new("L", (6, 8), 255), "the mask is 6 x 8 pixels and the picture 8 x 6"),
        (glassy(HALF), "the mask has transparent pixels"),
        (Image.new("I;16", (8, 6), 255), "the mask is empty"),  # of 65535
    ],
)
def test_a_mask_that_cannot_be_used_is_refused(mask: Image.Image, why: str, blobs: BlobStore) -> None:
    with pytest.raises(BadInput, match=why):
        canvas(blobs, PICTURE, mask)


@pytest.mark.parametrize("strength", [0.0, -0.2, 1.01, 40])
def test_a_strength_is_a_share(strength: float, blobs: BlobStore) -> None:
    with pytest.raises(BadInput, match=r"strength=.* above 0 .* at most 1"):
        canvas(blobs, PICTURE, strength=strength)


def test_a_picture_that_is_not_there_is_named(blobs: BlobStore) -> None:
    gone = BlobRef(sha256="0" * 64, media_type="image/png", bytes=1)
    with pytest.raises(PrerequisiteError, match="is not in the store"):
        Canvas.of(EditRequest(prompt="a disc", seed=0, image=gone, strength=1), blobs)


def test_a_fine_mask_grows_to_whole_cells_and_what_is_outside_of_the_mask_itself_is_kept(blobs: BlobStore) -> None:
    dot = np.zeros((6, 8), dtype=np.uint8)
    dot[1, 5] = 255
    read = canvas(blobs, PICTURE, Image.fromarray(dot))
    grown = np.zeros((6, 8), dtype=np.uint8)
    grown[0:2, 4:6] = 255
    assert (np.asarray(read.mask_image(cell=2)) == grown).all()
    kept = read.keep_outside(np.zeros((6, 8, 3), dtype=np.uint8))
    assert (kept[1, 5] == 0).all()
    assert (kept[dot == 0] == np.asarray(PICTURE)[dot == 0]).all()


def test_the_content_of_a_request_is_that_of_its_pictures() -> None:
    image, mask = (BlobRef(sha256=digit * 64, media_type="image/png", bytes=1) for digit in "ab")
    request = EditRequest(prompt="a disc", seed=3, image=image, strength=0.5)
    plain = {"prompt": "a disc", "seed": 3, "image": "a" * 64, "strength": 0.5, "mask": None}
    assert request.content() == plain
    assert request.model_copy(update={"mask": mask}).content() == {**plain, "mask": "b" * 64}
