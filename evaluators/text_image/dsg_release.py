"""The files of the DSG release (github.com/j-min/DSG): annotations, stored answers, human ratings; scored under a rule.

    annotations   item_id, proposition_id, dependency, question_natural_language   (dsg-1k-anns.csv)
    answers       t2i_model, item_id, question, answer, and question_id for DSG questions   ({vqa}_{dsg,vq2a}.csv)
    ratings       t2i_model, item_id, answer, one row a rater   (tifa160-likert-anns.csv)

"released" repeats the authors' code with all that it does unsaid, which their published figures hold: a dependency that
is no number ("5, right") costs its item every edge; an item without answers scores 0; only the exact text "yes" is a
yes; of a question that was answered twice the last answer counts; questions without an answer are left out of the mean.
"strict" is our reading of the same answers: edges that can be read are kept and the rest reported, an item with a
question that has no usable answer has no score.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...runtime.errors import BadInput
from ...runtime.records import Answer, Record
from .dsg import Rule, dsg_parts

__all__ = ["Annotations", "ItemScore", "read_annotations", "read_answers", "read_ratings", "score_answers"]

# how the authors group the ten sources in their table
CATEGORIES = {
    "tifa160": "tifa",
    "stanford_paragraph": "paragraph",
    "localized_narratives": "paragraph",
    "countbench": "count",
    "vrd": "relation",
    "diffusiondb": "real_user",
    "midjourney": "real_user",
    "posescript": "pose",
    "whoops": "defying",
    "drawtext": "text",
}

csv.field_size_limit(1 << 24)


class Row(Record):
    """One stored answer. `number` is the question's id; where the file has none, its place among the item's rows."""

    t2i_model: str
    item: str
    number: int
    question: str
    answer: str
    has_graph: bool


class Annotations(Record):
    """Parents by item and question id. `malformed`: the dependencies that could not be read, as (item, id, text)."""

    parents: dict[str, dict[int, tuple[int, ...]]]
    questions: dict[str, dict[int, str]]
    malformed: tuple[tuple[str, int, str], ...]


class ItemScore(Record):
    """The score of one picture. `missing`: the answers hold nothing about it; value None: not scored."""

    t2i_model: str
    item: str
    value: float | None
    missing: bool = False

    @property
    def source(self) -> str:
        """The data set that the prompt comes from, such as "countbench"."""
        return source_of(self.item)


def source_of(item: str) -> str:
    """The data set of an item id: "stanford_paragraph" of "stanford_paragraph_54"."""
    return item.rpartition("_")[0] or item


def read_annotations(path: Path) -> Annotations:
    """The dependency graph of each item, every edge that can be read.

    Raises:
        BadInput: the file is not there or lacks a column, or an id is no number.
    """
    parents: dict[str, dict[int, tuple[int, ...]]] = {}
    questions: dict[str, dict[int, str]] = {}
    malformed = []
    for line, row in _rows(path, ("item_id", "proposition_id", "dependency")):
        item, number = row["item_id"], _number(path, line, "proposition_id", row["proposition_id"])
        read: list[int] = []
        for piece in row["dependency"].split(","):
            try:
                read.append(int(piece.strip()))
            except ValueError:
                malformed.append((item, number, row["dependency"]))
        parents.setdefault(item, {})[number] = tuple(parent for parent in read if parent)
        questions.setdefault(item, {})[number] = row.get("question_natural_language") or ""
    return Annotations(parents=parents, questions=questions, malformed=tuple(malformed))


def read_answers(path: Path) -> list[Row]:
    """The stored answers, in the order of the file; `BadInput` names what is wrong with it."""
    found = []
    places: dict[tuple[str, str], int] = {}
    for line, row in _rows(path, ("t2i_model", "item_id", "answer")):
        picture = row["t2i_model"], row["item_id"]
        places[picture] = places.get(picture, 0) + 1
        given = row.get("question_id")
        found.append(
            Row(
                t2i_model=picture[0],
                item=picture[1],
                number=places[picture] if given is None else _number(path, line, "question_id", given),
                question=row.get("question") or "",
                answer=row["answer"],
                has_graph=given is not None,
            )
        )
    if not found:
        raise BadInput(f"{str(path)!r} holds no answers.")
    return found


def read_ratings(path: Path) -> dict[tuple[str, str], list[float]]:
    """The raters' figures by (text-to-image model, item), in the order of the file; `BadInput` names a wrong row."""
    found: dict[tuple[str, str], list[float]] = {}
    for line, row in _rows(path, ("t2i_model", "item_id", "answer")):
        try:
            rating = float(row["answer"])
        except ValueError:
            raise BadInput(f"{str(path)!r}, line {line}: the rating {row['answer']!r} is no number.") from None
        found.setdefault((row["t2i_model"], row["item_id"]), []).append(rating)
    if not found:
        raise BadInput(f"{str(path)!r} holds no ratings.")
    return found


