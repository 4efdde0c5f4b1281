"""Judges against labelled answers: how often each is right, and whether weights of an ensemble are worth having.

Weights are those of the least Brier score of the weighted mean of P(yes), none below 0 (a stacked generalisation, Breiman 1996). They are believed only
where they do better than equal ones on pictures that they were not fitted on, by a sign-flip test over pictures; else equal weights stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...runtime.errors import BadInput
from ...runtime.protocols import VisualQA
from ...runtime.records import BlobRef, Record
from ...runtime.session import each
from ...tools.data import read_picture, read_table
from ...tools.vision import Certificate, CertifiedJudge, Figures, is_closed, probability
from ..stats import FEWEST, by_group, estimate, kappa, verdict_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...runtime.store import BlobStore

__all__ = ["Label", "certify_judges", "fitted_weights", "read_labels"]

_FOLDS = 5
_ANSWERS = {"yes": True, "no": False, "1": True, "0": False, "true": True, "false": False}


class Label(Record):
    """One labelled question about a picture."""

    image: BlobRef
    question: str
    answer: bool


def read_labels(path: Path, blobs: BlobStore) -> list[Label]:
    """The rows `image` (a file, seen from the table's folder), `question`, `answer` (yes or no) of a table.

    Raises:
        BadInput: a column is missing, an answer is neither, a question asks for something else than yes or no, a picture cannot be
            read, or one question about a picture has two answers; the row is named.
    """
    pictures: dict[str, BlobRef] = {}
    labels: dict[tuple[str, str], Label] = {}
    for place, row in enumerate(read_table(path), start=1):
        where = f"{str(path)!r}, row {place}"
        missing = [
            name
            for name in ("image", "question", "answer")
            if str(row.get(name) or "").strip() == "" and row.get(name) != 0
        ]
        if missing:
            raise BadInput(f"{where}: it has no {missing[0]!r}; a row has image, question and answer (yes or no).")
        answer = _ANSWERS.get(str(row["answer"]).strip().lower())
        question = " ".join(str(row["question"]).split())
        if answer is None:
            raise BadInput(f"{where}: the answer {row['answer']!r} is neither yes nor no.")
        if not is_closed(question):
            raise BadInput(f"{where}: {question!r} does not ask for yes or no: begin it with is, are, does, ...")
        name = str(row["image"])
        if name not in pictures:
            pictures[name] = read_picture(path.parent / name, blobs).blob
        label = Label(image=pictures[name], question=question, answer=answer)
        if labels.setdefault((label.image.sha256, question), label).answer != answer:
            raise BadInput(f"{where}: {question!r} is answered with yes and with no for one picture: keep one of them.")
    if not labels:
        raise BadInput(f"{str(path)!r} holds no rows.")
    return list(labels.values())


async def certify_judges(judges: Mapping[str, VisualQA], labels: Sequence[Label], *, data: str) -> Certificate:
    """How each judge did on the labels, and the weights of all together; `judges` by what opens them, `data` names the labels.

    A question that a judge could not answer with yes or no counts as answered wrongly for it, with P(yes) 0.5.

    Raises:
        BadInput: there is no judge.
        PrerequisiteError: a model cannot be had.
    """
    if not judges:
        raise BadInput("no judge was named: give one or more.")
    truth = np.array([label.answer for label in labels], dtype=np.float64)
    pictures = [label.image.sha256 for label in labels]
    columns = []
    for judge in judges.values():
        answers = await each(judge.answer, [(label.image, label.question) for label in labels])
        known = [None if isinstance(answer, Exception) else probability(answer) for answer in answers]
        columns.append(np.array([np.nan if p_yes is None else p_yes for p_yes in known]))
    table = np.stack(columns, axis=1)
    filled = np.where(np.isnan(table), 0.5, table)
    equal = np.full(len(columns), 1 / len(columns))
    weights, certified, why = equal, False, "one judge needs no weights"
    both: tuple[Figures | None, Figures | None] = (None, None)
    if len(columns) > 1:
        held_out = _held_out(filled, truth, pictures)
        both = (_figures(filled @ equal, truth, pictures), _figures(held_out, truth, pictures))
        gains = _gains((filled @ equal - truth) ** 2 - (held_out - truth) ** 2, pictures)
        verdict = verdict_of(gains)
        certified = verdict == "gain"
        weights = fitted_weights(filled, truth) if certified else equal
        why = {
            "gain": "weights that were fitted did better than equal ones on pictures that they were not fitted on",
            "loss": "the weights are equal: fitted ones did worse on pictures that they were not fitted on",
            "unclear": "the weights are equal: fitted ones did not do better on pictures that they were not fitted on",
            "too few": f"the weights are equal: of fewer than {FEWEST} pictures nothing can be said",
        }[verdict]
    members = [
        CertifiedJudge(
            spec=spec, model=judge.model, revision=judge.revision, weight=round(float(weight), 6),
            figures=_figures(column, truth, pictures),
        )
        for (spec, judge), column, weight in zip(judges.items(), columns, weights, strict=True)
    ]  # fmt: skip
    return Certificate(
        data=data, sha256=_digest(labels), questions=len(labels), pictures=len(set(pictures)), members=tuple(members),
        certified=certified, why=why, equal=both[0], weighted=both[1],
    )  # fmt: skip


def fitted_weights(table: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights (judges,), none below 0 and 1 in sum, of the least mean squared distance of `table @ weights` from `truth`.

    `table` (questions, judges) holds P(yes). By projected gradients, with steps of the inverse of the largest curvature.
    """
    count = table.shape[1]
    curvature = 2 * table.T @ table / len(truth)
    slope = 2 * table.T @ truth / len(truth)
    step = 1 / max(float(np.linalg.eigvalsh(curvature)[-1]), 1e-12)
    weights = np.full(count, 1 / count)
    for _ in range(5000):
        moved = _on_simplex(weights - step * (curvature @ weights - slope))
        if float(np.abs(moved - weights).max()) < 1e-10:
            break
        weights = moved
    return weights


def _on_simplex(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest point whose entries are at least 0 and 1 in sum (Duchi et al. 2008)."""
    ordered = np.sort(values)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, len(values) + 1)
    last = int(np.nonzero(ordered > excess)[0][-1])
    projected: NDArray[np.float64] = np.maximum(values - excess[last], 0)
    return projected


def _held_out(table: NDArray[np.float64], truth: NDArray[np.float64], pictures: Sequence[str]) -> NDArray[np.float64]:
    """P(yes) of each question, by weights that were fitted on other pictures than its own."""
    order = {picture: place for place, picture in enumerate(sorted(set(pictures)))}
    fold = np.array([order[picture] % min(_FOLDS, len(order)) for picture in pictures])
    equal = np.full(table.shape[1], 1 / table.shape[1])
    p_yes = np.empty(len(truth))
    for number in set(fold.tolist()):
        others = fold != number
        weights = fitted_weights(table[others], truth[others]) if others.any() else equal
        p_yes[~others] = table[~others] @ weights
    return p_yes


def _gains(values: NDArray[np.float64], pictures: Sequence[str]) -> list[float | None]:
    """The mean of each picture: the questions of one are not independent."""
    return list(by_group([float(value) for value in values], pictures).values())


def _figures(p_yes: NDArray[np.float64], truth: NDArray[np.float64], pictures: Sequence[str]) -> Figures:
    answered = ~np.isnan(p_yes)
    right = np.where(answered, (p_yes >= 0.5) == (truth == 1), False)
    accuracy = estimate(_gains(right.astype(np.float64), pictures))
    said: list[Any] = [bool(value >= 0.5) if known else None for value, known in zip(p_yes, answered, strict=True)]
    return Figures(
        accuracy=accuracy.value,
        interval=accuracy.ci,
        kappa=kappa(said, [bool(value) for value in truth]),
        brier=float(((np.where(answered, p_yes, 0.5) - truth) ** 2).mean()),
        answered=int(answered.sum()),
    )


def _digest(labels: Sequence[Label]) -> str:
    rows = sorted(f"{label.image.sha256} {label.answer} {label.question}" for label in labels)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
