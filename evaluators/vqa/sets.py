"""VQA data sets: each question with its picture, what people answered, and captions where they are given.

OK-VQA, VQAv2 (official `questions` and `annotations`, or one list with both) and A-OKVQA (one list). A picture is found by
the names of COCO, or by the file that the question names. Without pictures a set is in text-only mode: then captions are given
(`evaluators.vqa.texts`).

Everything that can be wrong with the files is said here, before a model is asked anything: a missing picture (which, and how
many), annotations of another data set, missing choices, a question that is empty or too long.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ...runtime.errors import BadInput
from ...runtime.records import Record
from .accuracy import RULES, Asked
from .files import asked_of, read_json

__all__ = [
    "LONGEST",
    "SetName",
    "VQAItem",
    "captions_of",
    "check_question",
    "headline_rule",
    "majority",
    "need_choices",
    "ocr_of",
    "question_kind",
    "read_items",
    "rules_of",
    "tags_of",
    "with_pictures",
    "without_pictures",
]

SetName = Literal["okvqa", "aokvqa", "vqav2"]
LONGEST = 2000
"""The most characters of a question."""

_SUFFIXES = (".jpg", ".png", ".jpeg", ".webp")
_NUMBERED = re.compile(r"\w+_(\d{12})\.(?:jpe?g|png|webp)")
"""As COCO names pictures: COCO_val2014_000000000042.jpg; a picture has one number in all its sets."""
_CAPTION_FIELDS = ("caption", "captions", "question_related_captions", "vinvl_caption")
_KINDS = ("how many", "what color", "what kind", "what type", "what", "which", "where", "why", "when", "who", "how")
_CATEGORIES = {
    "one": "vehicles and transportation", "two": "brands, companies and products", "three": "objects, material and clothing",
    "four": "sports and recreation", "five": "cooking and food", "six": "geography, history, language and culture",
    "seven": "people and everyday life", "eight": "plants and animals", "nine": "science and technology",
    "ten": "weather and climate", "other": "other",
}  # fmt: skip


class VQAItem(Record):
    """One question. `picture`: a file, empty in text-only mode; `captions`, `tags` and `ocr` (what is written there): as given.

    `oracle_caption` says all that the picture shows for the question; `oracle_passages` are the ids of what has to be known.
    `type` is what the figures are sliced by: the data set's own category, else the first words of the question.
    """

    asked: Asked
    image_id: str = ""
    picture: str = ""
    captions: tuple[str, ...] = ()
    tags: str = ""
    ocr: str = ""
    oracle_caption: str = ""
    oracle_passages: tuple[str, ...] = ()
    type: str = ""
    candidates: tuple[tuple[str, float], ...] = ()
    """Likely answers with confidences from 0 to 1, where they were given."""

    @property
    def id(self) -> str:
        """The question's id."""
        return self.asked.id

    @property
    def question(self) -> str:
        """The question."""
        return self.asked.question


