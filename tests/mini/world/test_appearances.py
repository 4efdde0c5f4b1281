"""Textures and domains: what fills an outline, and how a scene is drawn, change looks and nothing else."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from inloop.mini.world.domains import DOMAINS, TRAINED_DOMAINS, outlines
from inloop.mini.world.drawing import BACKGROUND_RGB, PIXELS, Group, Spec, draw, place
from inloop.mini.world.scenes import scenes
from inloop.mini.world.sprites import RGB, sprite
from inloop.mini.world.textures import SURFACES, TEXTURES, textured
from inloop.mini.world.vocabulary import COLORS, KINDS, SHAPES, THINGS

SIDES = sorted(PIXELS.values())


def inside(kind, side):
    """The pixels of a sprite within its outline."""
    there = np.pad(sprite(kind, None, side)[..., 3] == 255, 2)
    shifts = [there[y : y + side, x : x + side] for y in range(5) for x in range(5)]
    return np.logical_and.reduce(shifts)


def test_the_patterns_are_those_that_were_promised():
    assert set(TEXTURES) == {"stripes", "dots", "checks", "waves", "bricks", "grain"}
    assert set(SURFACES) <= set(THINGS) and len(SURFACES) >= 16 and not set(TEXTURES) & set(KINDS)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("texture", [*TEXTURES, *SURFACES])
def test_a_texture_keeps_the_outline(texture, side):
    for kind in ("star", "ring", "cat", "bus"):
        plain, filled = sprite(kind, "red", side), textured(kind, texture, "red", side)
        assert filled.shape == (side, side, 4) and (filled[..., 3] == plain[..., 3]).all()
        rim = (plain[..., 3] > 127) & ~np.pad(plain[..., 3] > 127, 1)[:-2, 1:-1]  # nothing above it
        dark = filled[..., :3].astype(int).max(axis=-1)
        assert np.median(dark[rim]) < 110, "the outline stays dark"


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("color", COLORS)
def test_patterns_of_one_colour_differ_from_each_other_and_keep_the_colour(color, side):
    within = inside("square", side)
    fills = {texture: textured("square", texture, color, side)[within][:, :3].astype(int) for texture in TEXTURES}
    for one, other in itertools.combinations(fills.values(), 2):
        assert np.abs(one - other).mean() > 20
    for texture, fill in fills.items():
        own = np.abs(fill - np.array(RGB[color])).sum(axis=-1) < 60
        assert 0.25 < own.mean() < 0.9, f"{texture}: marks on a ground of the colour itself"


def test_a_surface_has_the_colours_of_its_thing_and_not_of_another():
    """The nearest thing by the colours within it, coarsely counted, is the one whose surface it is."""

    def histogram(picture, mask):
        bins = (picture[mask][:, :3].astype(int) // 64) @ np.array([16, 4, 1])
        return np.bincount(bins, minlength=64) / mask.sum()

    things = {thing: histogram(sprite(thing, None, 40), inside(thing, 40)) for thing in SURFACES}
    right = 0
    for surface in SURFACES:
        filled = histogram(textured("square", surface, None, 40), inside("square", 40))
        right += min(things, key=lambda thing: np.abs(things[thing] - filled).sum()) == surface
    assert right >= 0.75 * len(SURFACES)


def test_an_unknown_texture_is_an_error():
    with pytest.raises(KeyError):
        textured("star", "tartan", "red", 24)


def test_a_scene_draws_its_textures():
    spec = Spec(
        groups=(Group(kind="star", color="red", texture="dots"), Group(kind="cat", texture="strawberry")),
        relation="above",
    )
    scene = place(spec, 3)
    assert [thing.texture for thing in scene.objects] == ["dots", "strawberry"]
    plain = replace(scene, objects=tuple(replace(thing, texture=None, color="red") for thing in scene.objects))
    changed = (np.asarray(draw(scene)) != np.asarray(draw(plain))).any(axis=-1)
    masks = scene.masks()
    assert (masks == plain.masks()).all() and all((changed & mask).sum() > 30 for mask in masks)
    assert not (changed & ~masks.any(axis=0)).any()


# domains


def some_scenes(count=12, **options):
    return list(itertools.islice(scenes(31, **options), count))


def test_training_streams_hold_the_domains_that_the_models_know():
    assert {scene.domain for scene in some_scenes(200, flat=0.2)} == set(TRAINED_DOMAINS) == {"flat", "sketch", "noisy"}
    assert set(DOMAINS) - set(TRAINED_DOMAINS) == {"painted", "night", "blueprint"}


@pytest.mark.parametrize("domain", DOMAINS)
def test_objects_stand_out_in_every_domain(domain):
    """A good part of what each object shows differs from the ground, in every domain."""
    for scene in some_scenes():
        picture = np.asarray(draw(replace(scene, domain=domain))).astype(int)
        ground = np.median(picture[scene.shown() == 0], axis=0)
        for mask in scene.masks():
            difference = np.abs(picture[mask] - ground).max(axis=-1)
            assert np.mean(difference > 30) > 0.3, (domain, scene.spec)


def test_each_domain_looks_like_its_name():
    spec = Spec(groups=(Group(kind="strawberry", size="large"),), background="white")
    pictures = {domain: np.asarray(draw(place(spec, 5, domain=domain))).astype(int) for domain in DOMAINS}
    ground = place(spec, 5).shown() == 0
    assert pictures["night"][ground].mean() < 90 and pictures["blueprint"][ground].mean() < 110
    assert (pictures["blueprint"][..., 2] >= pictures["blueprint"][..., 0]).all(), "red is nowhere more than blue"
    for paper in ("flat", "sketch"):  # soft edges reach a little beyond a mask
        assert (pictures[paper][ground] == np.array(BACKGROUND_RGB["white"])).mean() > 0.98
    for textured_paper in ("noisy", "painted"):
        assert 2 < pictures[textured_paper][ground].std() < 40
    neighbours = {
        domain: np.abs(np.diff(pictures[domain], axis=1))[ground[:, 1:]].mean() for domain in ("noisy", "painted")
    }
    assert neighbours["painted"] < neighbours["noisy"], "strokes are longer than grains of noise"


def test_colours_are_gone_from_a_blueprint_alone():
    spec = {
        color: Spec(groups=(Group(kind="heart", color=color, size="large"),), background="white")
        for color in ("red", "green")
    }
    for domain in DOMAINS:
        red, green = (np.asarray(draw(place(spec[color], 2, domain=domain))).astype(int) for color in ("red", "green"))
        apart = np.abs(red - green).max(axis=-1)[place(spec["red"], 2).shown() > 0]
        assert (np.median(apart) > 40) == (domain != "blueprint"), domain


def test_outlines_are_on_the_nearer_side():
    shown = np.zeros((6, 6), dtype=np.uint8)
    shown[1:5, 1:5] = 1
    shown[3:6, 3:6] = 2
    edges = outlines(shown)
    assert edges[1, 1] and edges[3, 3] and edges[4, 3] and not edges[0].any()
    assert not edges[2, 3], "the farther object has no outline of its own where the nearer one hides it"
    assert not edges[2, 2] and not edges[4, 4]


def test_every_shape_and_thing_takes_every_texture():
    for kind in KINDS:
        for texture in TEXTURES:
            assert textured(kind, texture, "blue" if kind in SHAPES else None, 24)[..., 3].max() == 255
