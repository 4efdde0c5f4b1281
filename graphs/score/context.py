"""What the chunks of a scoring share: the metrics with their models; and what all of them come to, from whichever process."""

from __future__ import annotations

import csv
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

from ...evaluators.run import ROLES, Metric, MetricModels, Options, Scored, Tally, find_metrics, own_metric
from ...evaluators.stats import by_group
from ...runtime.errors import BadInput
from ...runtime.folder import RunFolder
from ...runtime.protocols import Evaluator
from ...runtime.records import BlobRef
from ...runtime.session import Session, Warned
from ...runtime.transport import split_addresses
from ...tools.rewards import REWARDS
from ...tools.vision import foreign_note
from .config import ScoreConfig
from .result import Heard, ScoredChunk, ScoreResult, ScoreTask

__all__ = ["ScoreContext", "metrics_of", "open_context", "rewards_of"]


class ScoreContext:
    """The metrics of one run with their models, and, once all chunks are `gathered`, what was scored.

    `before`: of an earlier run, the values by prompt of each metric. `pictures`: what was scored, where the set is compared with
    `reference`.
    """

    def __init__(
        self,
        config: ScoreConfig,
        session: Session,
        *,
        models: MetricModels,
        metrics: Sequence[Metric],
        before: Mapping[str, Mapping[str, float | None]],
    ) -> None:
        self.config, self.session, self.models, self.metrics, self.before = config, session, models, metrics, before
        self.evaluators: dict[str, Evaluator] = {metric.name: metric.open(models) for metric in metrics}
        self.tally = Tally(tuple(self.evaluators), worst=config.worst)
        self.pictures: list[BlobRef] = []
        self.reference: list[BlobRef] = []

    def kept(self, scored: Sequence[Scored]) -> BlobRef:
        """A chunk in the store, for whichever process gathers them."""
        shown, heard = {item.image.sha256 for item in scored if item.image is not None}, []
        if self.models.panel is not None:
            for (picture, question), verdicts in self.models.panel.ensemble.said.items():
                if picture in shown:
                    heard.append(Heard(picture=picture, question=question, verdicts=verdicts))
        chunk = ScoredChunk(items=tuple(scored), heard=tuple(heard))
        return self.session.store.blobs.put(chunk.model_dump_json().encode(), "application/json")

    def gather(self, tasks: Iterable[ScoreTask]) -> None:
        """All chunks in order: their items into `items.jsonl`, their values into the tally."""
        with (self.session.folder.path / "items.jsonl").open("w", encoding="utf-8") as lines:
            for task in tasks:
                if task.scored is None:
                    continue
                chunk = ScoredChunk.model_validate_json(self.session.store.blobs.get(task.scored))
                for item in chunk.items:
                    lines.write(item.model_dump_json() + "\n")
                    self.tally.add(item)
                    if self.config.reference and item.image is not None:
                        self.pictures.append(item.image)
                if self.models.panel is not None:
                    for heard in chunk.heard:
                        self.models.panel.ensemble.hear(heard.picture, heard.question, heard.verdicts)

    def write_table(self) -> None:
        """Write `scores.csv`: the bare figures of every item."""
        folder = self.session.folder.path
        with (
            (folder / "items.jsonl").open(encoding="utf-8") as lines,
            (folder / "scores.csv").open("w", encoding="utf-8", newline="") as out,
        ):
            table = csv.writer(out)
            table.writerow(["id", "text", *self.evaluators])
            for row in map(json.loads, lines):
                table.writerow([row["id"], row["text"], *(row["scores"][name]["value"] for name in self.evaluators)])

    def tell_foreign(self) -> None:
        """Say, once, that bundled models scored pictures that they cannot know (`tools.vision.foreign_note`)."""
        models: dict[str, list[object]] = defaultdict(list)
        for name, model in self.session.opened.items():
            models[f"--{name.partition(' ')[0]}"].append(model)
        if note := foreign_note(models, self._shown()):
            self.session.emit(Warned(text=note))

    def _shown(self) -> Iterator[Image.Image]:
        blobs = self.session.store.blobs
        with (self.session.folder.path / "items.jsonl").open(encoding="utf-8") as lines:
            scored = (image["sha256"] for line in lines if (image := json.loads(line)["image"]) is not None)
            for sha256 in (*scored, *(picture.sha256 for picture in self.reference)):
                with Image.open(io.BytesIO(blobs.get(sha256))) as picture:
                    yield picture


def open_context(config: ScoreConfig, session: Session) -> ScoreContext:
    """Open the metrics that the config names.

    Raises:
        BadInput: a model, a file or an earlier run that there is not, or a run that has none of these metrics.
        PrerequisiteError: a model, a package or a server that cannot be had.
    """
    own = session.parts.get("evaluators", {})
    metrics = [*metrics_of(config), *(own_metric(name, evaluator) for name, evaluator in own.items())]
    if not metrics:
        raise BadInput("no metric was named: give metric='dsg', or evaluators={'mine': ...}.")
    before = _values_of(RunFolder.open(session.settings.runs_dir, config.against)) if config.against else {}
    if before and not any(metric.name in before for metric in metrics):
        raise BadInput(f"the run {config.against!r} has none of these metrics: it has {', '.join(before)}.")
    models = MetricModels(
        _options(config, session), session.store, session.settings, opened=session.opened,
        given=session.brought("models", ROLES),
    )  # fmt: skip
    session.close_later(models)
    return ScoreContext(config, session, models=models, metrics=metrics, before=before)


def metrics_of(config: ScoreConfig) -> list[Metric]:
    """The metrics that the config names; `BadInput` lists the known ones."""
    return find_metrics(config.metric.split(",")) if config.metric else []


def rewards_of(config: ScoreConfig) -> dict[str, str]:
    """The checkpoints of rewards that the config names, by their metric; `BadInput` for what is not NAME=ID."""
    pairs = [text.partition("=") for text in config.reward]
    for name, sign, spec in pairs:
        if name not in REWARDS or not sign or not spec:
            raise BadInput(
                f"--reward {name + sign + spec!r} is not NAME=ID, where NAME is one of {', '.join(REWARDS)}."
            )
    return {name: spec for name, _, spec in pairs}


def _options(config: ScoreConfig, session: Session) -> Options:
    if any("," in part for part in split_addresses(config.vqa)) and not Path(config.vqa.partition("?")[0]).exists():
        joined = " + ".join(part.strip() for part in config.vqa.split(","))
        raise BadInput(f"--vqa {config.vqa!r}: several judges are joined by ' + ': --vqa '{joined}'.")
    return Options(
        vqa=config.vqa,
        clip=config.clip,
        detector=config.detector,
        llm=config.llm,
        questioner=config.questioner,
        dsg_rule=config.rule,
        lazy=config.lazy,
        long=config.long,
        template=config.template or "",
        questions=Path(config.questions) if config.questions else None,
        geneval=Path(config.geneval) if config.geneval else None,
        rewards=rewards_of(config),
        warn=session.notes.append,
    )


def _values_of(folder: RunFolder) -> dict[str, dict[str, float | None]]:
    """By metric, the mean of each prompt's pictures in a finished run."""
    metrics = [result.metric for result in folder.result_as(ScoreResult).metrics]
    with (folder.path / "items.jsonl").open(encoding="utf-8") as lines:
        items = [Scored.model_validate_json(line) for line in lines]
    texts = [item.text for item in items]
    return {name: by_group([item.scores[name].value for item in items], texts) for name in metrics}
