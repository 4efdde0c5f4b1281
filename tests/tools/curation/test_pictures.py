"""Pictures: laid over each other, hashed, looked at, and copies and look-alikes planted into them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageOps

from inloop.runtime.errors import BadInput
from inloop.runtime.store import BlobStore
from inloop.tools.curation import (
    CHANGES,
    COPIES,
    DETAILED,
    RULES,
    Pairs,
    Planted,
    Thumbnails,
    align,
    detail,
    hash_bits,
    joined,
    look_at,
    near_pairs,
    odd_sizes,
    plant,
    proposed,
    recall_curve,
    remove_copies,
    remove_pairs,
    unit_rows,
)


def scene(seed, size=(160, 120)):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)


def score(one, other):
    return align(Thumbnails(one), Thumbnails(other)).score


@pytest.mark.parametrize("seed", range(4))
def test_copies_score_higher_than_look_alikes_and_strangers(seed):
    rng = np.random.default_rng(seed)
    one, other = scene(seed), scene(seed + 100)
    scores = {change: score(one, plant(one, other, change, rng)) for change in CHANGES}
    assert score(one, one) == 1 and score(one, other) < 0.3
    assert min(scores[change] for change in COPIES) > 0.7
    assert max(scores["replaced"], scores["swapped"]) < min(scores[change] for change in COPIES)


def test_an_alignment_says_what_was_cropped_and_mirrored():
    one = scene(3, (96, 96))
    cropped = ImageOps.mirror(one.crop((10, 5, 87, 82)))  # 77 of 96 pixels
    found = align(Thumbnails(one), Thumbnails(cropped))
    assert found.mirrored and found.score > 0.7 and abs(found.scale - 77 / 96) < 0.06
    back = align(Thumbnails(cropped), Thumbnails(one))
    assert back.mirrored and abs(back.score - found.score) < 0.1
    plain = Image.new("RGB", (96, 96), "white")
    plain.paste(scene(60, (66, 66)), (14, 16))
    slight = plain.crop((6, 6, 92, 92))
    assert score(plain, slight) > 0.8 and score(slight, plain) > 0.8  # whichever is the crop


def test_a_crop_of_a_small_thing_is_not_told_from_the_thing_elsewhere():
    plain = Image.new("RGB", (96, 96), "white")
    plain.paste(scene(60, (20, 20)), (40, 40))
    assert detail(Thumbnails(plain).fine) < DETAILED <= detail(Thumbnails(scene(60)).fine)
    assert score(plain, plain.crop((6, 6, 92, 92))) < 0.5
    again = plain.resize((64, 64))
    assert score(plain, again) > 0.8 and score(again, ImageOps.mirror(plain)) > 0.8


def test_plain_pictures_are_alike_by_their_noise_no_more_than_by_their_colour():
    red, blue = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")
    assert score(red, red) == 1 and score(red, blue) > 0.9  # a recolouring of nothing is the same nothing
    assert score(red, scene(1)) < 0.7


def test_the_hash_stays_when_a_picture_is_saved_again_and_knows_its_mirror(tmp_path):
    picture = scene(5)
    small = picture.resize((80, 60)).convert("RGB")
    assert hash_bits(picture) @ hash_bits(small) > 1 - 6 / 32
    assert hash_bits(picture) @ hash_bits(scene(6)) < 0.6
    picture.save(tmp_path / "a.png")
    look = look_at(tmp_path, "a.png", BlobStore(tmp_path / "blobs"))
    assert look.bits @ hash_bits(picture) == pytest.approx(1)
    assert look.flipped_bits @ hash_bits(ImageOps.mirror(picture)) == pytest.approx(1)


def test_a_look_says_what_a_file_shows_and_what_is_wrong_with_it(tmp_path):
    blobs = BlobStore(tmp_path / "blobs")
    big = scene(1, (2000, 1200))
    files = {
        "big.png": big,
        "same.bmp": big,
        "dark.png": Image.eval(scene(2), lambda value: value // 8),
        "bright.png": Image.new("RGB", (60, 60), (252, 252, 251)),
        "blurry.png": scene(3, (400, 300)).filter(ImageFilter.GaussianBlur(40)),
        "gray.png": scene(4).convert("L"),
        "narrow.png": scene(5, (300, 60)),
    }
    for name, picture in files.items():
        picture.save(tmp_path / name)
    looks = {name: look_at(tmp_path, name, blobs) for name in files}
    assert (looks["big.png"].width, looks["big.png"].height) == (2000, 1200)
    assert blobs.get_image(looks["big.png"].blob).size == (768, 461)
    assert looks["big.png"].pixels == looks["same.bmp"].pixels and looks["big.png"].file != looks["same.bmp"].file
    assert sum(path.stat().st_size for path in (tmp_path / "blobs").rglob("*") if path.is_file()) < 1_000_000
    wanted = {"dark.png": "dark", "bright.png": "bright", "blurry.png": "blurry", "gray.png": "grayscale", "narrow.png": "odd aspect"}  # fmt: skip
    assert all(issue in looks[name].issues for name, issue in wanted.items())
    assert looks["big.png"].issues in ((), ("blurry",)) and "dark" not in looks["gray.png"].issues
    like = [looks["gray.png"]] * 9
    assert odd_sizes([*like, looks["big.png"]]) == {9} and odd_sizes(like) == set() and odd_sizes([]) == set()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(BadInput, match=r"'broken.png'"):
        look_at(tmp_path, "broken.png", blobs)


def test_the_proposed_threshold_lies_between_copies_and_look_alikes():
    planted = [
        Planted(0, "crop", 0.8),
        Planted(1, "mirror", 0.9),
        Planted(0, "replaced", 0.5),
        Planted(1, "swapped", 0.2),
    ]
    curve = recall_curve(planted, [number / 100 for number in range(30, 100)])
    best = proposed(curve)
    assert best.recall == 1 and best.false == 0 and 0.6 < best.threshold < 0.7
    assert curve[0].false == 0.5 and curve[-1].recall == 0
    assert (
        best.recall_ci[0] < 0.5 and best.false_ci[1] > 0.5
    )  # of two copies and two look-alikes hardly anything is known
    with pytest.raises(BadInput, match="planted copies and look-alikes"):
        recall_curve(planted[:2], [0.5])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.95]), st.sampled_from(RULES))
def test_pairs_and_vectors_are_removed_alike(seed, threshold, rule):
    rng = np.random.default_rng(seed)
    originals = rng.standard_normal((12, 3))
    vectors = unit_rows(np.concatenate([originals, originals + 0.1 * rng.standard_normal(originals.shape)]))
    if (np.abs(vectors @ vectors.T - threshold) < 1e-4).any():
        return
    priority = rng.permutation(24).astype(float)
    by_pairs = remove_pairs(24, near_pairs(vectors, k=23, floor=-1.0), threshold, rule=rule, priority=priority)
    by_vectors = remove_copies(vectors, threshold, rule=rule, priority=priority)
    assert (by_pairs.kept == by_vectors.kept).all() and (by_pairs.copy_of == by_vectors.copy_of).all()


def test_pairs_join_what_a_chain_leads_to():
    pairs = Pairs(np.array([[0, 1], [1, 3], [2, 4]]), np.array([0.9, 0.8, 0.3]))
    assert joined(5, pairs, 0.5).tolist() == [0, 0, 2, 0, 4]
    assert near_pairs(np.eye(1), k=3, floor=0.0).rows.shape == (0, 2)
    with pytest.raises(BadInput, match="give 1 or more neighbours"):
        near_pairs(np.eye(2), k=0, floor=0.0)
