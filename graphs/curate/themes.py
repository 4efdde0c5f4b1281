"""What is in a picture set: its themes with their names, and what is missing beside them.

A name comes from words that mark the captions of a theme, or from a language model that reads captions of it and of others. The encoder judges both on
pictures: a model's name counts where it tells the pictures of its theme from the others as well as the words do, and where each word of it
that no caption of the theme has tells them too. What is said to be missing is looked for in the set before it is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...agents.curation import Curator
from ...runtime.errors import BadInput, CallFailed
from ...runtime.protocols import Embedder
from ...runtime.records import BlobRef, Record
from ...runtime.session import Progressed, Session, each
from ...tools.curation import distinctive_words, tells, themes
from ...tools.entailment import STOP, content_words, stem
from .result import GapFound, Theme

__all__ = ["Named", "NamedTheme", "counted_themes", "missing", "named"]

_READ = 12  # captions of a theme that are read, and as many of others
_WORD_TELLS = 0.8
_CLOSE = 0.02  # a name that tells nearly as well as the words is easier to read
_SHOWN = 6
_FOUND = 0.01  # of the kept pictures; what more of them show is not missing
_RARE = 0.5


class NamedTheme(Record):
    """A theme: its name and who gave it ("" where it is but a number), and the AUROC with which that tells its pictures from the others."""

    name: str
    by: str = ""
    tells: float | None = None


class Named(Record):
    """The theme of each picture by place, and the themes; `notes`: what was not named."""

    of: tuple[int, ...] = ()
    themes: tuple[NamedTheme, ...] = ()
    notes: tuple[str, ...] = ()


async def named(
    session: Session, clip: Embedder, curator: Curator | None, vectors: NDArray[np.float32], captions: Mapping[int, str], seed: int
) -> Named:  # fmt: skip
    """The themes of pictures (pictures, size); `captions`: by place, of those that have one."""
    parts = themes(vectors, seed=seed)
    members = [rows for rows in parts.members() if len(rows)]
    of = np.empty(len(vectors), dtype=np.int64)
    for number, rows in enumerate(sorted(members, key=len, reverse=True)):
        of[rows] = number
    members = sorted(members, key=len, reverse=True)
    texts = [[captions[place] for place in rows.tolist() if place in captions] for rows in members]
    words = distinctive_words(texts, without=STOP)
    found, notes, taken = list[NamedTheme](), list[str](), set[str]()
    for number, _ in enumerate(members):
        mine = of == number
        candidates = {" ".join(words[number]): "the words of its captions"} if words[number] else {}
        if curator is not None and texts[number] and len(members) > 1:
            rng = np.random.default_rng([seed, number])
            shown = _drawn(texts[number], rng)
            others = _drawn([text for place, text in captions.items() if of[place] != number], rng)
            try:
                for name in await curator.names(shown, others):
                    if name.casefold() not in taken:
                        candidates.setdefault(name, curator.name)
            except CallFailed as error:
                notes.append(f"a theme was not named by {curator.name}: {error}")
        found.append(await _best(clip, vectors, mine, candidates, texts[number], f"theme {number + 1}"))
        taken.add(found[-1].name.casefold())
        session.emit(Progressed(text="themes named", done=number + 1, of=len(members)))
    twice = {name for name, count in Counter(each_.name for each_ in found).items() if count > 1}
    found = [
        each_.model_copy(update={"name": f"{each_.name} ({number})"}) if each_.name in twice else each_
        for number, each_ in enumerate(found, start=1)
    ]
    return Named(of=tuple(of.tolist()), themes=tuple(found), notes=tuple(notes))


async def _best(
    clip: Embedder, vectors: NDArray[np.float32], mine: NDArray[np.bool_], candidates: Mapping[str, str], texts: Sequence[str], number: str
) -> NamedTheme:  # fmt: skip
    """The best of the candidate names (by who gave them); the first of them are the words."""
    if not candidates:
        return NamedTheme(name=number)
    scores = dict(zip(candidates, await _told(clip, list(candidates), vectors, mine), strict=True))
    first, *others = candidates
    best = NamedTheme(name=first, by=candidates[first], tells=scores[first])
    known = {stem(word) for text in texts for word in content_words(text)}
    for name in others:
        score, least = scores[name], (best.tells or 0.0) - (_CLOSE if best.name == first else 0.0)
        if score is None or score < least:
            continue
        strange = [word for word in dict.fromkeys(content_words(name)) if stem(word) not in known]
        if all((told or 0.0) >= _WORD_TELLS for told in await _told(clip, strange, vectors, mine)):
            best = NamedTheme(name=name, by=candidates[name], tells=score)
    return best


async def _told(
    clip: Embedder, texts: Sequence[str], vectors: NDArray[np.float32], mine: NDArray[np.bool_]
) -> list[float | None]:
    found = await each(clip.texts, list(texts))
    return [None if isinstance(each_, Exception) else tells(np.array(each_), vectors, mine) for each_ in found]


def counted_themes(
    named: Named, images: Sequence[BlobRef], kept: NDArray[np.bool_], groups: Mapping[int, str]
) -> tuple[Theme, ...]:
    """The themes with how many pictures each had and has, some of those, and which groups are rare in it."""
    of = np.array(named.of, dtype=np.int64)
    overall = Counter(groups[place] for place in np.flatnonzero(kept).tolist()) if groups else Counter[str]()
    total = sum(overall.values())
    found = []
    for number, each_ in enumerate(named.themes):
        rows = np.flatnonzero(of == number)
        stay = rows[kept[rows]].tolist()
        here = Counter(groups[place] for place in stay) if groups else Counter[str]()
        rare = tuple(
            f"{group}: {here[group] / len(stay):.0%} here, {count / total:.0%} in all"
            for group, count in overall.items()
            if len(stay) >= 20 and here[group] / len(stay) < _RARE * count / total - (1 / len(stay)) ** 0.5 / 2
        )
        found.append(
            Theme(name=each_.name, by=each_.by, tells=each_.tells, before=len(rows), after=len(stay), rare=rare,
                  shown=tuple(images[place] for place in [*stay, *(row for row in rows.tolist() if not kept[row])][:_SHOWN]))
        )  # fmt: skip
    return tuple(found)


async def missing(
    clip: Embedder, curator: Curator, themes: Sequence[Theme], groups: Mapping[str, float], captions: Sequence[str],
    vectors: NDArray[np.float32], least: float | None, seed: int,
) -> tuple[tuple[GapFound, ...], tuple[str, ...]]:  # fmt: skip
    """What is missing in the kept pictures (kept, size), and notes on what was said to be and is there.

    It is there where enough pictures have a cosine of `least`, from which a text shows what a picture shows (None: not known), or captions all words of the
    query.
    """
    try:
        gaps = await curator.gaps(
            {theme.name: theme.after for theme in themes}, groups, _drawn(list(captions), np.random.default_rng(seed))
        )
    except (CallFailed, BadInput) as error:
        return (), (f"{curator.name} did not say what is missing: {error}",)
    told = [{stem(word) for word in content_words(caption)} for caption in captions]
    found, refuted = [], []
    for gap, vector in zip(gaps, await each(clip.texts, [gap.query for gap in gaps]), strict=True):
        wanted = {stem(word) for word in content_words(gap.query)}
        said = sum(wanted <= words for words in told) if wanted else 0
        there = None
        if least is not None and not isinstance(vector, Exception):
            there = max(said, int((vectors @ np.array(vector, dtype=np.float32) >= least).sum()))
        if max(said, there or 0) >= _FOUND * len(vectors):
            refuted.append(f"{gap.query!r} ({max(said, there or 0)})")
        else:
            found.append(GapFound(what=gap.what, why=gap.why, query=gap.query, there=there))
    if not refuted:
        return tuple(found), ()
    return tuple(found), (
        f"{curator.name} said that these are missing, and so many of the pictures that stay fit them: {', '.join(refuted)}",
    )


def _drawn(texts: Sequence[str], rng: np.random.Generator) -> list[str]:
    """At most twelve different ones."""
    different = sorted(set(texts))
    return [
        different[place]
        for place in sorted(rng.choice(len(different), size=min(_READ, len(different)), replace=False).tolist())
    ]
