"""How results are put into words, on the terminal and in the report alike.

Scores are fractions (0-1) and are said as points (0-100); gains are points already. None is "not scored".
"""

from __future__ import annotations

from ..graphs.outcome import TaskOutcome, Trial

__all__ = [
    "EVALUATORS",
    "amount",
    "best_text",
    "best_trial",
    "clip",
    "counted",
    "evaluator_name",
    "ours",
    "points",
    "printable",
    "seconds",
    "signed",
    "stop_words",
    "user_trial",
    "way_name",
]

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


def points(value: float | None) -> str:
    """A score of 0-1 as points: `0.8333` is "83.3"; None is "not scored"."""
    return "not scored" if value is None else f"{value * 100:.1f}"


def signed(value: float | None) -> str:
    """A difference in points with its sign: "+4.2", "−1.0", "±0.0"; None is "not scored"."""
    if value is None:
        return "not scored"
    if abs(value) < 0.05:
        return "±0.0"
    return f"{'+' if value > 0 else '−'}{abs(value):.1f}"


def seconds(value: float) -> str:
    """A duration: "7.3 s", "2 min 05 s", "1 h 12 min"."""
    if value < 99.5:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def counted(number: int, noun: str) -> str:
    """A number of things: "1 prompt", "8 prompts"."""
    return f"{amount(number)} {noun}{'' if number == 1 else 's'}"


def amount(value: int) -> str:
    """A whole number with thin spaces between its thousands."""
    return f"{value:,}".replace(",", "\u202f")


def user_trial(task: TaskOutcome) -> Trial | None:
    """The trial of the user's own text."""
    return next((t for t in task.trials if t.iteration == 0), None)


def best_trial(task: TaskOutcome) -> Trial | None:
    """The best trial, where there is one; `task.best` is its id."""
    return next((t for t in task.trials if t.id == task.best), None)


def best_text(task: TaskOutcome) -> str:
    """The best text found: the user's own where nothing was better."""
    best = best_trial(task)
    return task.text if best is None else best.text


def stop_words(stop: str) -> str:
    """Why a search ended, in words."""
    return _STOPS.get(stop, stop)


def printable(text: str) -> str:
    """`text` on one line without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() else " " for c in text)


def clip(text: str, width: int) -> str:
    """At most `width` characters of `text`; an ellipsis stands for what is cut."""
    return text if len(text) <= width else text[: max(width - 1, 0)].rstrip() + "…"