def read_items(
    name: SetName, questions: Path, annotations: Path | None = None, *, unanswered: bool = False
) -> list[VQAItem]:
    """The questions of a data set with their answers.

    `questions` may hold the answers too (a list of questions with `answers` or `direct_answers`); then `annotations` is not
    needed. With `unanswered`, questions need no answers, as those of a test set have none.

    Raises:
        BadInput: a file cannot be read, a row has another form, a question is empty or has more than `LONGEST` characters,
            a question comes twice, or the annotations are of another data set.
    """
    content = read_json(questions)
    official = isinstance(content, dict)
    rows = content.get("questions") if official else content
    if not isinstance(rows, list) or not rows:
        raise BadInput(f"{str(questions)!r} holds no questions: give a list, or {{'questions': [...]}}.")
    subset = str(content.get("data_subtype") or "") if official else ""
    answered = _annotations(annotations) if annotations is not None else None
    items: dict[str, VQAItem] = {}
    lacking: list[str] = []
    for place, row in enumerate(rows):
        where = f"{str(questions)!r}: row {place}"
        if not isinstance(row, dict) or "question_id" not in row or "question" not in row:
            raise BadInput(f"{where} is no question with 'question_id' and 'question': {row!r:.200}")
        key = str(row["question_id"])
        check_question(str(row["question"]), f"{where}, question {key!r}")
        if key in items:
            raise BadInput(f"{where}: the question {key!r} comes twice; keep one of them.")
        given = row if answered is None else answered.get(key, {})
        if (
            answered is not None
            and "image_id" in row
            and str(given.get("image_id", row["image_id"])) != str(row["image_id"])
        ):
            raise BadInput(
                f"{str(annotations)!r} is of another data set: its question {key!r} is about picture"
                f" {given.get('image_id')!r}, in {str(questions)!r} it is about {row['image_id']!r}."
            )
        item = _item(name, where, {**given, **row}, subset)
        if not item.asked.humans and item.asked.correct is None:
            lacking.append(key)
            if not unanswered:
                continue
        items[key] = item
    if lacking and not unanswered:
        some = ", ".join(lacking[:3])
        if annotations is None:
            raise BadInput(
                f"{len(lacking)} questions of {str(questions)!r} have no answers ({some}): give --annotations, or for a test set"
                " --predictions FILE."
            )
        whole = "is of another data set: it" if not items else "does not belong to these questions: it"
        raise BadInput(
            f"{str(annotations)!r} {whole} has no answers to {len(lacking)} of the {len(rows)} questions of"
            f" {str(questions)!r} (such as {some})."
        )
    return list(items.values())


def check_question(question: str, where: str = "the question") -> None:
    """Raise `BadInput` for a question that nothing can be done with; `where` names it."""
    if not any(sign.isalnum() for sign in question):
        raise BadInput(f"{where} has no word in it ({question[:60]!r}): write what is to be answered.")
    if len(question) > LONGEST:
        raise BadInput(f"{where} has {len(question)} characters ({question[:60]!r}...): give at most {LONGEST}.")


def need_choices(items: Sequence[VQAItem], *, unanswered: bool = False) -> None:
    """Raise `BadInput` where a question has no choices to choose among, or (but with `unanswered`) no right one."""
    lacking = [
        item.id for item in items if len(item.asked.choices) < 2 or (item.asked.correct is None and not unanswered)
    ]
    if lacking:
        raise BadInput(
            f"{len(lacking)} of {len(items)} questions have no choices ({', '.join(lacking[:3])}): multiple choice needs"
            " 'choices' and 'correct_choice_idx'; leave --multiple-choice out for direct answers."
        )


def with_pictures(items: Sequence[VQAItem], folder: Path) -> list[VQAItem]:
    """The items with the files of their pictures under `folder`.

    Raises:
        BadInput: the folder is not there, or lacks pictures: how many, and which names were looked for.
    """
    if not folder.is_dir():
        raise BadInput(
            f"the folder of pictures {str(folder)!r} is not there; for text-only mode give --captions instead."
        )
    there = {path.name for path in folder.iterdir()}
    numbered = {int(match[1]): name for name in sorted(there) if (match := _NUMBERED.fullmatch(name))}
    found, missing = [], []
    for item in items:
        name = next((name for name in _names(item) if name in there), None)
        if name is None and item.image_id.isdecimal():
            name = numbered.get(int(item.image_id))
        if name is None and item.picture and (folder / item.picture).is_file():
            name = item.picture
        if name is None:
            missing.append(f"{item.image_id} ({next(_names(item), '?')})")
        found.append(item.model_copy(update={"picture": str(folder / (name or ""))}))
    if missing:
        different = list(dict.fromkeys(missing))
        raise BadInput(
            f"{len(different)} pictures of {len(items)} questions are not in {str(folder)!r}: {', '.join(different[:5])}"
            + (", ..." if len(different) > 5 else "")
            + ". Give the folder that holds them, a smaller --limit, or --captions for text-only mode."
        )
    return found


def without_pictures(items: Sequence[VQAItem]) -> list[VQAItem]:
    """The items for text-only mode: a picture that a file names is not looked for."""
    return [item.model_copy(update={"picture": ""}) for item in items]


