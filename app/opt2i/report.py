"""The report of a run: one HTML file that needs nothing else.

Drawn from `result.json` (an `Opt2iResult`), the blob store and the votes beside it, and from nothing else; the same three give the same bytes. The
page holds its images as data URIs, has no script, and its content security policy forbids every outside resource.

Invariants: a score that is None is shown as "not scored", never as 0; every image has a text alternative; text from
outside (prompts, model replies, names) is escaped by the template. Scores are shown as points, 0-100.

Images are embedded most telling first (unseen seeds, the user's prompt, the best one, then the candidates by score)
until `limit` bytes are used; what is left out is counted on the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...evaluators.stats import SetStatistics
from ...graphs.opt2i import (
    Comparison,
    Opt2iResult,
    Opt2iTask,
    PaperGain,
    TrialImage,
    VotesSaid,
    ballot_of,
    evaluator_name,
    way_name,
)
from ...runtime.store import Votes
from ..cli import signed
from ..report import DEFAULT_LIMIT, Pictures, run_page
from .format import EVALUATORS
from .sections import rising_of, section_of

if TYPE_CHECKING:
    from ...runtime.store import BlobStore

__all__ = ["render"]

_SETS = {"user": "your prompts", "best": "best prompts"}


def render(result: Opt2iResult, blobs: BlobStore, limit: int = DEFAULT_LIMIT) -> str:
    """The whole page as a string.

    Args:
        result: the run's result.
        blobs: where its images are; one that is not there is named on the page and not an error.
        limit: bytes of images to embed at most (as data URIs).
    """
    pictures, votes = Pictures(blobs, limit), result.votes()
    for images in _by_importance(result):
        pictures.embed(image.image for image in images)
    return run_page(
        result,
        blobs,
        template="opt2i/report.html.j2",
        pictures=pictures,
        stopped=None,  # every prompt says why its search ended
        sections=[
            section_of(f"t{i}", task, pictures, _said(result, task, votes)) for i, task in enumerate(result.tasks, 1)
        ],
        comparisons=[_cells(row) for row in result.comparisons],
        realism=[_realism(name, result.realism[which]) for which, name in _SETS.items() if which in result.realism],
        published=[_published(row, str(result.config.get("objective", ""))) for row in result.published],
        ways={row.name for row in result.comparisons if row.own},
        glossary=[EVALUATORS[e] for e in dict.fromkeys(c.evaluator for c in result.comparisons) if e in EVALUATORS],
        questioners=sorted({t.questioner for t in result.tasks if t.questioner}),
    )


def _realism(name: str, stats: SetStatistics) -> list[Any]:
    """A line of the table of the pictures as sets."""
    said = (
        f"{stats.precision:.3f}",
        f"{stats.recall:.3f}",
        f"{stats.fid:.4g}",
        f"{stats.kid:.3g} ± {stats.kid_error:.2g}",
    )
    return [name, *said, stats.n]


def _said(result: Opt2iResult, task: Opt2iTask, votes: Votes | None) -> VotesSaid | None:
    """What judge and people say together; None where nobody voted."""
    ballot = ballot_of(result.run_id, task, [] if votes is None else votes.of(text=task.text))
    return ballot.said() if (ballot.votes or ballot.void) and len(ballot.trials) > 1 else None


def _by_importance(result: Opt2iResult) -> Iterator[Sequence[TrialImage]]:
    for task in result.tasks:
        for key in ("user", "best"):
            if key in task.heldout:
                yield task.heldout[key].images
        for trial in (task.user_trial, task.best_trial):
            if trial is not None:
                yield trial.images
    for task in result.tasks:
        for other in task.heldout.values():
            yield other.images
    ranked = [
        sorted(t.trials, key=lambda x: -1.0 if x.objective is None else x.objective, reverse=True) for t in result.tasks
    ]
    for rank in zip_longest(*ranked):
        for trial in rank:
            if trial is not None:
                yield trial.images


def _cells(row: Comparison) -> list[Any]:
    """A line of the table; a gain that may be luck has no colour."""
    rising = rising_of(row.gain) if row.verdict in ("gain", "loss") else "flat"
    gain = Markup('<span class="{}">{}</span>').format(rising, signed(row.gain))
    ci = "" if row.ci is None else f"{signed(row.ci[0])} to {signed(row.ci[1])}"
    return [row.name, evaluator_name(row.evaluator), gain, ci, row.n, row.images, row.note]


def _published(row: PaperGain, objective: str) -> list[Any]:
    """A line of the table of gains as the paper has them."""
    unit = " %" if row.relative else ""
    gain = "not scored" if row.gain is None else f"{signed(row.gain)}{unit}"
    ci = "" if row.ci is None else f"{signed(row.ci[0])} to {signed(row.ci[1])}{unit}"
    kind = f"{evaluator_name(objective)}, {'relative' if row.relative else 'absolute'}"
    return [way_name(row.way), kind, gain, ci, row.n]
