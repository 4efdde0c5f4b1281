"""How OPT2I's results are put into words: what its scores measure, and why a search ended."""

from __future__ import annotations

__all__ = ["EVALUATORS", "stop_words"]

EVALUATORS: dict[str, tuple[str, str]] = {
    "dsg": (
        "DSG",
        "the share of the prompt's scene-graph questions that a visual question answering model answers with yes; a "
        "question counts as failed where one that it depends on has failed (Davidsonian Scene Graph).",
    ),
    "dcs": (
        "dCS",
        "the mean CLIP similarity of the picture with each noun phrase of the prompt (decomposed CLIP score).",
    ),
}

_STOPS = {
    "perfect": "every question was answered with yes",
    "iterations": "all iterations are done",
}


def stop_words(stop: str) -> str:
    """Why a search ended, in words."""
    return _STOPS.get(stop, stop)
