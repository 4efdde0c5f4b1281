"""Copies of one text take one place among the passages that are found: the first stands for all, and its citations name the others.

A copy says the same under the same headings: the same words, numbers and signs of numbers, whatever the case, the blanks, the punctuation and
the marks of emphasis. A text in which one number differs is no copy, but another source.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ...runtime.passages import Hit, Mode, Passage
from .context import RagContext

__all__ = ["copy_key", "place_of", "search"]

_WORD = re.compile(r"(?:(?<!\w)[-−+](?=\d))?\w+(?:[.,:]\d+)*")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff*_`"))
_SHORT = 8  # words: what is as short as "Yes." says the same only under the same title
_WIDEST = 8  # times as many passages are looked at as are wanted, at most


def copy_key(passage: Passage) -> str:
    """What two copies have in common; of a picture, its id."""
    words = _words(passage.text)
    if not words:
        return passage.id
    above = [passage.title, *passage.headings] if len(words) < _SHORT else passage.headings
    return "\n".join(" ".join(part) for part in (*map(_words, above), words))


def place_of(passage: Passage) -> str:
    """Where a person finds a passage."""
    return passage.source or passage.document


async def search(context: RagContext, query: str, mode: Mode) -> list[Hit]:
    """The best hits with at most `k` different texts among them: where copies take places, more is looked at.

    Raises:
        CallFailed: the embedder or the reranker failed.
    """
    config = context.config
    wanted = config.k
    while True:
        [hits] = await context.index.search([query], k=wanted, mode=mode, where=config.where, reranker=context.reranker)
        keys = [copy_key(hit.passage) for hit in hits]
        if len(set(keys)) >= config.k or len(hits) < wanted or wanted >= _WIDEST * config.k:
            return _first(hits, keys, config.k)
        wanted *= 2


def _first(hits: Sequence[Hit], keys: Sequence[str], most: int) -> list[Hit]:
    kept = set(list(dict.fromkeys(keys))[:most])
    return [hit for hit, key in zip(hits, keys, strict=True) if key in kept]


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).translate(_INVISIBLE).casefold())
