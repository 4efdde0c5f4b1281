"""The end of a run in words, and as JSON for machines; the same facts in both."""

from __future__ import annotations

from typing import Any

from ...evaluators.stats import FEWEST
from ...graphs.opt2i import Opt2iResult, Opt2iTask, evaluator_name
from ..cli import amount, points, printable, signed
from .format import effect_words, realism_words, review_words, shortened_words, stop_words, verdict_words

__all__ = ["as_json", "in_words"]

_MANY = 30


def as_json(result: Opt2iResult) -> dict[str, Any]:
    """What a script needs of the searches."""
    why = result.unproposed
    error = {"error": {"kind": "nothing proposed", "message": why, "remedy": None}, "exit_code": 1} if why else {}
    return {
        "tasks": [
            {
                "id": task.id,
                "text": task.text,
                "best": task.best_text,
                "accepted": task.accepted,
                "chosen": task.chosen,
                "drift": task.drift and task.drift.model_dump(mode="json"),
                "effects": [effect.model_dump(mode="json") for effect in task.effects],
                "shortened": task.shortened and task.shortened.model_dump(mode="json"),
                "verdict": task.verdict,
                "wishes": task.wishes and task.wishes.model_dump(mode="json"),
                "proof": task.proof and task.proof.model_dump(mode="json"),
                "unasked": list(task.unasked),
                "stop": task.stop,
                "iterations": task.iterations,
                "questioner": task.questioner,
                "heldout": {key: {"text": held.text, "scores": held.scores} for key, held in task.heldout.items()},
                "warnings": list(task.warnings),
            }
            for task in result.tasks
        ],
        "comparisons": [row.model_dump(mode="json") for row in result.comparisons],
        "published": [row.model_dump(mode="json") for row in result.published],
        "realism": {which: stats.model_dump(mode="json") for which, stats in result.realism.items()},
        **error,
    }


def in_words(result: Opt2iResult, bold: bool = False) -> list[str]:
    """The summary as lines of text; `bold` sets the best prompts in bold type for a terminal."""
    strong, plain = ("\x1b[1m", "\x1b[0m") if bold else ("", "")
    lines: list[str] = [""]
    if len(result.tasks) == 1:
        task = result.tasks[0]
        lines += [f"  your prompt         {printable(task.text)}"]
        changed = task.best_text != task.text
        nothing = "none: nothing was proposed" if task.unproposed else "your own: nothing better was found"
        best_prompt = printable(task.best_text) if changed else nothing
        lines += [f"  best prompt         {strong}{best_prompt}{plain}"]
        user, best = task.heldout.get("user"), task.heldout.get("best")
        for index, name in enumerate(user.scores if user else ()):
            before, after = user.scores.get(name) if user else None, best.scores.get(name) if best else None
            change = None if before is None or after is None else (after - before) * 100
            label = f"on {len(task.heldout_seeds)} unseen seeds" if index == 0 else ""
            said = f"{evaluator_name(name)} {points(before)} → {points(after)}  ({signed(change)})"
            lines += [f"  {label}".ljust(22) + said if label else " " * 22 + said]
        if changed and (task.heldout or task.proof):
            lines += ["", f"  {verdict_words(task)[0]}"]
        lines += _words_of(task)
        lines += [f"  stopped: {stop_words(task.stop)}"]
        if task.wishes and (wished := review_words(task.wishes)):
            lines += [f"  people wished: {printable(wished)}"]
        lines += [f"  warning: {printable(w)}" for w in task.warnings if w != result.unproposed]
    else:
        for task in result.tasks[:_MANY]:
            mark = "+" if task.accepted else " "
            lines += [f"  {mark} {printable(task.text)}"]
            if task.best_text != task.text:
                lines += [f"      {strong}{printable(task.best_text)}{plain}"]
        if len(result.tasks) > _MANY:
            lines += [f"    and {len(result.tasks) - _MANY} more, in the report"]
        accepted = sum(task.accepted for task in result.tasks)
        how = "are proven" if any(task.proof for task in result.tasks) else "hold"
        lines += ["", f"  {accepted} of {len(result.tasks)} gains {how} on unseen seeds (+)"]
        if few := sum(task.verdict == "too few" and task.best_text != task.text for task in result.tasks):
            lines += [f"  of {few} too few unseen seeds were scored to say (fewer than {FEWEST})"]
        for reason, count in _reasons(result):
            lines += [f"  stopped: {stop_words(reason)} ({count})"]
    if result.unproposed:
        lines += ["", f"  failed: {printable(result.unproposed)}"]
    if result.comparisons:
        lines += ["", *_table(result)]
    if result.realism:
        lines += ["", *(f"  {line}" for line in realism_words(result))]
    return [*lines, ""]


def _words_of(task: Opt2iTask) -> list[str]:
    """What each phrase adds, and the shortened prompt."""
    lines = ["", "  what each phrase adds on the unseen seeds, in points"] if task.effects else []
    width = max((len(printable(effect.phrase)) for effect in task.effects), default=0)
    for effect in task.effects:
        points, interval = effect_words(effect)
        lines += [
            f"    {printable(effect.phrase).ljust(width)}  {points.rjust(6)}" + (f"  ({interval})" if interval else "")
        ]
    if short := shortened_words(task):
        lines += ["", f"  {printable(short)}"]
    return lines


def _reasons(result: Opt2iResult) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for task in result.tasks:
        counts[task.stop] = counts.get(task.stop, 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])[:5]


def _table(result: Opt2iResult) -> list[str]:
    head = ("gain on unseen seeds", "", "gain", "95 % interval", "images")
    rows = [
        (
            ("* " if c.own else "  ") + c.name,
            evaluator_name(c.evaluator),
            signed(c.gain),
            "" if c.ci is None else f"{signed(c.ci[0])} to {signed(c.ci[1])}",
            amount(c.images),
        )
        for c in result.comparisons
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return [
        "  "
        + "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    ]
