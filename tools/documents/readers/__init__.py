"""Readers: what files of each kind say, as text in sections."""

from .encodings import known_encoding
from .kinds import KINDS, kinds_in_words, media_of, parse, rules_of
from .outline import Hints
from .pdf import pictures_of_pages, unread_pages

__all__ = [
    "KINDS", "Hints", "kinds_in_words", "known_encoding", "media_of", "parse", "pictures_of_pages", "rules_of", "unread_pages",
]  # fmt: skip
