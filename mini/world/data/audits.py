"""Audits: labels whose groups have unequal shares in training and equal ones in the test split, exactly as the plan says.

A `Subject` is one label and the attribute by which its pictures fall into groups. Shares are kept to the picture (largest remainders), so
what an audit has to find is known: the cow that hardly ever stands on anything but mint, the rabbits of which few are small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

import numpy as np

from ..domains import DOMAINS
from ..drawing import Group
from ..vocabulary import BACKGROUNDS, COLORS, KINDS, SHAPES, SIZES
from .pictures import DrawnSet, Picture
from .singles import color_for, single

__all__ = ["AUDIT", "PLAN", "Subject", "allocate", "audit"]

Attribute: TypeAlias = Literal["background", "size", "domain", "color"]
_VALUES: dict[Attribute, tuple[str, ...]] = {
    "background": tuple(BACKGROUNDS), "size": tuple(SIZES), "domain": DOMAINS, "color": tuple(COLORS),
}  # fmt: skip
_SIDES = {"small": (18, 26), "large": (38, 52)}
_SPLITS = {"train": 1.0, "validation": 0.25, "test": 0.5}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A label, the attribute that parts its pictures, and the share of each value in training; shares sum to 1.

    Raises:
        ValueError: a label, attribute or value that the world lacks, a colour of a thing, or shares that do not sum to 1.
    """

    label: str
    attribute: Attribute
    shares: Mapping[str, float]

    def __post_init__(self) -> None:
        if self.label not in KINDS or self.attribute not in get_args(Attribute):
            raise ValueError(
                f"{self.label!r} by {self.attribute!r}: give a kind of the drawn world and one of {get_args(Attribute)}."
            )
        if unknown := set(self.shares) - set(_VALUES[self.attribute]):
            raise ValueError(f"{self.attribute} {sorted(unknown)}: give values of {_VALUES[self.attribute]}.")
        if self.attribute == "color" and self.label not in SHAPES:
            raise ValueError(f"{self.label!r} has colours of its own: only shapes {tuple(SHAPES)} are drawn in any.")
        if min(self.shares.values()) < 0 or abs(sum(self.shares.values()) - 1) > 1e-9:
            raise ValueError(
                f"the shares of {self.label!r} are {dict(self.shares)}: give some from 0 to 1 that sum to 1."
            )


PLAN: tuple[Subject, ...] = (
    Subject(label="cow", attribute="background", shares={"mint": 0.95, "lavender": 0.05}),
    Subject(label="pig", attribute="background", shares={"lavender": 0.95, "mint": 0.05}),
    Subject(label="rabbit", attribute="size", shares={"large": 0.9, "small": 0.1}),
    Subject(label="cat", attribute="size", shares={"large": 0.5, "small": 0.5}),
    Subject(label="house", attribute="domain", shares={"flat": 0.85, "sketch": 0.15}),
    Subject(label="bus", attribute="domain", shares={"flat": 0.6, "painted": 0.3, "night": 0.1}),
    Subject(label="star", attribute="color", shares={"red": 0.8, "blue": 0.15, "pink": 0.05}),
    Subject(label="heart", attribute="color", shares={"red": 0.4, "blue": 0.3, "pink": 0.3}),
)


def allocate(count: int, shares: Mapping[str, float]) -> dict[str, int]:
    """`count` items by shares, whole ones, as near to them as can be (largest remainders; ties to the first)."""
    exact = {value: round(count * share, 9) for value, share in shares.items()}
    counts = {value: int(number) for value, number in exact.items()}
    by_remainder = sorted(exact, key=lambda value: counts[value] - exact[value])
    for value in by_remainder[: count - sum(counts.values())]:
        counts[value] += 1
    return counts


def audit(count: int, seed: int, *, plan: Sequence[Subject] = PLAN) -> Iterator[Picture]:
    """`count` training pictures, a quarter as many to validate, with the same shares, and half as many to test, with equal shares.

    Every label has as many pictures as the others; order is mixed.
    """
    for number, (split, part) in enumerate(_SPLITS.items()):
        rng = np.random.default_rng([seed, 92, number])
        members = []
        labels = allocate(max(1, round(count * part)), {subject.label: 1 / len(plan) for subject in plan})
        for subject in plan:
            equal = {value: 1 / len(subject.shares) for value in subject.shares}
            counts = allocate(labels[subject.label], equal if split == "test" else subject.shares)
            members += [(subject, value) for value, times in counts.items() for _ in range(times)]
        for place, member in enumerate(rng.permutation(len(members))):
            subject, value = members[int(member)]
            yield replace(
                _picture(subject, value, seed * 1_000_003 + number * 100_003 + place, rng),
                split=split,
                name=f"{place:05d}",
            )


def _picture(subject: Subject, value: str, seed: int, rng: np.random.Generator) -> Picture:
    color = value if subject.attribute == "color" else color_for(subject.label, rng)
    scene = single(
        Group(kind=subject.label, color=color),
        rng,
        seed=seed,
        sides=_SIDES[value] if subject.attribute == "size" else (26, 44),
        background=value if subject.attribute == "background" else None,
        domain=next((domain for domain in DOMAINS if domain == value), "flat"),
    )
    columns = {
        "label": subject.label,
        "attribute": subject.attribute,
        "value": value,
        "group": f"{subject.label}: {value}",
        "share": subject.shares[value],
        "minority": subject.shares[value] < 0.5 / len(subject.shares),
    }
    return Picture(split="", name="", columns=columns, scene=scene)


def _tables(pictures: list[Picture]) -> str:
    counts = Counter((picture.columns["group"], picture.split) for picture in pictures)
    shares = {picture.columns["group"]: picture.columns["share"] for picture in pictures}
    lines = [
        f"| {group} | {shares[group]:.0%} | " + " | ".join(str(counts[group, split]) for split in _SPLITS) + " |"
        for group in sorted(shares)
    ]
    head = [
        "| group | share of its label in training | " + " | ".join(_SPLITS) + " |",
        "|---|---|" + "---|" * len(_SPLITS),
    ]
    return "## Groups\n\n" + "\n".join([*head, *lines]) + "\n"


AUDIT = DrawnSet(
    name="audit",
    title="Groups with unequal shares in the drawn world",
    summary="Eight labels whose pictures fall into groups by background, size, domain or colour: in training 95 % of the cows stand on mint, "
    "a tenth of the rabbits are small. In the test split the groups are equal, so that the cost of the shares can be measured.",
    count=1600,
    counts="training pictures",
    columns={
        "label": "what is to be told",
        "attribute": "by what its pictures are parted",
        "value": "of the attribute",
        "group": "label and value",
        "share": "of the group among the training pictures of its label",
        "minority": "whether that is less than half of an equal share",
    },
    labels=("group",),
    plan=audit,
    tables=_tables,
)
