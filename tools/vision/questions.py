"""What a question about a picture asks for, and what an answer to it says."""

from __future__ import annotations

from typing import Literal

__all__ = ["closed_answer", "is_closed", "yes_or_no"]


_CLOSED = frozenset(
    [
        *("is", "are", "am", "was", "were", "isn't", "aren't", "do", "does", "did", "don't", "doesn't", "didn't"),
        *("has", "have", "had", "can", "could", "will", "would", "should", "may", "might", "must"),
    ]
)


def is_closed(question: str) -> bool:
    """Whether a question asks for yes or no: it begins with an auxiliary verb."""
    return question.strip().lower().partition(" ")[0] in _CLOSED


def yes_or_no(token: str) -> Literal["yes", "no"] | None:
    """Which of the two words a token of a vocabulary is, in any of its forms; None where it is neither."""
    word = token.strip("Ġ▁ \t\r\n\"'*.,").lower()  # byte-level and SentencePiece vocabularies mark the blank
    return word if word in ("yes", "no") else None  # type: ignore[return-value]


def closed_answer(said: str) -> str:
    """Give "yes" or "no" where an answer begins with that word, else the answer."""
    word = said.strip().lower().lstrip("\"'* ")[:3].rstrip(".,!")
    return "yes" if word == "yes" else "no" if word[:2] == "no" and not word[2:].isalpha() else said.strip()
