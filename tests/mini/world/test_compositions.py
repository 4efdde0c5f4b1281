"""Scenes in which objects hide each other, clips, and the words for both: the truth agrees with the pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inloop.mini.world.clips import MOTIONS, film
from inloop.mini.world.compositions import LEAST_SEEN, compose, size_of
from inloop.mini.world.description import describe, phrase
from inloop.mini.world.domains import DOMAINS
from inloop.mini.world.drawing import BACKGROUND_RGB, SIZE, Group, Placed, Scene, Spec, draw, place, sample_spec
from inloop.mini.world.grammar import plain
from inloop.mini.world.truth import Truth

SEEDS = st.integers(0, 2**31 - 1)


def scene_of(*objects):
    groups = tuple(Group(kind=thing.kind, color=thing.color) for thing in objects)
    return Scene(spec=Spec(groups=groups), objects=objects, background="white", domain="flat", seed=0)


def square(color, x, y, side, group=0):
    return Placed(kind="square", color=color, size=size_of(side), x=x, y=y, side=side, group=group)


def test_the_truth_of_two_squares():
    """A square of 40 pixels, a corner of which is under one of 24: all is known by counting."""
    far, near = square("red", 10, 10, 40), square("blue", 36, 36, 24, group=1)
    truth = Truth.of(scene_of(far, near))
    alone = Truth.of(scene_of(far))
    assert truth.hides == ((1, 0),) and alone.hides == () and alone.visible_shares == (1.0,)
    (x, y, width, height), (near_x, near_y, *near_sides) = truth.full_boxes
    assert 10 <= x == y <= 13 and width == height and 34 <= width <= 38
    assert truth.boxes[0] == truth.full_boxes[0], "a corner that is hidden leaves the box as it is"
    assert truth.boxes[1] == truth.full_boxes[1]
    overlap = (x + width - near_x) * (y + height - near_y)
    hidden = int((truth.full[0] & ~truth.visible[0]).sum())
    assert overlap - 2 <= hidden <= overlap, "corners are rounded by a pixel"
    assert truth.visible_shares == (round(1 - hidden / int(alone.full.sum()), 4), 1.0)
    assert (
        near_sides[0] == near_sides[1]
        and truth.shown[40, 40] == 2
        and truth.shown[20, 20] == 1
        and truth.shown[0, 0] == 0
    )


def test_what_is_hidden_whole_has_an_empty_box():
    truth = Truth.of(scene_of(square("red", 30, 30, 20), square("blue", 20, 20, 40, group=1)))
    assert truth.boxes[0] == (0, 0, 0, 0) and truth.visible_shares == (0.0, 1.0) and truth.full_boxes[0][2] > 10


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_a_composition_hides_some_and_shows_enough(seed):
    scene = compose(seed)
    truth = Truth.of(scene)
    assert 3 <= len(scene.objects) <= 6 and len({thing.kind for thing in scene.objects}) == len(scene.objects)
    assert truth.hides and min(truth.visible_shares) >= LEAST_SEEN
    assert (truth.visible.sum(axis=0) <= 1).all() and not (truth.visible & ~truth.full).any()
    for near, far in truth.hides:
        assert near > far and not truth.visible[far][truth.full[near]].any()
    for thing, group, box in zip(scene.objects, scene.spec.groups, truth.full_boxes, strict=True):
        assert (thing.kind, thing.color, thing.texture, thing.size) == (
            group.kind,
            group.color,
            group.texture,
            group.size,
        )
        x, y, width, height = box
        assert (
            thing.x <= x
            and thing.y <= y
            and x + width <= thing.x + thing.side <= SIZE
            and y + height <= thing.y + thing.side
        )


def test_a_composition_is_drawn_where_its_masks_are():
    """What is nearest is there as it is alone; what is outside of all masks is ground, but for soft edges."""
    for seed in range(8):
        scene = compose(seed)
        picture, nearest = np.asarray(draw(scene)).astype(int), scene.objects[-1]
        alone = nearest.picture
        solid = alone[..., 3] == 255
        view = picture[nearest.y : nearest.y + nearest.side, nearest.x : nearest.x + nearest.side]
        assert (view[solid] == alone[solid][:, :3]).all()
        ground = np.abs(picture - np.array(BACKGROUND_RGB[scene.background])).max(axis=-1) == 0
        soft = np.zeros((SIZE, SIZE), dtype=bool)
        for thing in scene.objects:
            soft[thing.y : thing.y + thing.side, thing.x : thing.x + thing.side] |= thing.picture[..., 3] > 0
        assert ground[~soft].all()


@pytest.mark.parametrize("count", [2, 4, 6])
def test_a_composition_has_as_many_objects_as_were_asked_for(count):
    assert len(compose(3, count=count).objects) == count


def test_other_counts_are_refused():
    with pytest.raises(ValueError, match="2 to 6"):
        compose(3, count=7)


def test_shares_of_textures():
    assert all(thing.texture is None for seed in range(10) for thing in compose(seed, textured=0.0).objects)
    assert all(thing.texture is not None for seed in range(10) for thing in compose(seed, textured=1.0).objects)


# words


@given(SEEDS)
@settings(max_examples=100, deadline=None)
def test_a_description_is_the_plain_caption_where_there_is_one(seed):
    spec = sample_spec(np.random.default_rng(seed))
    assert describe(place(spec, seed)) == plain(spec).text


def test_descriptions_name_textures_domains_and_what_hides_what():
    assert phrase(Group(kind="star", color="red", texture="stripes", size="small")) == "a small red striped star"
    assert phrase(Group(kind="cat", texture="strawberry", count=2)) == "two cats with the surface of a strawberry"
    scene = scene_of(
        square("red", 10, 10, 40), Placed(kind="cat", color=None, size="small", x=30, y=30, side=24, group=1)
    )
    assert describe(scene) == "a red square and a cat, the cat in front of the square"
    described = {describe(place(Spec(groups=(Group(kind="apple"),)), 1, domain=domain)) for domain in DOMAINS}
    assert len(described) == len(DOMAINS) and {"an apple", "a sketch of an apple", "an apple at night"} <= described


# clips


@pytest.mark.parametrize("motion", MOTIONS)
def test_a_clip_shows_what_it_says(motion):
    for seed in range(6):
        clip = film(seed, motion=motion, frames=9)
        actors = [scene.objects[clip.actor] for scene in clip.scenes]
        truths = clip.truths()
        shares = [truth.visible_shares for truth in truths]
        assert (
            len(clip.frames()) == 9 and f" {motion} " in f"{clip.description} " and actors[0].kind in clip.description
        )
        assert len({(scene.background, len(scene.objects)) for scene in clip.scenes}) == 1
        if motion in ("grows", "shrinks"):
            sides = [thing.side for thing in actors]
            assert sorted(set(sides), reverse=motion == "shrinks") == sides and max(sides) > 2 * min(sides)
            continue
        still = [scene.objects[1 - clip.actor] for scene in clip.scenes]
        assert len(set(still)) == 1 and len({thing.side for thing in actors}) == 1
        path = [(thing.x, thing.y) for thing in actors]
        across, down = (np.diff([point[axis] for point in path]) for axis in (0, 1))
        ways = {"from left to right": across, "from right to left": -across, "downwards": down, "upwards": -down}
        assert (next(steps for way, steps in ways.items() if way in clip.description) > 0).all()
        assert shares[0] == shares[-1] == (1.0, 1.0) or motion != "moves"
        hidden = clip.actor if motion == "passes behind" else 1 - clip.actor
        if motion == "moves":
            assert all(share == (1.0, 1.0) for share in shares)
        else:
            assert min(share[hidden] for share in shares) < 0.85 and all(share[1 - hidden] == 1.0 for share in shares)


def test_what_stands_still_in_a_clip_stays_as_it_is_drawn():
    for domain in DOMAINS:
        clip = film(3, motion="moves", frames=4, domain=domain)
        first, *others = (np.asarray(frame) for frame in clip.frames())
        there = np.pad(np.logical_or.reduce([scene.shown() > 0 for scene in clip.scenes]), 6)
        near = np.logical_or.reduce([there[y : y + SIZE, x : x + SIZE] for y in range(13) for x in range(13)])
        assert all((first == other)[~near].mean() > 0.99 for other in others), domain


def test_a_clip_has_at_least_two_frames():
    with pytest.raises(ValueError, match="at least 2"):
        film(0, frames=1)
