"""People with names and attributes of known entropy, as bioS has them; each exposure words a person anew.

Names are drawn without replacement from first x middle x last names, values uniformly and each for itself, so nothing but
memory helps. All words are invented, so no model knows any of them.

Source: bioS of Allen-Zhu and Li 2024 (arXiv 2404.05405, section 2.1), with sizes of one's own.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ...runtime.errors import BadInput

__all__ = ["People", "Piece", "draw_people", "invented"]

Part = Literal["text", "name", "value"]

_ONSETS, _VOWELS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"), ("a", "e", "i", "o", "u")
_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "city": ("was born in {}", "comes from {}", "grew up in {}"),
    "school": ("studied at {}", "has a degree of {}", "was taught at {}"),
    "subject": ("with a focus on {}", "and learned {}", "in the field of {}"),
    "company": ("works for {}", "has a post at {}", "is paid by {}"),
    "place": ("lives in {}", "has a house in {}", "moved to {}"),
    "hobby": ("likes {}", "is fond of {}", "spends evenings on {}"),
}


class Piece(NamedTuple):
    """A piece of a text: what it says, and whether it is part of a name, a value, or neither."""

    words: str
    part: Part


@dataclass(frozen=True)
class People:
    """`names` (N of three words each) and `values` (N, one number of a value for each attribute).

    `name_words`: the words that first, middle and last names are made of; `value_words`: the words of each attribute.
    """

    names: tuple[tuple[str, str, str], ...]
    values: tuple[tuple[int, ...], ...]
    name_words: tuple[tuple[str, ...], ...]
    value_words: tuple[tuple[str, ...], ...]
    seed: int

    def __len__(self) -> int:
        return len(self.names)

    @property
    def name_bits(self) -> float:
        """log2 N0: of how many names these are."""
        return sum(math.log2(len(words)) for words in self.name_words)

    @property
    def value_bits(self) -> float:
        """log2 S0: bits of all values of one person."""
        return sum(math.log2(len(words)) for words in self.value_words)

    @property
    def offered(self) -> float:
        """The bits that there are to learn; see `stored_bits`."""
        return len(self) * (self.name_bits - math.log2(len(self)) + self.value_bits)

    def words(self) -> list[str]:
        """Every word that a text can have, each once: the vocabulary of a tokenizer for these texts alone."""
        templates = [word for name in self._attributes() for text in _ATTRIBUTES[name] for word in text.split()]
        pools = itertools.chain(templates, *self.name_words, *self.value_words, ["."])
        return [word for word in dict.fromkeys(pools) if word != "{}"]

    def _attributes(self) -> list[str]:
        return list(_ATTRIBUTES)[: len(self.value_words)]

    def text(self, person: int, exposure: int, *, source: str = "") -> list[Piece]:
        """A person as one exposure words them; `source` is a tag in front, such as a web site's name."""
        rng = random.Random(f"{self.seed}/{person}/{exposure}")
        pieces = [Piece(source, "text")] if source else []
        pieces.append(Piece(" ".join(self.names[person]), "name"))
        for name, words, value in zip(self._attributes(), self.value_words, self.values[person], strict=True):
            before = rng.choice(_ATTRIBUTES[name]).removesuffix(" {}")
            pieces += [Piece(before, "text"), Piece(words[value], "value")]
        return [*pieces, Piece(".", "text")]

    def others(self, count: int, seed: int) -> People:
        """`count` more people of the same words, who are not to be known: what is mixed in as junk. Names may come twice."""
        rng = random.Random(f"junk/{self.seed}/{seed}")
        first, middle, last = self.name_words
        names = tuple((rng.choice(first), rng.choice(middle), rng.choice(last)) for _ in range(count))
        values = tuple(tuple(rng.randrange(len(words)) for words in self.value_words) for _ in range(count))
        return People(names, values, self.name_words, self.value_words, seed)


def draw_people(count: int, *, names: int = 64, values: tuple[int, ...] = (32, 32, 32, 32), seed: int = 0) -> People:
    """`count` people: `names` first, middle and last names each (N0 = names^3), and an attribute for each of `values`, its number of values.

    Raises:
        BadInput: no people, more than there are names, or not 1 to 6 attributes of two values or more.
    """
    if not 1 <= len(values) <= len(_ATTRIBUTES) or min(values) < 2:
        raise BadInput(f"attributes of {values} values: give 1 to {len(_ATTRIBUTES)} numbers of 2 or more.")
    if not 1 <= count <= names**3:
        raise BadInput(f"{count} people and {names}^3 names: give 1 person or more, and at least as many names.")
    words = invented(3 * names + sum(values))
    pools = [tuple(itertools.islice(words, size)) for size in (names, names, names, *values)]
    rng = random.Random(f"people/{seed}")
    chosen = rng.sample(range(names**3), count)
    first, middle, last = pools[:3]
    return People(
        names=tuple((first[n // names**2], middle[n // names % names], last[n % names]) for n in chosen),
        values=tuple(tuple(rng.randrange(size) for size in values) for _ in range(count)),
        name_words=tuple(pools[:3]),
        value_words=tuple(pools[3:]),
        seed=seed,
    )


def invented(count: int) -> itertools.islice[str]:
    """`count` words of three syllables, each once, the same each time."""
    syllables = [onset + vowel for onset, vowel in itertools.product(_ONSETS, _VOWELS)]
    words = ["".join(each) for each in itertools.product(syllables, repeat=3)]
    if count > len(words):
        raise BadInput(f"{count} words are asked for, and {len(words)} can be invented: give smaller pools.")
    return itertools.islice(iter(random.Random("words").sample(words, len(words))), count)
