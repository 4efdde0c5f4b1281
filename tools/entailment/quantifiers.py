"""How many and how often: "all", "most", "a few", "always", "rarely", and which of them bears which out."""

from __future__ import annotations

import re

from .reading import Text

__all__ = ["lacking_quantifier"]

_STRONG = {
    name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE)
    for name, words in {
        "all": "all|every|each|any|anyone|anybody|anything|always|everyone|everybody|everything|entire|entirely|whole|completely|both",
        "only": "only|solely|exclusively|nothing but|no other",
        "most": "most|mostly|majority",
        "many": "many|numerous",
        "some": "some|several|certain",
        "a few": "a few|few|hardly any",
        "always": "always|constantly|invariably",
        "often": "often|frequently|usually|generally|normally|regularly|commonly",
        "sometimes": "sometimes|occasionally|at times|from time to time",
        "rarely": "rarely|seldom|hardly ever",
    }.items()
}
_STRONG_ENOUGH = {
    "all": ("all",), "only": ("only",), "most": ("most", "all"), "many": ("many", "most", "all"), "a few": ("a few", "some"),
    "always": ("always",), "often": ("often", "always"), "rarely": ("rarely",),
}  # fmt: skip
_IDIOMS = re.compile(
    r"\b(?:all (?:the )?(?:year|winter|summer|spring|autumn|day|night|week|month|season|morning|afternoon|evening|time|along|over)(?: (?:long|round))?"
    r"|at all|after all"
    r"|above all|first of all|of all|at most|the most|most \w+ly|not only)\b",
    re.IGNORECASE,
)


def lacking_quantifier(said: Text, told: Text) -> str | None:
    """A word such as "all" or "often" of a statement, for which a source has none as strong where it says what the statement says."""
    statement, source = (_IDIOMS.sub(_blank, text) for text in (said.text, told.text))
    for name, enough in _STRONG_ENOUGH.items():
        word = _STRONG[name].search(statement)
        if word is None:
            continue
        _, *after = [token.stem for token in said.tokens if token.start >= word.end()] or [""]
        clauses = {told.clause(token.start) for token in told.tokens if token.stem in after}
        near = _IDIOMS.sub(_blank, told.words_of(clauses))
        where = near if any(pattern.search(near) for pattern in _STRONG.values()) else source
        if not any(_STRONG[strong].search(where) for strong in enough):
            return word[0].lower()
    return None


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])
