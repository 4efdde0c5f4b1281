"""`caption_training`: a captioner fine-tuned on rows for questions, beside the same one trained on unasked captions.

The two get the same pictures, as many rows and the same seed. What is measured is in how many held-out questions the answer can be
had from the caption, with a paired bootstrap interval. A training that was stopped or killed goes on from its last checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from ...agents.captions import CaptionReader
from ...evaluators.stats import estimate, paired_gain
from ...evaluators.vqa import answer_recall
from ...runtime.errors import BadInput, Interrupted
from ...runtime.llm import open_chat
from ...runtime.roles import close
from ...runtime.run import Loop
from ...runtime.session import Mapped, Progressed, Session, Warned
from ...runtime.storage import write_whole
from ...tools.captioning import check_folder, generic_rows, train_captioner
from ...tools.data import CaptionRow, content_sha256, read_caption_rows, read_picture
from ...tools.training import Recipe
from ...tools.vision import each_caption, foreign_note, open_captioner
from .config import CaptionTrainingConfig
from .result import CaptionTrainingResult, Measured, TrainedCaptioner

__all__ = ["caption_training"]

_WORDS = {"question": "rows for questions", "generic": "unasked captions"}


@dataclass(frozen=True)
class TrainingSet:
    """The rows of one captioner, and its folder."""

    rows: Sequence[CaptionRow]
    folder: Path


def _sets(config: CaptionTrainingConfig) -> Mapping[str, TrainingSet]:
    """What is trained on, by captioner.

    Raises:
        BadInput: rows that cannot be used, test rows that are trained on, or a folder in use for something else.
    """
    rows = read_caption_rows(Path(config.rows), needs=("image", "caption"))[: config.limit]
    _refuse_leaks(rows, _test_rows(config))
    out = Path(config.out).resolve()
    sets = {"question": TrainingSet(rows, out)}
    if config.test and config.generic:
        sets["generic"] = TrainingSet(generic_rows(rows), out.with_name(out.name + "-generic"))
    for each in sets.values():
        check_folder(each.folder)
    return sets


def _test_rows(config: CaptionTrainingConfig) -> list[CaptionRow]:
    return read_caption_rows(Path(config.test), needs=("image", "question", "answers")) if config.test else []


def _refuse_leaks(rows: Sequence[CaptionRow], test: Sequence[CaptionRow]) -> None:
    """Raise `BadInput` where a test question is a training question about the same picture, under whatever name.

    Questions are compared by their words, pictures by what they show; only those of equal questions are read.
    """
    shown = cache(content_sha256)

    def key(row: CaptionRow) -> tuple[str, str]:
        return _words(row.question), shown(Path(row.image or ""))

    asked = {_words(row.question) for row in test}
    trained_on = {key(row) for row in rows if _words(row.question) in asked}
    questions = {question for question, _ in trained_on}
    both = [row.id for row in test if _words(row.question) in questions and key(row) in trained_on]
    if both:
        raise BadInput(
            f"{len(both)} test rows are training rows too, {both[0]!r} for one: measure on rows that were held out."
        )


def _words(question: str | None) -> str:
    return " ".join((question or "").casefold().split())


class CaptionTrainings:
    """What the trainings of a run share; what could not be measured after them is said before them."""

    def __init__(self, config: CaptionTrainingConfig, session: Session) -> None:
        self.config, self.session = config, session
        self.recipe = Recipe(epochs=config.epochs, rate=config.rate, batch=config.batch)
        self.test = _test_rows(config)
        self.pictures = {row.image: read_picture(Path(row.image or ""), session.store.blobs).blob for row in self.test}
        self.reader: CaptionReader | None = None
        if self.test and config.reader:
            self.reader = CaptionReader(session.open("reader", open_chat, config.reader))

    async def train(self, id: str, training: TrainingSet) -> TrainedCaptioner | None:
        """A captioner, trained; None where the budget ends before its training does, which then can go on later."""
        budget, emit = self.session.budget, self.session.emit
        if budget.exhausted():
            return None
        stop = threading.Event()

        def say(text: str) -> None:
            emit(Progressed(text=text))
            if budget.exhausted():
                stop.set()

        self._tell_foreign(training.rows)
        emit(Progressed(text=f"training on {len(training.rows)} {_WORDS[id]}"))
        try:
            trained = await asyncio.to_thread(
                train_captioner, training.rows, start=self.config.start, out=training.folder,
                settings=self.session.settings, recipe=self.recipe, seed=self.config.seed,
                train_vision=self.config.train_vision, say=say, stop=stop,
            )  # fmt: skip
        except Interrupted:
            if budget.exhausted():
                return None
            raise
        finally:
            stop.set()  # cancelled: the thread ends after its step
        return TrainedCaptioner(id=id, trained=trained)

    def _tell_foreign(self, rows: Sequence[CaptionRow]) -> None:
        """Say, once, that the bundled captioner is trained on from what it cannot know; broken files are told by the training."""

        def pictures() -> Iterator[Image.Image]:
            for path in dict.fromkeys(row.image or "" for row in rows):
                with contextlib.suppress(OSError, ValueError), Image.open(path) as picture:
                    yield picture

        note = foreign_note({"--start": self.config.start}, pictures())
        if note and note not in self.session.notes:
            self.session.emit(Warned(text=note))

    async def measure(self, folders: Mapping[str, str]) -> Measured:
        """The answer recall of each captioner and the paired gains of the one trained for questions; no caption is unscored."""
        session, test = self.session, self.test
        scores, samples = {}, {}
        for name, spec in {"start": self.config.start, **folders}.items():
            captioner = open_captioner(spec, session.store, session.settings)
            try:
                # the generic captioner never saw a question: it is asked as it was trained
                asked = [(self.pictures[row.image], None if name == "generic" else row.question) for row in test]
                captions = await each_caption(captioner, asked)
            finally:
                await close(captioner)  # large ones do not fit beside each other
            scores[name] = await answer_recall(test, captions, self.reader)
            samples[name] = tuple(captions[:3])
        return Measured(
            reader=self.config.reader or "rule",
            rows=len(test),
            samples=samples,
            gain_over={name: paired_gain(scores[name], scores["question"]) for name in scores if name != "question"},
            recall={name: estimate(values) for name, values in scores.items()},
        )


async def _summary(trainings: CaptionTrainings, mapped: Mapped[TrainedCaptioner]) -> Mapping[str, Any]:
    """What the captioners are worth, also in `measured.json` of the first one's folder."""
    session, tasks = trainings.session, mapped.results
    stopped = session.budget.exhausted()
    measured = None
    if trainings.test and not mapped.left_out and not mapped.failures and not stopped:
        measured = await trainings.measure({name: task.trained.folder for name, task in tasks.items()})
    if "question" in tasks:
        content = {
            "trained": {name: task.trained.model_dump(mode="json") for name, task in tasks.items()},
            **({"test": measured.model_dump(mode="json")} if measured else {}),
        }
        folder = Path(tasks["question"].trained.folder)
        write_whole(folder / "measured.json", (json.dumps(content, indent=1) + "\n").encode())
    missing = mapped.left_out or (trainings.test and measured is None)
    return {"test": measured, "stopped": stopped if missing else None}


caption_training = Loop(
    name="caption_training",
    config=CaptionTrainingConfig,
    result=CaptionTrainingResult,
    inputs=_sets,
    open=CaptionTrainings,
    work=CaptionTrainings.train,
    summary=_summary,
    brings={"models": "as reader, a `Chat` of `runtime.protocols`"},
    checkpoints=False,
    brief="a captioner fine-tuned on rows with captions, and measured",
)
