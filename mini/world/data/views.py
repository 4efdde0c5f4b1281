"""Whole scenes: compositions, the same scene in every domain, and clips, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..clips import FRAMES, MOTIONS, film
from ..compositions import compose
from ..description import describe
from ..domains import DOMAINS
from ..truth import Truth
from .pictures import DrawnSet, Picture

__all__ = ["CLIPS", "DOMAIN_VIEWS", "SCENES"]


def _split(number: int, every: int) -> str:
    return "test" if number % every == every - 1 else "train"


def _scenes(count: int, seed: int) -> Iterator[Picture]:
    for number in range(count):
        split = {8: "validation", 9: "test"}.get(number % 10, "train")
        scene = compose(seed * 1_000_003 + number)
        hides = [{"nearer": near + 1, "farther": far + 1} for near, far in Truth.of(scene).hides]
        yield Picture(split=split, name=f"{number:05d}", columns={"hides": hides}, scene=scene)


def _domains(count: int, seed: int) -> Iterator[Picture]:
    for number in range(count):
        scene = compose(seed * 1_000_003 + number)
        for domain in DOMAINS:
            columns = {"scene": number, "flat_caption": describe(scene)}
            yield Picture(
                split=_split(number, 4),
                name=f"{number:05d}_{domain}",
                columns=columns,
                scene=replace(scene, domain=domain),
            )


def _clips(count: int, seed: int) -> Iterator[Picture]:
    for number in range(count):
        clip = film(seed * 1_000_003 + number, motion=MOTIONS[number % len(MOTIONS)])
        for frame, scene in enumerate(clip.scenes):
            columns = {
                "clip": number,
                "frame": frame,
                "frames": len(clip.scenes),
                "motion": clip.motion,
                "actor": clip.actor + 1,
                "caption": clip.description,
            }
            yield Picture(split=_split(number, 5), name=f"{number:05d}_{frame:02d}", columns=columns, scene=scene)


SCENES = DrawnSet(
    name="scenes",
    title="Scenes of the drawn world in which objects hide each other",
    summary="Three to six objects a picture, a third of them with a texture, that overlap: visible and full masks, the order in depth, edges, "
    "boxes and captions.",
    count=500,
    counts="pictures in all splits",
    columns={"hides": "ids of objects of which the nearer one hides a part of the farther one"},
    labels=(),
    plan=_scenes,
)

DOMAIN_VIEWS = DrawnSet(
    name="domains",
    title="Scenes of the drawn world in six domains",
    summary="Each scene flat, sketched, noisy, painted, at night and as a blueprint; places, masks and boxes are the same in all six.",
    count=100,
    counts="scenes, six pictures each",
    columns={"scene": "its number", "flat_caption": "the caption without the words for its domain"},
    labels=("scene",),
    plan=_domains,
    in_order=True,
    across=len(DOMAINS),
    rows=2,
)

CLIPS = DrawnSet(
    name="clips",
    title="Clips of the drawn world",
    summary="Short shots, frame by frame, with a description: a thing moves past another, grows, shrinks, passes behind or in front of another. "
    "The rows of a clip are its frames in their order, each with its own masks, boxes and visible shares.",
    count=60,
    counts=f"clips, {FRAMES} frames each",
    columns={
        "clip": "its number",
        "frame": "from 0 on",
        "frames": "how many the clip has",
        "motion": " | ".join(f'"{motion}"' for motion in MOTIONS),
        "actor": "the id of the object that moves, grows or passes",
        "caption": "the description of the shot",
    },
    labels=(),
    plan=_clips,
    in_order=True,
    across=FRAMES,
    rows=len(MOTIONS),
)
