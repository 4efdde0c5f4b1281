"""What a question about a picture asks for."""

from __future__ import annotations

__all__ = ["is_closed"]


_CLOSED = frozenset(
    [
        *("is", "are", "am", "was", "were", "isn't", "aren't", "do", "does", "did", "don't", "doesn't", "didn't"),
        *("has", "have", "had", "can", "could", "will", "would", "should", "may", "might", "must"),
    ]
)


def is_closed(question: str) -> bool:
    """Whether a question asks for yes or no: it begins with an auxiliary verb."""
    return question.strip().lower().partition(" ")[0] in _CLOSED
