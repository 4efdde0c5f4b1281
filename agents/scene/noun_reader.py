"""Reads noun phrases from left to right, up to where a tie to another thing begins."""

from __future__ import annotations

from collections.abc import Sequence

from .noun_phrases import NotUnderstood, Noun, is_action, is_bare_noun, read
from .scene import Scene
from .vocabulary import ARTICLES, COLORS, FILLERS, NUMBERS, PARTICIPLES, RELATIONS, TIMES

__all__ = ["NounReader", "begins_noun", "participle_tie", "relation_of", "time_of"]


class NounReader:
    """The words of one piece of a text, and the place in them that is read next."""

    def __init__(self, words: list[str], scene: Scene, writings: list[str], first: bool) -> None:
        self.words, self.scene, self.writings, self.first = words, scene, writings, first
        self.lower = [word.lower() for word in words]
        self.at = 0
        self.own: list[Noun] = []  # the subjects of this piece
        self.located = False  # a tie of place was read: what comes next could belong to its other end
        self.negated = False

    def _nouns(self, *, subject: bool = False) -> list[Noun]:
        """One noun phrase or several with "and"; entities of the scene from here on."""
        nouns = [self._noun(subject)]
        while subject and self.lower[self.at : self.at + 1] == ["and"] and self._tie_ahead(self.at + 1) is None:
            self.at += 1
            if self._absence_at(self.at):
                self.at -= 1
                break
            nouns.append(self._noun(subject))
        return nouns

    def _absence_at(self, place: int) -> bool:
        return self.lower[place : place + 1] in (["no"], ["without"], ["zero"], ["not"])

    def _noun(self, subject: bool = False) -> Noun:
        end = self.at
        while end < len(self.words) and not self._ends_noun(end):
            end += 1
        words = self.words[self.at : end]
        # "the word §0": what is written is its name
        if words and words[-1].startswith("§") and len(words) <= 3:
            noun = Noun(name=f'word "{self.writings[int(words[-1][1:])]}"')
            noun.proper = f"the {noun.name}"
            if [word.lower() for word in words[:-1]] not in (["the", "word"], ["the", "words"], ["the", "text"]):
                raise NotUnderstood(f"it is not said what {self.writings[int(words[-1][1:])]!r} is")
        else:
            followed = end < len(self.words) and subject and self._tie_ahead(end) in ("place", "action", "participle")
            # after a tie a thing must follow: there a plural needs no article
            plural = not subject and len(words) <= 3 and _is_plural(words[-1:])
            noun = read(words, bare=(followed and self._plain(words)) or plural)
        self.at = end
        known = next((other for other in self.scene.nouns if other.name == noun.name), None)
        if known is not None and words[0].lower() == "the" and not (noun.color or noun.size):
            return known
        self.scene.nouns.append(noun)
        return noun

    def _plain(self, words: Sequence[str]) -> bool:
        """Whether words without an article may be one noun phrase before a relation to a thing with one."""
        following = self.lower[self.at + len(words) :]
        return len(words) <= 3 and any(word in ARTICLES for word in following) and words[0].isascii()

    def _ends_noun(self, place: int) -> bool:
        word = self.lower[place]
        if word == "and" and place > self.at:
            # "black and white"
            around = (self.lower[place - 1], self.lower[place + 1] if place + 1 < len(self.lower) else "")
            return not (around[0] in COLORS and around[1] in COLORS and place + 2 < len(self.lower))
        return place > self.at and (self._tie_ahead(place) is not None or word == "but")

    def _tie_ahead(self, place: int) -> str | None:
        """Which kind of tie begins at a place, None for none."""
        rest = self.lower[place:]
        if not rest:
            return None
        if rest[0] in ("with", "without", "between", "not", "is", "are", "isn't", "aren't") or rest[0] in FILLERS:
            return rest[0]
        if rest[0] in ("that", "which", "who"):
            return "that"
        if rest[0] == "and" and len(rest) > 1 and (is_action(rest[1]) or rest[1] == "not"):
            return "and"
        if rest[0] == "but" and rest[1:2] not in (["no"], ["without"], ["zero"]):
            return "but"
        if time_of(rest):
            return "time"
        if relation_of(rest):
            return "place"
        if rest[0] in ("says", "reads", "saying") and len(rest) > 1 and rest[1].startswith("§"):
            return "writing"
        before = self.lower[self.at : place]
        nouny = [word for word in before if word not in ARTICLES and word not in COLORS and word not in NUMBERS]
        if is_action(rest[0]) and (nouny or place == 0 or not before):
            return "action"
        if rest[0] in PARTICIPLES and (nouny or place == 0 or not before) and participle_tie(rest[1:]):
            return "participle"
        return None

    def _single(self) -> list[Noun]:
        if len(self.own) != 1:
            raise NotUnderstood(f"it is not clear which of {', '.join(noun.name for noun in self.own)} is meant")
        return self.own


def relation_of(rest: Sequence[str]) -> str:
    """The relation of place that words begin with, "" for none."""
    return next((relation for relation in RELATIONS if list(rest[: len(relation.split())]) == relation.split()), "")


def participle_tie(rest: Sequence[str]) -> str:
    """What may follow "covered" or "written", "" where nothing of it does."""
    return relation_of(rest) or (rest[0] if rest[:1] and rest[0] in ("with", "of", "from", "to", "as", "like") else "")


def time_of(rest: Sequence[str]) -> str:
    """The time or the weather that words begin with, "" for none."""
    return next((time for time in TIMES if list(rest[: len(time.split())]) == time.split()), "")


def _is_plural(last: Sequence[str]) -> bool:
    return bool(last) and last[0].lower().endswith("s") and not last[0].lower().endswith(("ss", "us", "is"))


def begins_noun(words: Sequence[str]) -> bool:
    """Whether words begin as a noun phrase does."""
    first = words[0].lower()
    return first in ARTICLES or first in NUMBERS or first in COLORS or is_bare_noun(words[-1].lower())
