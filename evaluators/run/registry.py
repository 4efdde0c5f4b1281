"""The metrics that `inloop score` knows by name, and how each is opened.

A metric says what it measures and what its figures may not be compared with; a model is opened when the first metric asks
for it, and shared by all of them. A package adds metrics by entry points of the group `inloop.evaluators`, and a flag takes
an evaluator of one's own as `module:object`: see `own_metric` for what can be one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.protocols import Evaluator
from ...runtime.registry import Registry, is_object
from ...runtime.roles import Role
from ...tools.models import is_bundled, options_of
from ..text_image import (
    DCS,
    DSG,
    TEMPLATE,
    TIFA,
    ChoiceQuestion,
    ClipScore,
    FunctionEvaluator,
    GenEval,
    PerPrompt,
    Preference,
    Thresholds,
    VQAScore,
    questions_from_graph,
    read_requirements,
    read_tifa_questions,
)
from .models import MetricModels, Options

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["METRICS", "Metric", "find_metrics", "open_evaluator", "own_metric"]


EVALUATOR: Role[Evaluator] = Role(
    "evaluator",
    Evaluator,
    plain=FunctionEvaluator,
    form="score(image: PIL.Image.Image, text: str) -> float",
)
_MINI_TEMPLATE = "Is there {}?"


@dataclass(frozen=True)
class Metric:
    """`about` says what it is not comparable to; `models` are the roles that it uses."""

    name: str
    title: str
    about: str
    open: Callable[[MetricModels], Evaluator]
    models: tuple[str, ...]


def find_metrics(names: Sequence[str]) -> list[Metric]:
    """The metrics of these names, each once; `BadInput` lists the known ones."""
    stripped = [name.strip() for name in names if name.strip()]
    wanted = list(dict.fromkeys(name if is_object(name) else name.lower() for name in stripped))
    if not wanted:
        raise BadInput(f"no metric was named; the metrics are {', '.join(METRICS)}.")
    return [METRICS.find(name) for name in wanted]


def open_evaluator(given: object, store: Store, settings: Settings) -> Evaluator:
    """An evaluator of one's own: what `own_metric` takes, `module:object`, or the name of one that a package gives.

    Raises:
        BadInput: there is none of that name, or it is no evaluator.
        PrerequisiteError: the package that gives it is broken.
    """
    if isinstance(given, str):
        return METRICS.find(given).open(MetricModels(Options(), store, settings, opened={}))
    return EVALUATOR.bring(given, store=store, settings=settings)


def own_metric(name: str, given: Any) -> Metric:
    """The metric that a package or `module:object` gives under a name.

    It may be a `Metric`; an `Evaluator`; a class or a function that makes one, of the `store` and the `settings` where it
    asks for them; or a function `score(image: PIL.Image.Image, text: str) -> float`, higher is better.

    Raises:
        BadInput: it is none of these; the message says what it lacks.
    """
    if isinstance(given, Metric):
        return given
    about = (inspect.getdoc(given) or "").partition("\n")[0] or "an evaluator of your own"

    def open_own(models: MetricModels) -> Evaluator:
        evaluator: Evaluator = models.once(
            name, lambda: EVALUATOR.bring(given, store=models.store, settings=models.settings), given=given
        )
        return evaluator

    return Metric(name, name.rpartition(":")[2], about.rstrip("."), open_own, (name,))


def _dsg(models: MetricModels) -> Evaluator:
    writer, options = models.writer(), models.options
    vqa = models.vqa()

    async def make(text: str) -> Evaluator:
        graph = await writer.scene_graph(text)
        if models.panel is not None:
            return models.panel.dsg(graph, rule=options.dsg_rule, lazy=options.lazy)
        return DSG(vqa, graph, rule=options.dsg_rule, lazy=options.lazy)

    return PerPrompt("dsg", make)


def _tifa(models: MetricModels) -> Evaluator:
    given = None if models.options.questions is None else read_tifa_questions(models.options.questions)
    writer, vqa = models.writer(), models.vqa()

    async def make(text: str) -> Evaluator:
        questions: list[ChoiceQuestion] = []
        if given is None:
            questions = questions_from_graph(await writer.scene_graph(text))
        elif text in given:
            questions = given[text]
        else:
            raise BadInput(f"there are no questions for {text!r} in {str(models.options.questions)!r}.")
        return TIFA(vqa, questions)

    return PerPrompt("tifa", make)


def _dcs(models: MetricModels) -> Evaluator:
    writer, clip = models.writer(), models.clip()

    async def make(text: str) -> Evaluator:
        return DCS(clip, await writer.phrases(text))

    return PerPrompt("dcs", make)


def _vqascore(models: MetricModels) -> Evaluator:
    vqa, template = models.vqa(), models.options.template
    if not template and any(is_bundled(member) for member in getattr(vqa, "members", (vqa,))):
        template = _MINI_TEMPLATE
        models.options.warn(f"mini-vqa was not taught the question of VQAScore: it was asked {template!r} instead.")
    return VQAScore(vqa, template=template or TEMPLATE)


def _clipscore(models: MetricModels) -> Evaluator:
    return ClipScore(models.clip(), long=models.options.long)


def _cosine(models: MetricModels) -> Evaluator:
    return ClipScore(models.clip(), raw_cosine=True, long=models.options.long)


def _geneval(models: MetricModels) -> Evaluator:
    options = models.options
    table = None if options.geneval is None else read_requirements(options.geneval)
    detector, clip = models.detector(), models.clip()
    thresholds = Thresholds.of(options_of(options.detector, options.detector.partition("?")[2]), options.detector)

    def told() -> None:
        if is_bundled(clip):
            options.warn("mini-clip knows its drawn world only: give --clip for GenEval's colours of other pictures.")

    return GenEval(detector, clip, models.store.blobs, thresholds=thresholds, table=table, on_color=told)


def _pickscore(models: MetricModels) -> Evaluator:
    return Preference(models.reward("pickscore"), name="pickscore")


def _hpsv2(models: MetricModels) -> Evaluator:
    return Preference(models.reward("hpsv2"), name="hpsv2")


def _imagereward(models: MetricModels) -> Evaluator:
    return Preference(models.reward("imagereward"), name="imagereward")


def _itm(models: MetricModels) -> Evaluator:
    return Preference(models.reward("itm"), name="itm")


_OWN = {
    metric.name: metric
    for metric in (
        Metric(
            "dsg",
            "DSG",
            "share of the prompt's scene-graph questions answered rightly, 0 to 1. Compare only under one rule, one VQA"
            " model and one writer of questions",
            _dsg,
            ("vqa", "llm"),
        ),
        Metric(
            "tifa",
            "TIFA",
            "share of multiple choice questions answered rightly, 0 to 1. Not the published TIFA unless questions and VQA"
            " model are its own",
            _tifa,
            ("vqa", "llm"),
        ),
        Metric(
            "vqascore",
            "VQAScore",
            "p(yes) / (p(yes) + p(no)) to 'Does this figure show ...?', 0 to 1. Not the published P(Yes) of CLIP-FlanT5",
            _vqascore,
            ("vqa",),
        ),
        Metric(
            "clipscore",
            "CLIPScore",
            "2.5 x max(cosine, 0) with 'A photo depicts ', 0 to 2.5. Not torchmetrics' 100 x cosine without a prefix",
            _clipscore,
            ("clip",),
        ),
        Metric("cosine", "cosine", "plain cosine of picture and prompt, -1 to 1. Not CLIPScore", _cosine, ("clip",)),
        Metric(
            "dcs",
            "dCS",
            "mean plain cosine of the picture and the prompt's noun phrases, -1 to 1, as in OPT2I. Not CLIPScore",
            _dcs,
            ("clip", "llm"),
        ),
        Metric(
            "geneval",
            "GenEval",
            "1 where a detector finds every object, count, colour and place, else 0. Not the published GenEval unless the"
            " detector is Mask2Former; its overall score is the mean over tags",
            _geneval,
            ("detector", "clip"),
        ),
        Metric(
            "pickscore",
            "PickScore",
            "100 x cosine of a CLIP-H model tuned on people's choices, near 20. Compare pictures of the same prompts only",
            _pickscore,
            ("pickscore",),
        ),
        Metric(
            "hpsv2",
            "HPSv2.1",
            "plain cosine of a CLIP-H model tuned on people's choices, near 0.3. Not HPSv2.0; compare the same prompts only",
            _hpsv2,
            ("hpsv2",),
        ),
        Metric(
            "imagereward",
            "ImageReward",
            "learnt reward in standard deviations, around 0. Compare pictures of the same prompts only",
            _imagereward,
            ("imagereward",),
        ),
        Metric(
            "itm",
            "ITM",
            "probability that the text is the picture's, by the image-text matching of a BLIP, 0 to 1. Compare figures of one checkpoint only",
            _itm,
            ("itm",),
        ),
    )
}
METRICS: Registry[Metric] = Registry("metric", "inloop.evaluators", _OWN, accept=own_metric)
