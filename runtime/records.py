"""The records that travel between floors: frozen, JSON only, plain Python numbers.

`None` means "not known" or "could not be scored" everywhere; it is never replaced by 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import BadInput

__all__ = [
    "Answer",
    "BlobRef",
    "Cost",
    "Detection",
    "EditRequest",
    "ImageRequest",
    "Message",
    "Part",
    "Prediction",
    "Record",
    "Reply",
    "Row",
    "Sample",
    "Score",
    "Segment",
    "Training",
    "flags_checked",
    "options_checked",
]


_GIVEN: dict[frozenset[str], set[str]] = {}


class Record(BaseModel):
    """Base of all records: frozen, unknown fields refused, NaN refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_post_init(self, context: Any, /) -> None:
        """Records that were given the same fields share the set of their names, which is more than half of a small record."""
        given = self.__pydantic_fields_set__
        object.__setattr__(self, "__pydantic_fields_set__", _GIVEN.setdefault(frozenset(given), given))


class BlobRef(Record):
    """Address of some bytes in the blob store."""

    sha256: str
    media_type: str
    bytes: int


class Cost(Record):
    """What was spent. `money` is in US dollars, None where the price is not known.

    `amounts` are further ones by name, in the units that `runtime.store.CallKind` gives them.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    images: int = 0
    answers: int = 0
    seconds: float = 0.0
    money: float | None = 0.0
    amounts: dict[str, float] = Field(default_factory=dict, exclude_if=lambda amounts: not amounts)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            images=self.images + other.images,
            answers=self.answers + other.answers,
            seconds=self.seconds + other.seconds,
            money=None if self.money is None or other.money is None else self.money + other.money,
            amounts={
                name: self.amounts.get(name, 0.0) + other.amounts.get(name, 0.0)
                for name in dict.fromkeys([*self.amounts, *other.amounts])
            },
        )


class Sample(Record):
    """What is scored: a text with an image, or a question with its answers."""

    id: str
    text: str
    image: BlobRef | None = None
    question: str | None = None
    answers: tuple[str, ...] = ()
    meta: dict[str, Any] = Field(default_factory=dict)


class Part(Record):
    """A piece of a score: one question, one noun phrase, one claim.

    `p_yes`: the probability that a VQA model gave the right answer to the question (see `Answer`): of yes, and of no where
    that is right. None where there is none.
    """

    name: str
    value: float | None
    detail: str = ""
    p_yes: float | None = None


class Score(Record):
    """A number with its reasons. `value` None: could not be scored, and `explanation` says why."""

    value: float | None
    explanation: str = ""
    parts: tuple[Part, ...] = ()
    cost: Cost = Cost()


class ImageRequest(Record):
    """One picture to paint: the seed belongs to the picture, not to its place in a batch."""

    prompt: str
    seed: int


class EditRequest(Record):
    """One picture to edit: with a `mask` only what is white in it is painted anew (inpainting), without one all (image-to-image).

    `strength`, above 0 and at most 1: the share of the denoising steps that is taken. The less, the more of the picture is kept;
    at 1 nothing of what is painted anew is.
    """

    prompt: str
    seed: int
    image: BlobRef
    strength: float
    mask: BlobRef | None = None

    def content(self) -> dict[str, Any]:
        """What the edit depends on, as JSON: picture and mask by the sha256 of their bytes."""
        mask = None if self.mask is None else self.mask.sha256
        return {**self.model_dump(), "image": self.image.sha256, "mask": mask}


class Answer(Record):
    """A VQA model's answer; `p_yes` is P(yes) / (P(yes) + P(no)) of the first token, None for open questions."""

    text: str
    p_yes: float | None = None


class Detection(Record):
    """An object in a picture: `box` is (x0, y0, x1, y1) in pixels from the top left, `score` the detector's from 0 to 1."""

    label: str
    score: float
    box: tuple[float, float, float, float]


class Segment(Record):
    """A mask in a picture: `mask` is a black and white PNG of the picture's size, white where the thing is.

    `iou`: how well the model believes that it fits, from 0 to 1 (its own estimate of intersection over union). `stability`: how little it changes
    when the model's cut changes, from 0 to 1.
    """

    mask: BlobRef
    iou: float
    stability: float


class Message(Record):
    """One chat message; `images` are put before the text, so that a prefix cache can hold them."""

    role: str
    content: str
    images: tuple[BlobRef, ...] = ()


class Reply(Record):
    """What a chat model answered: one text a choice, in the server's order.

    `logprobs`: per choice, the (token, log-probability) pairs; empty unless asked for.
    `top`: per choice, the likeliest (token, log-probability) pairs for its first token that is no blank; empty unless asked for.
    `cached`: the reply came from the call ledger, nothing was paid.
    """

    texts: tuple[str, ...]
    finish_reasons: tuple[str, ...] = ()
    logprobs: tuple[tuple[tuple[str, float], ...], ...] = ()
    top: tuple[tuple[tuple[str, float], ...], ...] = ()
    model: str = ""
    cost: Cost = Cost()
    cached: bool = False

    @property
    def text(self) -> str:
        """The first choice."""
        return self.texts[0]


class Row(Record):
    """One labelled text. `text` is the whole of what a student is shown, `label` the right answer as text.

    `meta` holds what only some tasks have: `choices` (the options of a multiple choice question) and `rationale` (a
    worked answer to learn from).
    """

    id: str
    text: str
    label: str
    meta: dict[str, Any] = Field(default_factory=dict)


class Prediction(Record):
    """What a student said. `scores`: per label a probability (they sum to 1), None where the student knows none.

    `text` is as the student wrote it; whether it is an answer at all is for the task to say.
    """

    text: str
    scores: dict[str, float] | None = None


class Training(Record):
    """How a student was trained. `losses`: the mean training loss of each epoch; empty where there are none.

    `seconds` is None for a student that was trained earlier and taken from the store. `checked` is a training example
    as the student saw it: the (prompt, target) pair decoded from its token ids.
    """

    rows: int
    seed: int
    steps: int = 0
    seconds: float | None = None
    losses: tuple[float, ...] = ()
    parameters: int = 0
    checked: tuple[str, str] | None = None


@contextmanager
def options_checked() -> Iterator[None]:
    """What a record refuses within is `BadInput` that names the option as it is written in Python."""
    try:
        yield
    except ValidationError as error:
        name, first = _refused(error)
        raise BadInput(f"{name} = {first['input']!r} cannot be used: {first['msg'].lower()}.") from None


@contextmanager
def flags_checked(names: Mapping[str, str] | None = None) -> Iterator[None]:
    """What a record refuses within is `BadInput` that names the flag; `names`: the flags of fields of another name."""
    try:
        yield
    except ValidationError as error:
        name, first = _refused(error)
        flag = (names or {}).get(name, name).replace("_", "-")
        raise BadInput(f"--{flag} {first['input']!r} cannot be used: {first['msg'].lower()}.") from None


def _refused(error: ValidationError) -> tuple[str, Any]:
    """The first field that was refused, and why; a check of fields together says itself what is wrong."""
    first = error.errors()[0]
    own = first.get("ctx", {}).get("error")
    if isinstance(own, BadInput):
        raise own from None
    return next((part for part in reversed(first["loc"]) if isinstance(part, str)), "it"), first