def score_answers(
    rows: Sequence[Row],
    annotations: Annotations | None,
    *,
    rule: Rule,
    dependencies: bool = True,
    wanted: Iterable[tuple[str, str]] | None = None,
) -> list[ItemScore]:
    """One score a picture, for each of `wanted` (text-to-image model, item).

    Default: for each text-to-image model the annotated items of every source that it has answers for; without
    annotations, what has answers.

    Raises:
        BadInput: the answers have question ids and there are no annotations to find their parents in.
    """
    by_picture: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        by_picture.setdefault((row.t2i_model, row.item), {})[row.number] = row
    graph = any(row.has_graph for row in rows)
    if graph and dependencies and annotations is None:
        raise BadInput("these answers are to questions that depend on each other: give the annotations too.")
    if wanted is None:
        wanted = _expected(by_picture, annotations)
    broken = {item for item, _, _ in annotations.malformed} if annotations is not None else set()
    scores = []
    for model, item in wanted:
        answers = by_picture.get((model, item), {})
        above: dict[int, tuple[int, ...]] = {}
        if graph and dependencies and annotations is not None and not (rule == "released" and item in broken):
            above = annotations.parents.get(item, {})
        if not answers:
            # the authors' code takes a picture without answers for one whose only question was not answered with yes
            scores.append(
                ItemScore(t2i_model=model, item=item, value=0.0 if rule == "released" else None, missing=True)
            )
            continue
        asked = {number: row.question for number, row in answers.items()}
        if rule == "strict" and graph and annotations is not None:
            asked = {**annotations.questions.get(item, {}), **asked}
        place = {number: index for index, number in enumerate(asked, start=1)}
        nodes = [
            (question, tuple(place[parent] for parent in above.get(number, ()) if parent in place))
            for number, question in asked.items()
        ]
        known = [Answer(text=answers[number].answer) if number in answers else None for number in asked]
        values = [part.value for part in dsg_parts(nodes, known, rule=rule)]
        usable = [value for value in values if value is not None]
        whole = len(usable) == len(values)
        scores.append(ItemScore(t2i_model=model, item=item, value=sum(usable) / len(usable) if whole else None))
    return scores


def _expected(
    by_picture: dict[tuple[str, str], dict[int, Row]], annotations: Annotations | None
) -> list[tuple[str, str]]:
    models = list(dict.fromkeys(model for model, _ in by_picture))
    if annotations is None:
        return list(by_picture)
    expected: list[tuple[str, str]] = []
    for model in models:
        sources = {source_of(item) for name, item in by_picture if name == model}
        extra = [item for name, item in by_picture if name == model and item not in annotations.parents]
        expected += [(model, item) for item in annotations.parents if source_of(item) in sources]
        expected += [(model, item) for item in extra]
    return expected


def _rows(path: Path, columns: Sequence[str]) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise BadInput(
                    f"{str(path)!r} has no column {missing[0]!r}; its columns are {', '.join(reader.fieldnames or ())}."
                )
            for row in reader:
                short = [column for column in columns if row[column] is None]
                if short:
                    raise BadInput(f"{str(path)!r}, line {reader.line_num}: there is nothing in column {short[0]!r}.")
                yield reader.line_num, row
    except OSError as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{str(path)!r} is not UTF-8 text ({error.reason} at byte {error.start}).") from None
    except csv.Error as error:
        raise BadInput(f"{str(path)!r} is no CSV file: {error}.") from None


def _number(path: Path, line: int, column: str, text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise BadInput(f"{str(path)!r}, line {line}: {column} {text!r} is no number.") from None
