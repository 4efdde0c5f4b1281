"""One clause of simple English: noun phrases, and what ties them, read from left to right.

Where a tie could belong to two things ("a cup left of a plate right of a fork") there is no guess: `NotUnderstood`.
"""

from __future__ import annotations

from .noun_phrases import NotUnderstood, Noun, read
from .noun_reader import NounReader, begins_noun, participle_tie, relation_of, time_of
from .scene import Tie
from .vocabulary import (
    ARTICLES,
    BEYOND,
    CLOTHES,
    COLORS,
    FILLERS,
    NUMBERS,
    OBJECT_VERBS,
    PARTICLES,
    TIMES,
    TYING,
)

__all__ = ["ClauseReader"]


class ClauseReader(NounReader):
    """Reads the words of one piece from left to right."""

    def run(self) -> None:
        if self._absence():
            return self._end_of_absence()
        if self._tie_ahead(self.at) is not None or self.lower[0] == "not":
            # ", wearing a hat": of what the sentence speaks
            self.own = self.scene.subjects
            if len(self.own) != 1:
                raise NotUnderstood(f"it is not said of what {' '.join(self.words)!r} speaks")
        else:
            self.own = self._nouns(subject=True)
            self.scene.subjects = self.own
        while self.at < len(self.words):
            self._tie()

    def _absence(self) -> bool:
        """Whether the piece says that something is not there."""
        for start in (
            ["no"],
            ["without", "any"],
            ["without", "a"],
            ["without", "an"],
            ["without"],
            ["zero"],
            ["0"],
            ["with", "no"],
        ):
            if self.lower[: len(start)] == start:
                self.at = len(start)
                return True
        return False

    def _end_of_absence(self) -> None:
        self.scene.absent.append((self._absent_noun(), []))
        while self.at < len(self.words):
            if self.lower[self.at] in ("and", "or"):
                self.at += 1
                if self.lower[self.at : self.at + 1] == ["no"]:
                    self.at += 1
                self.scene.absent.append((self._absent_noun(), []))
                continue
            raise NotUnderstood(f"of {' '.join(self.words)!r} it is not clear what is not there")

    def _absent_noun(self) -> Noun:
        end = next(
            (i for i in range(self.at, len(self.words)) if self.lower[i] in ("and", "or") or self._tie_ahead(i)),
            len(self.words),
        )
        noun = read(self.words[self.at : end], bare=True)
        self.at = end
        return noun

    def _tie(self) -> None:
        """Read one tie and what it ties to."""
        kind = self._tie_ahead(self.at)
        word = self.lower[self.at]
        if kind is None:
            if word in ("and", "but") and self._absence_at(self.at + 1):
                self.at += 1
                self.words, self.lower = self.words[self.at :], self.lower[self.at :]
                self.at = 0
                self._absence()
                return self._end_of_absence()
            raise NotUnderstood(f"they do not know what {self.words[self.at]!r} does there")
        if kind in ("that", "is", "are", "but", "isn't", "aren't") or kind in FILLERS:
            return self._copula(kind)
        if kind == "and":
            self.at += 1
            self.located = False
            return None
        if kind == "time":
            time = time_of(self.lower[self.at :])
            self.scene.whole.append((f"global - time ({time})", f"Is it {TIMES[time]} in the picture?"))
            self.at += len(time.split())
            return None
        if kind == "not":
            self.negated = True
            self.at += 1
            if self._tie_ahead(self.at) is None:
                return self._state()
            return None
        negated, self.negated = self.negated, False
        if self.located:
            raise NotUnderstood(f"{' '.join(self.words[self.at :])!r} may be said of more than one thing")
        if kind == "without":
            return self._without()
        if kind == "between":
            return self._between(negated)
        if kind == "with":
            return self._with(negated)
        if kind == "writing":
            writing = self.writings[int(self.lower[self.at + 1][1:])]
            self.scene.ties.append(Tie("writing", writing, self.own, negated=negated))
            self.at += 2
            return None
        if kind == "place":
            relation = relation_of(self.lower[self.at :])
            self.at += len(relation.split())
            return self._to(relation, "spatial", negated)
        if kind == "participle":
            words = f"{word} {participle_tie(self.lower[self.at + 1 :])}"
            self.at += len(words.split())
            return self._to(words, "state", negated)
        return self._action(negated)

    def _copula(self, kind: str) -> None:
        """After "that is", "is" or "but": a tie follows, or a state ("is black")."""
        self.at += 1
        if kind in ("isn't", "aren't"):
            self.negated = True
        if kind == "that":
            if self.lower[self.at : self.at + 1] in (["has"], ["have"]):
                self.words[self.at] = self.lower[self.at] = "with"
                return
            if self.lower[self.at : self.at + 1] in (["says"], ["reads"]):
                return
            if self.lower[self.at : self.at + 1] not in (["is"], ["are"]):
                raise NotUnderstood(f"they do not understand {' '.join(self.words[self.at - 1 :])!r}")
            return
        if self.at >= len(self.words):
            raise NotUnderstood("it ends in the middle")
        if kind in ("is", "are", "isn't", "aren't") and self._tie_ahead(self.at) is None:
            return self._state()
        if self._tie_ahead(self.at) is None:
            raise NotUnderstood(f"they do not know what {self.words[self.at]!r} does there")

    def _state(self) -> None:
        """One or two words after "is": a colour, or how something is."""
        end = next(
            (i for i in range(self.at, len(self.words)) if self._tie_ahead(i) or self.lower[i] == "and"),
            len(self.words),
        )
        words = self.lower[self.at : end]
        if not words or len(words) > 2 or any(word in {*ARTICLES, *NUMBERS, *TYING, *BEYOND} for word in words):
            raise NotUnderstood(f"they do not understand {' '.join(self.words[self.at - 1 :])!r}")
        kind = "color" if words[-1] in COLORS else "state"
        self.scene.ties.append(Tie(kind, " ".join(words), self._single(), negated=self.negated))
        self.negated = False
        self.at = end

    def _to(self, words: str, kind: str, negated: bool) -> None:
        """A relation of the subjects to one thing."""
        if (
            kind == "spatial"
            and words == "in"
            and self.lower[self.at : self.at + 2] in (["the", "background"], ["the", "foreground"])
        ):
            place = self.lower[self.at + 1]
            self.scene.ties.append(Tie("state", f"in the {place}", self.own, negated=negated))
            self.at += 2
            return
        if kind == "state" and (material := self._material()):
            self.scene.ties.append(Tie(kind, f"{words} {material}", list(self.own), negated=negated))
            self.located = True
            return
        other = self._object(negated)
        if other.name.split()[-1] in ("background", "backdrop") and words in ("on", "against", "in front of"):
            self.scene.nouns.remove(other)
            self.scene.background = " ".join([*other.color.split(), *other.name.split()[:-1]])
            self.scene.replaced += [*words.split(), "backdrop"]
            return
        self.scene.ties.append(Tie(kind, words, list(self.own), [other], negated))
        self.located = not (words == "in" and other.name.split()[-1] in CLOTHES)
        if (
            self.lower[self.at : self.at + 1] == ["and"]
            and self._tie_ahead(self.at) is None
            and not self._absence_at(self.at + 1)
        ):
            raise NotUnderstood(f"what follows {other.name!r} may belong to {words!r}, or stand for itself")

    def _material(self) -> str:
        """One word without an article, as in "made of cardboard"; "" where another kind of noun phrase follows."""
        word = self.lower[self.at] if self.at < len(self.words) else ""
        ends = self.at + 1 == len(self.words) or self._tie_ahead(self.at + 1) is not None
        if not ends or word in ARTICLES or word.endswith("s") or word.startswith("§") or not word.isalpha():
            return ""
        read([word], bare=True)
        self.at += 1
        return word

    def _object(self, negated: bool = False) -> Noun:
        """The noun phrase after a tie; of what is denied, it is not said that the thing is there."""
        before = len(self.scene.nouns)
        noun = self._noun()
        if negated and len(self.scene.nouns) > before:
            self.scene.nouns.remove(noun)
            noun.name = " ".join(word for word in (noun.size, noun.color, noun.name) if word)
        return noun

    def _with(self, negated: bool) -> None:
        self.at += 1
        if self.at >= len(self.words):
            raise NotUnderstood("it ends in the middle")
        if self.lower[self.at : self.at + 1] == ["no"]:
            self.at -= 1
            self.words[self.at : self.at + 2] = ["without"]
            self.lower[self.at : self.at + 2] = ["without"]
            return
        named = self.lower[self.at : self.at + 2] in (["the", "word"], ["the", "words"], ["the", "text"])
        if named and "".join(self.lower[self.at + 2 : self.at + 3]).startswith("§"):
            self.at += 2
        if self.lower[self.at].startswith("§"):
            self.scene.ties.append(
                Tie("writing", self.writings[int(self.lower[self.at][1:])], self.own, negated=negated)
            )
            self.at += 1
            for ending in (["on", "it"], ["written", "on", "it"]):
                if self.lower[self.at : self.at + len(ending)] == ending:
                    self.scene.replaced += ending
                    self.at += len(ending)
            return
        owner = self._single()
        while True:
            part = self._object(negated)
            self.scene.ties.append(Tie("with", "with", owner, [part], negated))
            if (
                self.lower[self.at : self.at + 1] == ["and"]
                and self._tie_ahead(self.at) is None
                and not self._absence_at(self.at + 1)
            ):
                self.at += 1
                continue
            break
        self.located = True
        self.scene.open_object = part.name

    def _without(self) -> None:
        self.at += 1
        while True:
            if self.lower[self.at : self.at + 1] in (["any"], ["a"], ["an"]):
                self.at += 1
            noun = self._absent_noun()
            self.scene.absent.append((noun, list(self.own)))
            following = self.lower[self.at + 1 : self.at + 2]
            if self.lower[self.at : self.at + 1] in (["or"], ["and"]) and following and not begins_noun(following):
                self.at += 1
                continue
            break

    def _between(self, negated: bool) -> None:
        self.at += 1
        one = self._noun()
        if one.plural and self.lower[self.at : self.at + 1] != ["and"]:
            self.scene.ties.append(Tie("spatial", "between", list(self.own), [one], negated))
        else:
            if self.lower[self.at : self.at + 1] != ["and"]:
                raise NotUnderstood(f"something is between {one.name!r} and nothing")
            self.at += 1
            self.scene.ties.append(Tie("spatial", "between", list(self.own), [one, self._noun()], negated))
        self.located = True

    def _action(self, negated: bool) -> None:
        verb = [self.lower[self.at]]
        self.at += 1
        while self.at < len(self.words) and (self.lower[self.at] in PARTICLES or self.lower[self.at].endswith("ly")):
            verb.append(self.lower[self.at])
            self.at += 1
        rest = self.lower[self.at :]
        if not rest or rest[0] in ("and", "that", "which", "with", "without"):
            self.scene.ties.append(Tie("state", " ".join(verb), list(self.own), negated=negated))
            return
        if relation := relation_of(rest):
            self.at += len(relation.split())
            return self._to(" ".join([*verb, relation]), "action", negated)
        if rest[0] == "between":
            self.scene.ties.append(Tie("state", " ".join(verb), list(self.own), negated=negated))
            return
        if not (rest[0] in ARTICLES or rest[0] in NUMBERS or rest[0].isdecimal() or verb[0] in OBJECT_VERBS):
            raise NotUnderstood(f"they do not know what {rest[0]!r} does after {' '.join(verb)!r}")
        if verb[0] not in OBJECT_VERBS or rest[0] in ARTICLES or rest[0] in NUMBERS:
            other = self._object(negated)
        else:
            end = next((i for i in range(self.at, len(self.words)) if self._ends_noun(i)), len(self.words))
            other = read(self.words[self.at : end], bare=True)
            if not negated:
                self.scene.nouns.append(other)
            self.at = end
        self.scene.ties.append(Tie("action", " ".join(verb), list(self.own), [other], negated))
        if verb[0] != "wearing":
            self.located = not (self.lower[self.at : self.at + 1] == ["and"] and self._tie_ahead(self.at) == "and")
        self.scene.open_object = other.name
        if (
            self.lower[self.at : self.at + 1] == ["and"]
            and self._tie_ahead(self.at) is None
            and not self._absence_at(self.at + 1)
        ):
            if verb[0] != "wearing":
                raise NotUnderstood(
                    f"what follows {other.name!r} may be one more thing after {verb[0]!r}, or stand for itself"
                )
            while self.lower[self.at : self.at + 1] == ["and"] and self._tie_ahead(self.at) is None:
                self.at += 1
                self.scene.ties.append(Tie("action", "wearing", list(self.own), [self._noun()], negated))
