"""The passages, filters and vectors that `tools.index.conformance` tries stores with."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, Literal

from ....runtime.passages import And, Compare, Filter, In, Not, Or, Passage
from ....runtime.records import BlobRef

__all__ = ["LetterEmbedder", "corpus", "leaves", "odd_meta", "tree"]


class LetterEmbedder:
    """Counts the letters of a text: real similarities that can be worked out by hand. A picture: by its sha256."""

    def __init__(self, model: str = "letters", revision: str = "1") -> None:
        self.model, self.revision = model, revision

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]:
        """The unit vector of the counts of a to z and of everything else, 27 numbers."""
        return [_normal([text.lower().count(chr(97 + i)) for i in range(26)] + [1]) for text in texts]

    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]:
        """The unit vector of the digits of the sha256, 27 numbers."""
        return [_normal([int(digit, 16) for digit in image.sha256[:27]]) for image in images]

    async def aclose(self) -> None:
        """Nothing to let go of."""


def corpus() -> list[Passage]:
    texts = (
        "Apple and banana and cherry.",
        "An apple a day keeps the doctor away.",
        "Bananas are yellow; lemons are, too.",
        "A walk through the orchard in spring: blossoms of apple trees everywhere, and bees.",
        "Cherry trees bloom in April.",
        "Stones, sand and gravel.",
        "The thermometer is filled with quicksilver.",
        "Zebras have stripes. So have tigers.",
        "Apples, apples, apples!",
        "Spring, summer, autumn and winter are seasons of the whole long year.",
    )
    return [
        Passage(
            id=f"p{n}",
            document="abc"[n % 3] + ".md",
            text=text,
            title="Fruit" if n < 5 else "",
            source=f"docs/{'abc'[n % 3]}.md",
            page=n if n % 2 else None,
            version="v1",
            part=n,
            parts=10,
            meta={"year": 2000 + n, "kind": "even" if n % 2 == 0 else "odd", "fine": n > 5},
        )
        for n, text in enumerate(texts, start=1)
    ]


def odd_meta() -> list[Passage]:
    metas: list[dict[str, Any]] = [
        {"year": "2005"},
        {"year": 2005.5},
        {"year": True},
        {"kind": "ev'en\" %_\\"},
        {"kind": 7, "fine": "true"},
        {"fine": 1},
        {},
        {"kind": "", "year": -3},
    ]
    return [
        Passage(id=f"q{n}", document="odd.md", text=f"apple {n}", meta=meta) for n, meta in enumerate(metas, start=1)
    ]


_VALUES: tuple[bool | int | float | str, ...] = (
    *(2005, 2005.0, 2005.5, 1, 0, -3, 7, True, False),
    *("2005", "even", "odd", "", "true", "ev'en\" %_\\", "a.md"),
)
_OPS: tuple[Literal["eq", "ne", "lt", "le", "gt", "ge"], ...] = ("eq", "ne", "lt", "le", "gt", "ge")
_FIELDS = ("meta.year", "meta.kind", "meta.fine", "meta.absent", "document", "id", "page", "part", "title")


def leaves() -> list[Filter]:
    found: list[Filter] = [And(of=()), Or(of=()), In(field="id", values=())]
    found += [Compare(field=field, value=value) for field in _FIELDS for value in _VALUES]
    found += [
        Compare(field=field, op=op, value=value)
        for field in ("meta.year", "meta.kind", "page", "document")
        for op in _OPS[1:]
        for value in (2005, 2005.5, "even", "b.md")
    ]
    return found


def tree(rng: random.Random, depth: int) -> Filter:
    kind = rng.randrange(5 if depth else 2)
    field = rng.choice(_FIELDS)
    if kind == 0:
        value = rng.choice(_VALUES)
        ops = _OPS[:2] if isinstance(value, bool) else _OPS
        return Compare(field=field, op=rng.choice(ops), value=value)
    if kind == 1:
        return In(field=field, values=tuple(rng.sample(_VALUES, rng.randrange(4))))
    if kind == 2:
        return Not(of=tree(rng, depth - 1))
    of = tuple(tree(rng, depth - 1) for _ in range(rng.randrange(4)))
    return And(of=of) if kind == 3 else Or(of=of)


def _normal(counts: Sequence[float]) -> list[float]:
    norm = math.sqrt(sum(count * count for count in counts))
    return [count / norm for count in counts]