def majority(asked: Asked) -> str:
    """The answer that most people gave, the first one of equals; of a multiple choice question the right choice."""
    if not asked.humans:
        return asked.correct or ""
    return Counter(human.text for human in asked.humans).most_common(1)[0][0]


def question_kind(question: str) -> str:
    """What a question asks, by its first words: "how many", "what", ..., "yes or no", "other"."""
    words = " ".join(question.lower().split())
    for kind in _KINDS:
        if words.startswith(kind):
            return kind
    first = words.partition(" ")[0]
    return (
        "yes or no"
        if first in ("is", "are", "was", "were", "do", "does", "did", "can", "could", "has", "have")
        else "other"
    )


def rules_of(name: SetName, *, multiple_choice: bool = False) -> tuple[str, ...]:
    """The rules that a data set's answers are scored by."""
    if multiple_choice:
        return ("multiple_choice", "multiple_choice_easy_only")
    own = [rule.name for rule in RULES.values() if rule.count not in ("choice", "any")]
    first = own.index("official_exact_easy_only")
    return tuple(own[first:] if name == "aokvqa" else own[:first])


def headline_rule(name: SetName, *, multiple_choice: bool = False) -> str:
    """The rule of the data set's own script."""
    return rules_of(name, multiple_choice=multiple_choice)[0]


def _annotations(path: Path) -> dict[str, dict[str, Any]]:
    content = read_json(path)
    rows = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not rows:
        raise BadInput(f"{str(path)!r} holds no annotations: give a list of questions or {{'annotations': [...]}}.")
    found = {}
    for place, row in enumerate(rows):
        if not isinstance(row, dict) or "question_id" not in row:
            raise BadInput(f"{str(path)!r}: row {place} is no annotated question: {row!r:.200}")
        found[str(row["question_id"])] = row
    return found


def _item(name: SetName, where: str, row: dict[str, Any], subset: str) -> VQAItem:
    try:
        asked = asked_of({"answers": (), **row})
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise BadInput(f"{where} is no annotated question ({type(error).__name__}: {error}): {row!r:.200}") from None
    kind = str(row.get("question_type") or "")
    kind = _CATEGORIES.get(kind, kind) if name == "okvqa" else kind
    image = "" if row.get("image_id") is None else str(row["image_id"])
    file = str(row.get("image") or row.get("file_name") or "")
    if not file and subset and image.isdecimal():
        file = f"COCO_{subset}_{int(image):012d}.jpg"
    return VQAItem(
        asked=asked, image_id=image, picture=file, captions=captions_of(row, where), tags=tags_of(row), ocr=ocr_of(row),
        type=kind if kind not in ("", "n/a") else question_kind(asked.question),
    )  # fmt: skip


def _names(item: VQAItem) -> Iterator[str]:
    """The names that a picture may have, the likeliest first."""
    if item.picture:
        yield item.picture
    if item.image_id.isdecimal():
        yield from (f"{int(item.image_id):012d}{suffix}" for suffix in _SUFFIXES)
    yield item.image_id
    yield from (f"{item.image_id}{suffix}" for suffix in _SUFFIXES)


def captions_of(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The captions of a row; `BadInput` that begins with `where` for no texts."""
    given = next((row[name] for name in _CAPTION_FIELDS if row.get(name)), ())
    several = [given] if isinstance(given, str) else given
    if not isinstance(several, list | tuple) or not all(isinstance(each, str) for each in several):
        raise BadInput(f"{where} has captions that are no texts: {given!r:.200}")
    return tuple(clean for each in several if (clean := " ".join(each.split())))


def tags_of(row: Mapping[str, Any]) -> str:
    """The tags of a row (`tags` or `vinvl_tags`), as one text."""
    return _joined(row.get("tags") or row.get("vinvl_tags") or "")


def ocr_of(row: Mapping[str, Any]) -> str:
    """What is written in the picture of a row (`ocr`, or TextVQA's `ocr_tokens`), as one text."""
    return _joined(row.get("ocr") or row.get("ocr_tokens") or "")


def _joined(given: Any) -> str:
    return ", ".join(str(each) for each in given) if isinstance(given, list | tuple) else str(given)
