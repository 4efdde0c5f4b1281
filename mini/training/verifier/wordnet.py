"""WordNet's database files, as far as statements are changed with them: synonyms, opposites, kinds of one kind.

Fellbaum 1998; the files of WordNet 3.0 (WordNet licence), as in Debian's package `wordnet-base`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["WordNet"]

_PARTS = ("noun", "verb", "adj", "adv")


@dataclass
class WordNet:
    """Words in small letters, each with the words that can stand for it (`synonyms`), that say its opposite, or that are other things
    of its kind (`siblings`).

    Synonyms and siblings are those of words with one sense alone: of others nobody knows here which is meant.
    """

    synonyms: dict[str, list[str]] = field(default_factory=dict)
    opposites: dict[str, list[str]] = field(default_factory=dict)
    siblings: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> WordNet:
        """Read `data.noun`, `data.verb`, `data.adj` and `data.adv` of a folder.

        Raises:
            OSError: there are no such files.
        """
        senses: Counter[str] = Counter()
        words_of: dict[tuple[str, str], list[str]] = {}
        above: dict[tuple[str, str], tuple[str, str]] = {}
        opposites: defaultdict[str, set[str]] = defaultdict(set)
        against: list[tuple[str, tuple[str, str], int]] = []
        parts: defaultdict[str, set[str]] = defaultdict(set)
        for part in _PARTS:
            for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
                if line.startswith(" "):
                    continue  # the licence
                fields = line.partition("|")[0].split()
                count = int(fields[3], 16)
                words = [word.partition("(")[0].replace("_", " ").lower() for word in fields[4 : 4 + 2 * count : 2]]
                key = (part, fields[0])
                words_of[key] = words
                for word in words:
                    senses[word] += 1
                    parts[word].add(part)
                pointers = fields[5 + 2 * count :]
                for place in range(0, 4 * int(fields[4 + 2 * count]), 4):
                    symbol, offset, pos, ends = pointers[place : place + 4]
                    other = (_part(pos), offset)
                    if symbol == "@":
                        above.setdefault(key, other)
                    elif symbol == "!" and ends != "0000":
                        against.append((words[int(ends[:2], 16) - 1], other, int(ends[2:], 16) - 1))
        for word, other, place in against:
            opposites[word].add(words_of[other][place])
        below: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for key, parent in above.items():
            below[parent] += words_of[key][:1]
        synonyms, siblings = {}, {}
        for key, words in words_of.items():
            for word in words:
                if senses[word] == 1 and word.isalpha():
                    if others := [other for other in words if other != word and not set(other) - _LETTERS]:
                        synonyms[word] = others
                    if key in above and (kin := [each for each in below[above[key]] if each not in words]):
                        siblings[word] = [each for each in kin if not set(each) - _LETTERS][:40]
        return cls(synonyms, {word: sorted(found) for word, found in opposites.items()}, siblings, dict(parts))


_LETTERS = set("abcdefghijklmnopqrstuvwxyz ")


def _part(pos: str) -> str:
    return {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}[pos]
