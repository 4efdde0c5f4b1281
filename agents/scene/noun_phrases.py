"""One noun phrase of simple English: its article, count, colour, size and name ("three tiny crimson discs").

A word that is neither of these is part of the name, so that nothing which the prompt says of a thing is left out: "an old wooden
chair" is asked as a whole. `read` raises `NotUnderstood` where the words cannot be one noun phrase: a verb among them, a pronoun,
or more words than a name has.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ...runtime.errors import CallFailed
from .vocabulary import (
    ART_NOUNS,
    ARTICLES,
    BARE_NOUNS,
    BEYOND,
    COLLOCATIONS,
    COLORS,
    COLORS_THAT_ARE_THINGS,
    FINITE,
    FRAMES,
    GROUPS,
    IRREGULAR_PLURALS,
    MASS,
    MEDIA,
    NO_ADVERBS,
    NOUNS_IN_ING,
    NOUNS_IN_S,
    NUMBERS,
    PARTICIPLES,
    SHADES,
    SIZES,
    TYING,
    VAGUE,
)

__all__ = ["Noun", "NotUnderstood", "is_action", "is_bare_noun", "is_mass", "is_plural", "read", "with_article"]

_LONGEST = 4  # words of a name, colour, size and what follows "of" apart


class NotUnderstood(CallFailed):
    """A prompt is beyond the rules for simple English; it says at which words."""


@dataclass
class Noun:
    """A noun phrase, read. `count` is None where the phrase does not count; `vague` is a word such as "several"."""

    name: str
    count: int | None = None
    vague: str = ""
    color: str = ""
    size: str = ""
    proper: str = ""
    plural: bool = False
    mass: bool = False

    @property
    def verb(self) -> str:
        """The verb of a question about it."""
        return "Are" if self.plural else "Is"

    @property
    def existence(self) -> str:
        """The question whether it is there."""
        if self.proper:
            return f"Is {self.proper} in the picture?"
        if self.plural:
            return f"Are there {self.name}?"
        return f"Is there {self.indefinite}?"

    @property
    def indefinite(self) -> str:
        """Its name as of one that was not spoken of before."""
        return self.name if self.plural or self.mass else with_article(self.name, mass=True)


def read(words: Sequence[str], *, bare: bool = False) -> Noun:
    """The noun phrase that `words` are. `bare`: it may lack an article whatever its noun is.

    Raises:
        NotUnderstood: they are none that these rules know.
    """
    said = " ".join(words)
    rest = list(words)
    lower = [word.lower() for word in rest]
    if not rest:
        raise NotUnderstood("there is no thing where one should be named")
    noun = Noun(name="")
    singular = determined = False
    if len(rest) > 3 and lower[0] in ("a", "an") and lower[1] in GROUPS and lower[2] == "of":
        noun.count, rest, determined = GROUPS[lower[1]], rest[3:], True
    elif len(rest) > 2 and lower[:2] == ["a", "dozen"]:
        noun.count, rest, determined = 12, rest[2:], True
    elif lower[:1] == ["single"] or lower[:2] == ["a", "single"]:
        noun.count, rest, determined, singular = 1, rest[1 + (lower[0] == "a") :], True, True
    elif lower[0] in NUMBERS or lower[0].isdecimal():
        noun.count, rest, determined = NUMBERS.get(lower[0]) or int(lower[0]), rest[1:], True
        singular = noun.count == 1
    elif lower[:3] == ["a", "lot", "of"] or lower[:2] == ["lots", "of"]:
        noun.vague, rest, determined = "many", rest[3 if lower[0] == "a" else 2 :], True
    elif lower[:2] == ["a", "few"]:
        noun.vague, rest, determined = "a few", rest[2:], True
    elif lower[0] in VAGUE:
        noun.vague, rest, determined = ("" if lower[0] == "some" else lower[0]), rest[1:], True
    elif lower[0] in ARTICLES:
        singular, determined = lower[0] != "the", True
        if lower[0] == "the" and rest[1:] and all(word[:1].isupper() or word.lower() == "of" for word in rest[1:]):
            noun.proper = f"the {' '.join(rest[1:])}"
        rest = rest[1:]
    elif all(word[:1].isupper() for word in rest):
        noun.proper, determined = " ".join(rest), True
    elif any(word[:1].isupper() for word in rest) and not bare:
        raise NotUnderstood(f"{said!r} has no article; it may be a name or a thing")
    head, of = rest, list[str]()
    lower = [word.lower() for word in rest]
    if "of" in lower:
        place = lower.index("of")
        head, of = rest[:place], rest[place:]
        _check_words(of[1:], said)
        if len(of) < 2 or len(of) > 1 + _LONGEST or "of" in [word.lower() for word in of[1:]]:
            raise NotUnderstood(f"{said!r} is more than one noun phrase")
    if noun.proper:
        _check_words(head, said)
        noun.name = noun.proper.removeprefix("the ")
        return noun
    colored = _color(head)
    noun.color = " ".join(colored).lower()
    head = _without(head, colored)
    _check_words(head, said)
    noun.size = next((word for word in head[:-1] if word.lower() in SIZES), "").lower()
    if noun.size and f"{noun.size} {head[-1].lower()}" not in COLLOCATIONS:
        head = [word for place, word in enumerate(head) if word.lower() != noun.size or place == len(head) - 1]
    _check_name(head, said, singular, determined)
    last = head[-1].lower()
    noun.plural = not singular and ((noun.count or 0) > 1 or bool(noun.vague) or is_plural(last))
    noun.name = " ".join([*head, *of])
    noun.mass = not singular and is_mass(noun.name)
    evidence = determined or bare or noun.color or noun.size or is_bare_noun(last)
    if not determined and any(word.lower() in MEDIA | ART_NOUNS | FRAMES for word in head[:-1]):
        evidence = False
    if not evidence:
        raise NotUnderstood(f"{said!r} has no article: say 'a', 'the' or how many, where it is a thing to be seen")
    return noun


def is_bare_noun(word: str) -> bool:
    """Whether a word is a noun that needs no article to be known as one."""
    return word in BARE_NOUNS or word in MASS or word in IRREGULAR_PLURALS or word.removesuffix("s") in BARE_NOUNS


def is_plural(name: str) -> bool:
    """Whether a name looks like one of several things ("keys of gold")."""
    word = _head(name)
    return word in IRREGULAR_PLURALS or (
        word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in ("canvas", "lens", "gas")
    )


def is_mass(name: str) -> bool:
    """Whether a name is of something that is not counted ("water", "food of the north")."""
    return _head(name) in MASS


def _head(name: str) -> str:
    return name.partition(" of ")[0].split()[-1].lower()


def is_action(word: str) -> bool:
    """Whether a word after a noun is the participle of a verb ("running")."""
    word = word.lower()
    return len(word) > 5 and word.endswith("ing") and word.split("-")[-1] not in NOUNS_IN_ING


def with_article(name: str, *, mass: bool = False) -> str:
    """A name with the indefinite article, where it takes one; `mass`: also of what is mostly a mass ("a fruit")."""
    if not mass and is_mass(name):
        return name
    vowel = name[:1].lower() in "aeio" or (
        name[:2].lower() in ("um", "un", "ug") and not name.lower().startswith("uni")
    )
    return f"{'an' if vowel else 'a'} {name}"


def _color(head: list[str]) -> list[str]:
    """The words of the colour before the noun."""
    lower = [word.lower() for word in head]
    for place in range(len(head) - 1):
        if lower[place] in COLORS:
            if f"{lower[place]} {lower[place + 1]}" in COLLOCATIONS:
                continue
            first = place - 1 if place and lower[place - 1] in SHADES else place
            if lower[place + 1 : place + 2] == ["and"] and lower[place + 2 : place + 3] and lower[place + 2] in COLORS:
                return head[first : place + 3] if place + 3 < len(head) else []  # "black and white cat"
            return head[first : place + 1]
    return []


def _without(head: list[str], colored: list[str]) -> list[str]:
    if not colored:
        return head
    place = next(i for i in range(len(head)) if head[i : i + len(colored)] == colored)
    return head[:place] + head[place + len(colored) :]


def _check_words(words: Sequence[str], said: str) -> None:
    for word in words:
        if word.lower() in BEYOND or word.lower() in TYING:
            raise NotUnderstood(f"the rules do not know what {word!r} does in {said!r}")
    for word in words:
        if any(letter.isalpha() and _script(letter) != "LATIN" for letter in word):
            raise NotUnderstood(f"{word!r} is not English")


def _script(letter: str) -> str:
    return unicodedata.name(letter, "UNKNOWN").split()[0]


def _check_name(head: Sequence[str], said: str, singular: bool, determined: bool) -> None:
    lower = [word.lower() for word in head]
    if not head:
        raise NotUnderstood(f"there is no noun in {said!r}")
    if len(head) > _LONGEST:
        raise NotUnderstood(f"{said!r} is more than one noun phrase")
    if any(word in ARTICLES or word in NUMBERS or word.isdecimal() for word in lower):
        raise NotUnderstood(f"{said!r} is more than one noun phrase")
    if lower[-1] in COLORS and not (determined and lower[-1] in COLORS_THAT_ARE_THINGS):
        raise NotUnderstood(f"{said!r} names a colour and no thing")
    if any(word.endswith("ly") and word not in NO_ADVERBS for word in lower):
        raise NotUnderstood(f"the rules do not know what the adverb in {said!r} belongs to")
    for place, word in enumerate(lower):
        if place and word in FINITE:
            raise NotUnderstood(f"{word!r} may be the verb of {said!r}")
        if place and is_action(word) and (place == len(lower) - 1):
            raise NotUnderstood(f"{word!r} may be the verb of {said!r}")
        if place and word in PARTICIPLES:
            raise NotUnderstood(f"the rules do not know what {word!r} belongs to in {said!r}")
        if place == len(lower) - 1 and _is_past(word) and place:
            raise NotUnderstood(f"{word!r} may be the verb of {said!r}")
    if is_action(lower[-1]) and len(lower) == 1:
        raise NotUnderstood(f"{said!r} is an action without who does it")
    last = lower[-1]
    looks_plural = last.endswith("s") and not last.endswith(("ss", "us", "is")) and last not in NOUNS_IN_S
    if singular and looks_plural:
        raise NotUnderstood(f"{last!r} may be the verb of {said!r}")


def _is_past(word: str) -> bool:
    stem = word.removesuffix("ed")
    return stem != word and any(letter in "aeiouy" for letter in stem) and not word.endswith("eed")
