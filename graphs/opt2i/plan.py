"""What a run would paint and ask at most, before anything is: counted from the config, nothing is opened and nothing is called."""

from __future__ import annotations

from ...agents.scene import MOST_PIECES, NotUnderstood, simple_scene_graph
from ...runtime.records import Record
from .config import Opt2iConfig
from .proof import LOOK

__all__ = ["Plan", "Step", "plan_of"]

_QUESTIONS = 8
"""A prompt whose questions a model writes has 7.7 of them on average in DSG-1k."""
_WRITING = 12  # the three tasks of a scene graph and the noun phrases, each with two repairs
_TRIES = 2  # replies that one proposal may take


class Step(Record):
    """A part of a run: pictures, questions about them, and calls of the language model, for all prompts together."""

    name: str
    pictures: int
    answers: int
    calls: int


class Plan(Record):
    """What a run would do at most. `least`: pictures where every prompt is perfect at once.

    `estimated`: prompts whose questions a model writes, of which 8 are reckoned.
    """

    prompts: int
    steps: tuple[Step, ...]
    least: int
    estimated: int

    @property
    def total(self) -> Step:
        """All steps together."""
        return Step(
            name="at most",
            pictures=sum(step.pictures for step in self.steps),
            answers=sum(step.answers for step in self.steps),
            calls=sum(step.calls for step in self.steps),
        )

    def __str__(self) -> str:
        rows = [*self.steps, self.total]
        width = max(len(step.name) for step in rows)
        lines = [f"  {self.prompts} prompt{'s' if self.prompts != 1 else ''}", ""]
        lines += [f"  {''.ljust(width)}  {'pictures':>10}  {'answers':>10}  {'LLM calls':>10}"]
        for step in rows:
            lines.append(f"  {step.name.ljust(width)}  {step.pictures:>10,}  {step.answers:>10,}  {step.calls:>10,}")
        lines += [
            "",
            f"  at least {self.least:,} pictures, where every prompt is perfect at once; what was paid before is not paid again",
        ]
        if self.estimated:
            lines.append(f"  a model writes the questions of {self.estimated} of them: {_QUESTIONS} each are reckoned")
        return "\n".join(lines)


def plan_of(config: Opt2iConfig) -> Plan:
    """What a run of `config` would do at most."""
    graphs = [_questions(prompt) for prompt in config.prompts]
    asked = [questions or _QUESTIONS for questions in graphs]
    by_model = sum(questions is None or bool(config.questioner not in ("", "simple-english")) for questions in graphs)
    count, rounds = len(config.prompts), config.iterations
    tried = rounds * config.candidates * config.images_per_prompt
    held = config.heldout_seeds

    def step(name: str, pictures: int, calls: int = 0) -> Step:
        return Step(name=name, pictures=pictures * count, answers=pictures * sum(asked), calls=calls * count)

    steps = [
        Step(name="questions", pictures=0, answers=0, calls=_WRITING * by_model),
        step("search", config.images_per_prompt + tried, rounds * _TRIES),
    ]
    if held:
        steps.append(step("unseen seeds", 2 * held))
    if config.prove:
        early = rounds * LOOK if config.until == "proven" else 0
        steps.append(step("proof", 2 * config.prove + early))
    if held and config.baselines:
        steps.append(step("blind paraphrases", tried + held, rounds * _TRIES))
        steps.append(step("more seeds", tried))
        if config.one_shot:
            steps.append(step("one-shot feedback", tried + held, rounds * _TRIES))
    if held and (config.ablate or config.shorten):
        steps.append(step("without each phrase", MOST_PIECES * held))
        if config.shorten:
            steps.append(step("shortened", (MOST_PIECES + 2) * held))
    return Plan(
        prompts=count, steps=tuple(steps), least=(config.images_per_prompt + held) * count, estimated=by_model
    )  # fmt: skip


def _questions(prompt: str) -> int | None:
    """How many questions the rules for simple English write; None where they do not understand the prompt."""
    try:
        return len(simple_scene_graph(prompt).nodes)
    except NotUnderstood:
        return None
