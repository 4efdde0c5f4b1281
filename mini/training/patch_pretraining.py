"""What the small judges learn to see first: what stands in each patch of a picture, and how to see it in a worn one.

The dense targets are used in training only; they let a vision transformer of a million weights find objects in minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..world import BACKGROUNDS, COLORS, KINDS, RELATIONS, SIZE, SIZES, Scene, plural

__all__ = [
    "PATCH",
    "PatchHead",
    "RelationHead",
    "WordHead",
    "image_processor_settings",
    "patch_places",
    "place_code",
    "worn",
]

PATCH = 12
_KIND = {kind: i + 1 for i, kind in enumerate(KINDS)}
_COLOR = {color: i + 1 for i, color in enumerate(COLORS)}
_SIZE = {size: i + 1 for i, size in enumerate(SIZES)}
_LOOKS = (len(KINDS) + 1, len(COLORS) + 1, len(SIZES) + 1)
_BACKGROUND = {name: i for i, name in enumerate(BACKGROUNDS)}


def image_processor_settings() -> dict[str, object]:
    """Arguments for a CLIP or BLIP image processor of 96x96 pictures scaled to [-1, 1]."""
    half = [0.5, 0.5, 0.5]
    return {
        "size": {"height": SIZE, "width": SIZE},
        "do_center_crop": False,
        "image_mean": half,
        "image_std": half,
        "resample": 3,
    }


def patch_places() -> Tensor:
    """(patches, 2): the row and the column of each patch's middle, from -1 to 1."""
    middles = (torch.arange(SIZE // PATCH) + 0.5) * 2 * PATCH / SIZE - 1
    return torch.cartesian_prod(middles, middles)


def place_code(width: int) -> Tensor:
    """(1 + patches, width): waves along the rows and the columns, to begin a position embedding with; 0 for the class token.

    A random one is a tenth as long as what stands in a patch, and is lost on the way.
    """
    steps = torch.linspace(0.5, 2.0, width // 4) * math.pi
    angles = (patch_places()[..., None] * steps).flatten(1)
    waves = torch.cat([angles.sin(), angles.cos()], dim=1) * 0.5
    return torch.cat([torch.zeros(1, width), waves])


class PatchHead(nn.Module):
    """Predicts kind, colour and size in each patch, where the patch is, and the background; gives the summed loss.

    What stands in a patch can be told without knowing where it is. Not asked for the place, the transformer forgets it, and
    whoever reads its states answers every question about left and right by chance.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, sum(_LOOKS))
        self.scene = nn.Linear(width, len(BACKGROUNDS))
        self.place = nn.Linear(width, 2)

    def forward(self, states: Tensor, batch: list[Scene]) -> Tensor:
        """`states`: (batch, 1 + patches, width), the class token first."""
        places = patch_places().to(states.device).expand(len(batch), -1, -1)
        where = F.mse_loss(self.place(states[:, 1:]).float(), places)
        kind, color, size, background = (torch.from_numpy(row).to(states.device) for row in _targets(batch))
        seen = self.out(states[:, 1:]).float().split(_LOOKS, dim=-1)
        parts = [F.cross_entropy(s.flatten(0, 1), t.flatten()) for s, t in zip(seen, (kind, color, size), strict=True)]
        return sum(parts, where + F.cross_entropy(self.scene(states[:, 0]).float(), background) * 0.3)


class WordHead(nn.Module):
    """Tells of each word of a question whether what it names is in the picture, and if it names one: what and where that is.

    A yes or no says little about which words were met; this says it of each, and the reading is learnt in minutes. Without
    the places relations stay at chance, and without the kind and colour of what was met "is the circle red" is answered by
    any red.
    """

    def __init__(self, width: int, token_of: Callable[[str], int | None], vocabulary: int) -> None:
        super().__init__()
        self.out, self.place = nn.Linear(width, 1), nn.Linear(width, 2)
        self.looks = nn.Linear(width, sum(_LOOKS))
        concepts = [*KINDS.items(), *COLORS.items(), *BACKGROUNDS.items()]
        self.names = [name for name, _ in concepts]
        self.concept = torch.full((vocabulary,), -1)
        for i, (_, words) in enumerate(concepts):
            for entry in (*words, *map(plural, words)):
                token = token_of(entry)
                if token is not None:
                    self.concept[token] = i

    def forward(self, states: Tensor, tokens: Tensor, batch: list[Scene]) -> Tensor:
        """Cross entropy of being there and of kind, colour and size, plus the squared error of the centre in halves of the picture.

        `states`: (questions, length, width) of the `tokens` (questions, length); questions are grouped by scene.
        """
        each = len(tokens) // len(batch)
        shown = torch.tensor([[name in _concepts(scene) for name in self.names] for scene in batch])
        places = torch.tensor([[_center(scene, name) for name in self.names] for scene in batch])
        looks = torch.tensor([[_looks(scene, name) for name in self.names] for scene in batch])
        concept = self.concept[tokens.cpu()]
        rows, columns = (concept >= 0).nonzero(as_tuple=True)
        named = concept[rows, columns]
        seen = states[rows, columns]
        there = shown[rows // each, named].float().to(states.device)
        total = F.binary_cross_entropy_with_logits(self.out(seen).float()[:, 0], there)
        look = looks[rows // each, named].to(states.device)
        if (look >= 0).any():
            parts = self.looks(seen).float().split(_LOOKS, dim=-1)
            total = total + 0.3 * sum(
                F.cross_entropy(part, look[:, i], ignore_index=-1) for i, part in enumerate(parts)
            )
        center = places[rows // each, named].to(states.device)
        one = ~center.isnan().any(1)
        if one.any():
            total = total + 2 * F.mse_loss(self.place(seen[one]).float(), center[one])
        return total


class RelationHead(nn.Module):
    """Tells from the first token of a question after a relation in which one its two things stand.

    Three of four wrong relations are known by their axis; a yes or no alone left the order on the axis to chance.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, len(RELATIONS))

    def forward(self, states: Tensor, relations: list[str | None]) -> Tensor:
        """Cross entropy over (questions, length, width) states; questions with None are left out."""
        truth = torch.tensor([-1 if r is None else list(RELATIONS).index(r) for r in relations]).to(states.device)
        if (truth < 0).all():
            return states.new_zeros(())
        return F.cross_entropy(self.out(states[:, 0]).float(), truth, ignore_index=-1)


def _center(scene: Scene, name: str) -> tuple[float, float]:
    """The centre of the one object of a kind or colour, from -1 to 1; NaN where there is none or more than one."""
    found = [thing for thing in scene.objects if name in (thing.kind, thing.color)]
    if len(found) != 1:
        return (math.nan, math.nan)
    middle, half = found[0].side / 2 - SIZE / 2, SIZE / 2
    return (found[0].x + middle) / half, (found[0].y + middle) / half


def _looks(scene: Scene, name: str) -> tuple[int, int, int]:
    """Kind, colour and size of what a kind or colour names; -1 where it names nothing, or things that differ."""
    found = {(t.kind, t.color, t.size) for t in scene.objects if name in (t.kind, t.color)}
    if len(found) != 1:
        return -1, -1, -1
    kind, color, size = found.pop()
    return _KIND[kind], _COLOR[color] if color else 0, _SIZE[size]


def _concepts(scene: Scene) -> set[str]:
    """Plain names of all that is to be seen."""
    found = {scene.background, *(thing.kind for thing in scene.objects)}
    return found | {thing.color for thing in scene.objects if thing.color}


def _targets(batch: list[Scene]) -> list[NDArray[np.int64]]:
    side = SIZE // PATCH
    out = np.zeros((3, len(batch), side, side), dtype=np.int64)
    for row, scene in enumerate(batch):
        if not scene.objects:  # its one thing was made unreadable
            continue
        cover = scene.masks().reshape(-1, side, PATCH, side, PATCH).sum((2, 4))
        best = cover.argmax(0)
        for i, thing in enumerate(scene.objects):
            where = (best == i) & (cover[i] >= PATCH**2 / 6)
            out[0, row][where] = _KIND[thing.kind]
            out[1, row][where] = _COLOR[thing.color] if thing.color else 0
            out[2, row][where] = _SIZE[thing.size]
    background = np.array([_BACKGROUND[scene.background] for scene in batch], dtype=np.int64)
    return [*out.reshape(3, len(batch), -1), background]


def worn(images: NDArray[np.float32], rng: np.random.Generator) -> Tensor:
    """The pictures as a painter of limited skill would leave them: blurred, shifted in colour, specked."""
    out = torch.from_numpy(images)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    blurred = F.interpolate(F.avg_pool2d(out, 2), scale_factor=2, mode="bilinear")
    strength = torch.from_numpy(
        rng.random((len(out), 1, 1, 1), dtype=np.float32) * (rng.random((len(out), 1, 1, 1)) < 0.4)
    )
    out = out * (1 - strength) + blurred * strength
    shift = torch.randn((len(out), 3, 1, 1), generator=generator) * 0.06
    speck = torch.from_numpy((rng.random((len(out), 1, 1, 1)) < 0.5) * rng.random((len(out), 1, 1, 1)) * 0.12).float()
    return (out + shift + speck * torch.randn(out.shape, generator=generator)).clamp(-1, 1)
