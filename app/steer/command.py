"""`inloop steer-vlm`: the wording of a question that makes a vision-language model look at shape, or at texture, at held accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...graphs import steer as room
from ..cli import LoopCommand, RunView, points, printable, signed

if TYPE_CHECKING:
    from ...graphs.steer import SteerResult

__all__ = ["steer_vlm"]

_ABOUT = """The wording of a yes-or-no question that makes a vision-language model answer by shape, or by texture, at held accuracy.

  inloop steer-vlm "Is there a {}?"                    # the bundled model, on drawn pictures
  inloop steer-vlm "Is there a {}?" --toward texture --loss 1 --vqa HuggingFaceTB/SmolVLM-Instruct --on stimuli/

A question that costs more accuracy than --loss points against your own, or that ignores the picture, is refused. The search sees one half
of the pictures; the figures are of others."""


def _words(result: SteerResult, bold: bool) -> list[str]:
    lines = ["", f"  {result.finding()}"]
    for task in result.tasks:
        lines += [f"  your question  {printable(task.text)}", f"  best question  {printable(task.best_text)}"]
        user, best = task.heldout.get("user"), task.heldout.get("best")
        paired = {row.evaluator: row for row in result.comparisons}
        for name in ("bias", "accuracy"):
            before, after = (each.scores.get(name) if each else None for each in (user, best))
            change, ci = (paired[name].gain, paired[name].ci) if name in paired else (None, None)
            interval = "" if ci is None else f", {ci[0]:+.1f} to {ci[1]:+.1f}"
            title = f"{result.toward} bias" if name == "bias" else name
            lines.append(
                f"  {title:13}  {points(before)} → {points(after)}  ({signed(change)}{interval}) on {8 * len(task.heldout_seeds)} unseen pictures"
            )
        lines += ["", "  bias and accuracy on the pictures of the search, where no question is better in both:"]
        for row in result.rows():
            mark = "*" if row["chosen"] else " "
            why = f"  refused: {row['refused']}" if row["refused"] else ""
            lines.append(
                f"  {mark} {row[f'{result.toward} bias']:5.1f}  {row['accuracy']:5.1f}  {printable(str(row['question']))}{why}"
            )
        lines.append(f"  {len(result.refused(task))} of {len(task.trials)} questions refused; stopped: {task.stop}")
    return [*lines, ""]


def _data(result: SteerResult) -> Mapping[str, Any]:
    return {
        "toward": result.toward,
        "loss": result.loss,
        "comparisons": [row.model_dump(mode="json") for row in result.comparisons],
        "front": result.rows(),
        "tasks": [
            {
                "id": task.id,
                "question": task.text,
                "best": task.best_text,
                "accepted": task.accepted,
                "broken": task.broken,
                "heldout": {key: {"text": held.text, "scores": held.scores} for key, held in task.heldout.items()},
            }
            for task in result.tasks
        ],
    }


steer_vlm = LoopCommand(
    config=room.SteerConfig,
    loop=lambda: room.steer_vlm,
    about=_ABOUT,
    words=_words,
    data=_data,
    view=lambda config: RunView(),
)
