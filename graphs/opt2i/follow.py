"""What is known of the searches of a run while it works: from its events, or from its result where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ...runtime.folder import RunFolder
from .result import Opt2iResult, Opt2iTask, Trial

__all__ = ["followed"]


def followed(folder: RunFolder) -> tuple[Opt2iTask, ...]:
    """The searches so far, in the order of the prompts; one whose first text was not scored yet is not among them."""
    if folder.finished:
        return folder.result_as(Opt2iResult).tasks
    return _of_events(folder.events())


def _of_events(events: Sequence[Mapping[str, Any]]) -> tuple[Opt2iTask, ...]:
    trials: dict[str, dict[str, Trial]] = {}
    ends: dict[str, dict[str, Any]] = {}
    for event in events:
        task = str(event.get("task", ""))
        if event.get("event") == "trial":
            try:
                trial = Trial.model_validate(event["trial"])
            except (KeyError, ValidationError):
                continue  # of another version
            trials.setdefault(task, {})[trial.id] = trial  # a node that ran twice tells twice
        elif event.get("event") == "iteration":
            ends.setdefault(task, {}).update(iterations=int(event.get("iteration", 0)), stop=str(event.get("stop", "")))
    found = []
    for id, known in trials.items():
        first = next((trial for trial in known.values() if trial.iteration == 0), None)
        if first is None:
            continue
        best = max(
            known.values(), key=lambda t: (t.objective is not None, not t.broken, t.objective or 0.0, -t.iteration)
        )
        end = {"iterations": 0, "stop": ""} | ends.get(id, {})
        found.append(Opt2iTask(id=id, text=first.text, trials=tuple(known.values()), best=best.id, **end))
    return tuple(sorted(found, key=lambda task: (len(task.id), task.id)))
