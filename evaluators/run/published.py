"""Published figures that stored answers reproduce, and their reproduction: what `inloop certify` prints.

A figure is equal when it is the same at the published number of decimals. The data are not part of inloop:
`opt2i/dsg` holds the CSV files of github.com/j-min/DSG (commit 7330119), `kbvqa` prediction files of PICa and of "A
Simple Baseline for Knowledge-Based VQA" with `expected_scores.json`, what reference scripts give for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.records import Record
from ..stats import kendall, mean, spearman
from ..text_image import (
    CATEGORIES,
    Annotations,
    ItemScore,
    Rule,
    read_annotations,
    read_answers,
    read_ratings,
    score_answers,
)
from ..vqa import accuracy_of, find_rule, read_asked, read_predictions

__all__ = ["Correlation", "Figure", "correlate", "figures", "table_of"]

_README = "README of github.com/j-min/DSG, TIFA160"
_VQA = {"mplug": "mPLUG-large", "instructblip": "InstructBLIP"}
# (answers, questions, dependencies): Spearman's rho and Kendall's tau-b with the human ratings of 800 pictures
_DSG: dict[tuple[str, str, bool], tuple[float, float]] = {
    ("mplug", "vq2a", True): (0.212, 0.164),
    ("mplug", "dsg", True): (0.463, 0.380),
    ("mplug", "dsg", False): (0.464, 0.378),
    ("instructblip", "vq2a", True): (0.426, 0.352),
    ("instructblip", "dsg", True): (0.442, 0.364),
    ("instructblip", "dsg", False): (0.436, 0.355),
}


class Figure(Record):
    """One figure: `ours` and `published` at `decimals`; `ours` None where its files are missing, `note` says which."""

    what: str
    rule: str
    ours: float | None
    published: float
    decimals: int
    source: str
    note: str = ""

    @property
    def equal(self) -> bool:
        """Whether the two are the same at the published decimals."""
        return self.ours is not None and round(self.ours, self.decimals) == round(self.published, self.decimals)


class Correlation(Record):
    """How a scorer agrees with people: over `n` pictures; `unscored` have a rating and no score."""

    spearman: float | None
    kendall: float | None
    n: int
    unscored: int


def correlate(scores: Sequence[float | None], ratings: Sequence[Sequence[float]]) -> Correlation:
    """Rank correlations of scores with the raters' mean, an item each; items without a score are left out and counted."""
    pairs = [
        (score, sum(given) / len(given)) for score, given in zip(scores, ratings, strict=True) if score is not None
    ]
    ours, people = [a for a, _ in pairs], [b for _, b in pairs]
    return Correlation(
        spearman=spearman(ours, people),
        kendall=kendall(ours, people),
        n=len(pairs),
        unscored=len(ratings) - len(pairs),
    )


def table_of(scores: Sequence[ItemScore]) -> dict[str, dict[str, Any]]:
    """By text-to-image model: the mean score in percent, overall, by source and by the authors' category."""
    models: dict[str, dict[str, Any]] = {}
    for model in dict.fromkeys(score.t2i_model for score in scores):
        mine = [score for score in scores if score.t2i_model == model]
        sources = dict.fromkeys(score.source for score in mine)
        categories = dict.fromkeys(CATEGORIES[source] for source in sources if source in CATEGORIES)
        models[model] = {
            "overall": _percent(mine),
            "n": sum(score.value is not None for score in mine),
            "unscored": sum(score.value is None for score in mine),
            "missing": sum(score.missing for score in mine),
            "by_source": {source: _percent([s for s in mine if s.source == source]) for source in sources},
            "by_category": {
                category: _percent([s for s in mine if CATEGORIES.get(s.source) == category]) for category in categories
            },
        }
    return models


def _percent(scores: Sequence[ItemScore]) -> float | None:
    value = mean([score.value for score in scores])
    return None if value is None else 100 * value


def figures(data: Path) -> Iterator[Figure]:
    """Every published figure whose raw answers may lie in `data`, one after the other.

    Raises:
        PrerequisiteError: none of the folders is there.
        BadInput: a file is there and cannot be read.
    """
    dsg, vqa = data / "opt2i" / "dsg", data / "kbvqa"
    if not dsg.is_dir() and not vqa.is_dir():
        raise PrerequisiteError(
            f"there are no published answers in {str(data)!r}: neither 'opt2i/dsg' nor 'kbvqa' is in it",
            remedy="give the folder with --data or INLOOP_DATA; put the CSV files of github.com/j-min/DSG"
            " (dsg-1k-anns.csv, tifa160-likert-anns.csv, vqa_answers_release/*.csv) into opt2i/dsg there.",
        )
    yield from _dsg_figures(dsg)
    yield from _vqa_figures(vqa)


def _dsg_figures(folder: Path) -> Iterator[Figure]:
    shared: tuple[Annotations, dict[tuple[str, str], list[float]]] | None = None
    rule: Rule = "released"
    for (vqa, questions, dependencies), wanted in _DSG.items():
        kind = "VQ2A" if questions == "vq2a" else "DSG" if dependencies else "DSG without dependencies"
        files = [folder / name for name in ("dsg-1k-anns.csv", "tifa160-likert-anns.csv", f"{vqa}_{questions}.csv")]
        missing = [path.name for path in files if not path.is_file()]
        found: dict[str, float | None] = {}
        if not missing:
            shared = shared or (read_annotations(files[0]), read_ratings(files[1]))
            annotations, ratings = shared
            scores = score_answers(
                read_answers(files[2]), annotations, rule=rule, dependencies=dependencies, wanted=ratings
            )
            found = correlate([score.value for score in scores], list(ratings.values())).model_dump()
        for name, figure in zip(("spearman", "kendall"), wanted, strict=True):
            yield Figure(
                what=f"{kind}, {_VQA[vqa]}, {name}",
                rule=rule,
                ours=found.get(name),
                published=figure,
                decimals=3,
                source=_README,
                note=f"{missing[0]} is missing" if missing else "",
            )


def _vqa_figures(folder: Path) -> Iterator[Figure]:
    expected = folder / "expected_scores.json"
    if not expected.is_file():
        return
    try:
        entries = json.loads(expected.read_text(encoding="utf-8"))
        wanted = [(e["file"], e["dataset"], rule, score) for e in entries for rule, score in e["computed"].items()]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{str(expected)!r} is no table of expected scores: {error!r}.") from None
    annotations = {
        "OK-VQA val": folder / "okvqa_val_vqa_format_annotations.json",
        "A-OKVQA val": folder / "aokvqa_val_with_question_related_captions.json",
    }
    asked = {name: read_asked(path) for name, path in annotations.items() if path.is_file()}
    for file, dataset, rule, score in wanted:
        path = folder / "predictions" / file
        missing = "" if dataset in asked else f"annotations of {dataset}"
        missing = missing if path.is_file() else file
        ours = None
        if not missing:
            ours = accuracy_of(read_predictions(path, find_rule(rule)), asked[dataset], rule=rule).score
        yield Figure(
            what=f"{dataset} accuracy, {file.partition('_n16')[0].removesuffix('.json')}",
            rule=rule,
            ours=ours,
            published=score,
            decimals=4,
            source="reference scripts (expected_scores.json)",
            note=f"{missing} is missing" if missing else "",
        )
