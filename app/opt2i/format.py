"""How OPT2I's results are put into words: evaluators, ways, and the trials that are shown."""

from __future__ import annotations

from ...graphs.opt2i import Opt2iTask, Trial

__all__ = ["EVALUATORS", "evaluator_name", "way_name", "ours", "user_trial", "best_trial", "best_text", "stop_words"]


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


_WAYS = {
    "user": "your prompt",
    "best": "best prompt",
    "inloop": "inloop (best prompt)",
    "opt2i": "inloop (best prompt)",
    "more seeds": "more seeds of your prompt",
}


_STOPS = {
    "perfect": "every question was answered with yes",
    "iterations": "all iterations are done",
}


def evaluator_name(name: str) -> str:
    """The name of an evaluator as its paper writes it."""
    return EVALUATORS[name][0] if name in EVALUATORS else name


def way_name(way: str) -> str:
    """A way of getting a better prompt, in words."""
    return _WAYS.get(way, way.replace("_", " "))


def ours(way: str) -> bool:
    """Whether a row of the comparison is the loop itself and not a baseline."""
    return way.lower() in ("inloop", "opt2i", "best")


def user_trial(task: Opt2iTask) -> Trial | None:
    """The trial of the user's own text."""
    return next((t for t in task.trials if t.iteration == 0), None)


def best_trial(task: Opt2iTask) -> Trial | None:
    """The best trial, where there is one; `task.best` is its id."""
    return next((t for t in task.trials if t.id == task.best), None)


def best_text(task: Opt2iTask) -> str:
    """The best text found: the user's own where nothing was better."""
    best = best_trial(task)
    return task.text if best is None else best.text


def stop_words(stop: str) -> str:
    """Why a search ended, in words."""
    return _STOPS.get(stop, stop)
