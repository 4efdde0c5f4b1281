"""What the bias evaluators say of planted models, whose bias is known, and what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from biased import THINGS, Channel, Linear, Nearest, blurred, colors, conflicts, outline, pictures
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inloop.evaluators.bias import (
    BANDS,
    CUTOFFS,
    FEWEST_MODELS,
    NOISE_LEVELS,
    critical_band,
    grey,
    high_pass,
    low_contrast,
    low_pass,
    noisy,
    octave_noise,
    relation,
    shape_bias,
    shifted,
    shrunk,
    written,
)
from inloop.runtime.errors import BadInput

LABELS = st.sampled_from(["cat", "dog", "cow"])


@pytest.fixture(scope="module")
def disagreeing():
    return list(conflicts())


def biased(model, disagreeing):
    shapes, textures, images = zip(*disagreeing, strict=True)
    return shape_bias([model(image) for image in images], shapes, textures)


def test_a_planted_model_of_textures_and_one_of_outlines(disagreeing):
    agreeing = [(shape, image) for shape, texture, image in disagreeing if shape == texture]
    by_texture = biased(Nearest(colors, agreeing), disagreeing)
    by_shape = biased(Nearest(outline, pictures()), disagreeing)
    assert by_texture.bias.value <= 0.05 and by_texture.accuracy.value > 0.5
    assert by_shape.bias.value >= 0.95 and by_shape.accuracy.value > 0.5
    assert by_shape.left_out == len(THINGS) and {each.label for each in by_shape.classes} == set(THINGS)
    assert by_shape.bias.ci[0] <= by_shape.bias.value <= by_shape.bias.ci[1]


@given(st.lists(st.tuples(st.none() | LABELS, LABELS, LABELS), max_size=40))
@settings(deadline=None)
def test_a_shape_bias_is_what_its_answers_say(rows):
    found = shape_bias(*zip(*rows, strict=True)) if rows else shape_bias([], [], [])
    rows = [row for row in rows if row[1] != row[2]]
    shapes, textures = (sum(row[0] == row[place] for row in rows) for place in (1, 2))
    assert found.bias.value == (pytest.approx(shapes / (shapes + textures)) if shapes + textures else None)
    assert found.accuracy.value == (pytest.approx((shapes + textures) / len(rows)) if rows else None)
    assert sum(each.pictures for each in found.classes) == len(rows)
    assert (sum(each.shapes for each in found.classes), sum(each.textures for each in found.classes)) == (
        shapes,
        textures,
    )
    assert found.unanswered == sum(row[0] is None for row in rows)


def test_answers_and_cues_of_different_numbers_are_refused():
    with pytest.raises(BadInput, match="2 answers, 1 shapes, 1 textures"):
        shape_bias(["a", "b"], ["a"], ["b"])


def test_a_model_of_blurred_pictures_has_a_flat_high_pass_curve():
    known, shown = list(pictures(copies=6)), list(pictures(copies=9))

    def curve(model):
        return [
            np.mean([model(high_pass(image, cutoff)) == name for name, image in shown])
            for cutoff in CUTOFFS
            if 0.2 <= cutoff < 0.9
        ]

    of_blurred = Linear(blurred(known, 0.1))
    sharp, soft = curve(Linear(known)), curve(of_blurred)
    chance = 1 / len(THINGS)
    assert np.mean([of_blurred(image) == name for name, image in shown]) > 0.8
    assert np.ptp(soft) <= 0.15 and max(soft) <= chance + 0.1
    assert min(sharp) > max(soft) + 0.3


def test_low_and_high_pass_take_a_picture_apart():
    image = next(pictures())[1]
    gentle = Image.fromarray((np.asarray(image) * 0.3 + 90).round().astype(np.uint8))
    whole, low, high = (
        np.asarray(each, dtype=float) for each in (gentle, low_pass(gentle, 0.3), high_pass(gentle, 0.3))
    )
    assert np.abs(low + high - 127.5 - whole).max() <= 1.5  # both are rounded to whole numbers
    assert np.array_equal(np.asarray(low_pass(image, 1)), np.asarray(image))


@given(st.integers(0, 2**32), st.sampled_from(CUTOFFS))
@settings(deadline=None, max_examples=25)
def test_a_filtered_picture_holds_no_frequency_that_was_taken_out(seed, cutoff):
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 24, 3)).astype(np.uint8))
    kept = np.maximum.outer(*[np.abs(np.fft.fftfreq(24)) * 2] * 2) <= cutoff
    kept[0, 0] = True
    for each, out in ((low_pass, ~kept), (high_pass, kept)):
        pixels = np.asarray(each(image, cutoff), dtype=float)
        change = np.fft.fft2(pixels - pixels.mean(axis=(0, 1)), axes=(0, 1)) / 24
        assert np.abs(change[out]).max(initial=0) <= 3  # what rounding to whole numbers leaves


def test_a_cutoff_that_is_no_share_is_refused():
    image = next(pictures())[1]
    with pytest.raises(BadInput, match=r"cutoff 1\.5"):
        low_pass(image, 1.5)


@pytest.mark.parametrize(("centre", "contrast"), [(6.0, 0.2), (11.0, 0.2), (21.0, 0.05)])
def test_the_channel_of_a_planted_filter_is_found_within_half_an_octave(centre, contrast):
    """The finest filter sees so many marks of a picture that noise moves it at a low contrast alone."""
    model, shown = Channel(centre, list(pictures())), list(pictures())
    accuracies = {}
    for band in range(5):
        _, middle = octave_noise((96, 96), band, seed=0)
        for level in NOISE_LEVELS:
            right = [
                model(noisy(image, band, level, seed=place, contrast=contrast)) == name
                for place, (name, image) in enumerate(shown * 3)
            ]
            accuracies[middle, level] = float(np.mean(right))
    found = critical_band(accuracies, chance=1 / len(THINGS))
    assert found.why == ""
    assert abs(math.log2(found.centre / centre)) <= 0.5


@given(centre=st.floats(2.5, 5.5), width=st.floats(0.7, 1.5), peak=st.floats(20, 60), slope=st.floats(1.5, 3.5))
@settings(deadline=None, max_examples=20)
def test_a_channel_that_made_the_accuracies_is_found(centre, width, peak, slope):
    accuracies = {}
    for octave in np.arange(1.5, 6.5):
        for level in NOISE_LEVELS:
            sensitivity = peak * math.exp(-((octave - centre) ** 2) / (2 * width**2))
            accuracies[2**octave, level] = 0.1 + 0.8 / (1 + (level * sensitivity) ** slope)
    found = critical_band(accuracies, chance=0.1)
    assert abs(math.log2(found.centre) - centre) <= 0.2
    assert found.bandwidth == pytest.approx(2.3548 * width, rel=0.2) and found.error < 0.02


def test_where_there_is_no_channel_to_be_found_it_says_why():
    def flat(value):
        return {(2.0**octave, level): value for octave in range(4) for level in NOISE_LEVELS}

    assert "nothing that noise could take away" in critical_band(flat(0.12), chance=0.1).why
    assert "less than half" in critical_band(flat(0.9), chance=0.1).why
    with pytest.raises(BadInput, match="three bands"):
        critical_band({(4.0, 0.0): 0.9, (4.0, 0.1): 0.2}, chance=0.1)
    with pytest.raises(BadInput, match="without noise"):
        critical_band({(4.0, 0.1): 0.2}, chance=0.1)


def test_noise_is_of_one_octave_and_as_strong_as_was_asked_for():
    middles = []
    for band in range(BANDS - 2):
        noise, middle = octave_noise((96, 96), band, seed=3)
        assert noise.mean() == pytest.approx(0, abs=1e-9) and noise.std() == pytest.approx(1)
        middles.append(math.log2(middle))
    assert np.all(np.abs(np.diff(middles) + 1) < 0.5)
    with pytest.raises(BadInput, match="no octave as coarse"):
        octave_noise((96, 96), 6, seed=0)
    plane = low_contrast(next(pictures())[1])
    assert plane.mean() == pytest.approx(0.449) and np.ptp(plane) <= 0.2 + 1e-9


def test_changes_change_what_they_say():
    image = next(pictures())[1]
    assert np.ptp(np.asarray(grey(image)), axis=2).max() == 0
    assert outline(shrunk(image)).sum() == pytest.approx(outline(image).sum() / 4, rel=0.25)
    moved = np.argwhere(outline(shifted(image)).reshape(96, 96)).mean(axis=0)
    there = np.argwhere(outline(image).reshape(96, 96)).mean(axis=0)
    assert np.all(moved - there > 15)
    words = np.asarray(written(image, "strawberry"))
    assert np.array_equal(words[:60], np.asarray(image)[:60]) and not np.array_equal(words, np.asarray(image))
    assert written(Image.new("RGB", (20, 20)), "a very long word indeed").size == (20, 20)


def test_a_correlation_is_told_of_enough_models_alone():
    some = [0.1, 0.2, 0.3, 0.4, 0.5]
    few = relation("shape", some, some)
    assert (few.rho, few.models) == (None, 5) and "5 models are too few" in few.why
    many = relation("shape", [*some, 0.6, None], [*some, 0.55, 0.9])
    assert many.models == FEWEST_MODELS == 6 and many.rho == pytest.approx(1) and many.ci[0] < 1
    loose = relation("shape", [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5])
    assert loose.ci[0] < loose.rho < loose.ci[1] < 1
    assert "alike" in relation("shape", [1] * 6, range(6)).why
    with pytest.raises(BadInput, match="no pairs"):
        relation("shape", [1], [])
