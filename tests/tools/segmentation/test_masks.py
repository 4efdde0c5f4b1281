"""Masks as arrays, as run lengths and as polygons: what is written is read again, pixel for pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from inloop.runtime.errors import BadInput
from inloop.runtime.store import MemoryBlobs
from inloop.tools.segmentation import (
    box_iou,
    box_of,
    cut_out,
    drawn_over,
    filled,
    from_run_lengths,
    highlighted,
    mask_iou,
    outlines,
    put_mask,
    run_lengths,
    simplified,
)

masks = hnp.arrays(bool, st.tuples(st.integers(1, 17), st.integers(1, 17)))


@given(masks)
def test_run_lengths_are_read_as_they_were_written(mask):
    assert (from_run_lengths(run_lengths(mask), *mask.shape) == mask).all()


def test_a_long_run_needs_several_letters():
    mask = np.zeros((400, 300), dtype=bool)
    mask[37:390, 5:280] = True
    assert (from_run_lengths(run_lengths(mask), 400, 300) == mask).all()


@given(masks)
def test_pycocotools_reads_and_writes_the_same(mask):
    coco = pytest.importorskip("pycocotools.mask", reason="no pycocotools: pip install pycocotools")
    theirs = coco.encode(np.asfortranarray(mask, dtype=np.uint8))
    assert run_lengths(mask) == theirs["counts"].decode()
    assert (coco.decode({"size": list(mask.shape), "counts": run_lengths(mask).encode()}) == mask).all()


def test_run_lengths_of_another_size_are_refused():
    with pytest.raises(BadInput, match="come to 6 pixels, and a picture of 3 x 3 has 9"):
        from_run_lengths([2, 4], 3, 3)
    with pytest.raises(BadInput, match="no letter"):
        from_run_lengths("\n", 3, 3)
    with pytest.raises(BadInput, match="middle of a number"):
        from_run_lengths("o", 3, 3)


def test_run_lengths_of_a_known_mask():
    """From the documentation of pycocotools: M=[0 0 1 1 1 0 1] is R=[2 3 1 1]."""
    assert (from_run_lengths([2, 3, 1, 1], 7, 1)[:, 0] == [0, 0, 1, 1, 1, 0, 1]).all()


@given(masks)
def test_outlines_enclose_the_very_pixels(mask):
    whole = np.zeros_like(mask)
    for polygon in outlines(mask):
        whole ^= filled([polygon], *mask.shape)
    assert (whole == mask).all()


def test_a_ring_has_two_outlines_and_their_corners_alone():
    mask = np.zeros((9, 9), dtype=bool)
    mask[1:8, 1:8] = True
    mask[3:5, 3:5] = False
    outer, inner = outlines(mask)
    assert sorted(outer) == [(1.0, 1.0), (1.0, 8.0), (8.0, 1.0), (8.0, 8.0)]
    assert sorted(inner) == [(3.0, 3.0), (3.0, 5.0), (5.0, 3.0), (5.0, 5.0)]


def test_a_disc_is_simplified_and_stays_near():
    ys, xs = np.mgrid[:120, :120]
    disc = (xs - 60) ** 2 + (ys - 60) ** 2 < 50**2
    [outline] = outlines(disc)
    few = simplified(outline, 1.0)
    assert len(few) < len(outline) / 5
    assert mask_iou(filled([few], 120, 120), disc) > 0.96
    assert simplified([(0, 0), (5, 0), (10, 0), (10, 10), (0, 10)], 0.5) == [(0, 0), (10, 0), (10, 10), (0, 10)]


def test_overlaps_and_boxes():
    one, other = np.zeros((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)
    one[:2], other[1:3] = True, True
    assert mask_iou(one, other) == pytest.approx(1 / 3)
    assert mask_iou(one & False, other & False) == 1.0
    assert box_of(other) == (0, 1, 4, 3) and box_of(one & False) == (0, 0, 0, 0)
    assert box_iou((0, 0, 4, 2), (0, 1, 4, 3)) == pytest.approx(1 / 3)
    assert box_iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0.0 == box_iou((1, 1, 1, 1), (1, 1, 1, 1))


def test_a_mask_is_kept_as_a_picture():
    memory = MemoryBlobs()
    mask = np.eye(5, dtype=bool)
    ref = put_mask(mask, memory)
    assert ref.media_type == "image/png" and put_mask(mask.copy(), memory) == ref


def test_drawings():
    picture = Image.new("RGB", (40, 30), (10, 200, 30))
    mask = np.zeros((30, 40), dtype=bool)
    mask[5:15, 5:20] = True
    over = np.asarray(drawn_over(picture, [mask], ["1"], side=40))
    assert (
        over.shape == (30, 40, 3) and (over[25, 35] == (10, 200, 30)).all() and not (over[6, 6] == over[25, 35]).all()
    )
    near = np.asarray(highlighted(picture, mask, side=40))
    assert (near[10, 10] == (10, 200, 30)).all() and (near[4, 10] == (255, 0, 160)).all() and near[28, 35, 1] < 200
    alone = np.asarray(cut_out(picture, mask, (1, 2, 3)))
    assert (alone[0, 0] == (1, 2, 3)).all() and (alone == (10, 200, 30)).all(axis=2).sum() == mask.sum()
    ruled = drawn_over(picture, [mask], ["1"], side=320, ruler=True)
    assert ruled.width > 160 and highlighted(picture, mask, around=(5, 5, 20, 15)).width > 0
