"""Image classifiers by name: any `AutoModelForImageClassification` of transformers behind the call ledger, or a function of one's own.

Invariants: fp32; batches of one fixed size, padded, so an answer does not depend on its company; pictures are prepared as the model's own
`preprocessor_config.json` says; a model that lacks some of its weights is refused, since transformers would fill them in at random.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.protocols import ImageClassifier
from ...runtime.records import BlobRef, Cost, Prediction
from ...runtime.roles import Role
from ...runtime.session import chunks, settled
from ...runtime.store import Call
from ..models import FunctionModel, LocalModel, Weights, find_weights

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["FunctionClassifier", "PictureClassifier", "open_classifier"]

_BATCH = 8


class FunctionClassifier(FunctionModel):
    """An `ImageClassifier` of `classify(image: PIL.Image.Image) -> str`; see `tools.models.function` for when an answer is kept."""

    kind = "classification"

    async def classify(self, images: Sequence[BlobRef]) -> list[Prediction]:
        """One answer a picture, in order.

        Raises:
            CallFailed: the function raised, or gave no text; the others are kept.
            PrerequisiteError: a picture is not in the store.
        """
        return await settled([self._classify(image) for image in images])

    async def _classify(self, image: BlobRef) -> Prediction:
        def arguments() -> tuple[Any, ...]:
            return (self.store.blobs.get_image(image).convert("RGB"),)

        name = await self.once(arguments, {"image": image.sha256}, self._keep, cost=Cost(calls=1))
        return Prediction(text=str(name))

    def _keep(self, given: Any) -> str:
        if not isinstance(given, str) or not given.strip():
            raise CallFailed(f"{self.name} gave {given!r:.60} and no class.")
        return given.strip()


CLASSIFIER: Role[ImageClassifier] = Role(
    "image classifier", ImageClassifier, plain=FunctionClassifier, form="classify(image: PIL.Image.Image) -> str"
)


@CLASSIFIER.opener
def open_classifier(spec: str, store: Store, settings: Settings) -> ImageClassifier:
    """The classifier behind `spec`: a folder or a hub id of transformers whose class ends in ForImageClassification, or your own.

    Raises:
        BadInput: no such model, or one that is no image classifier.
        PrerequisiteError: the model cannot be fetched.
    """
    weights = find_weights(spec, "classifier", settings.cache_dir)
    kinds = [str(kind) for kind in weights.config().get("architectures") or ()]
    if not any(kind.endswith("ForImageClassification") for kind in kinds):
        raise BadInput(
            f"{spec!r} is of the class {kinds[0] if kinds else 'unknown'}, which names no classes: give a model for image classification."
        )
    return PictureClassifier(weights, store, settings)


class PictureClassifier(LocalModel[BlobRef, dict[str, float]]):
    """An `ImageClassifier`; see `open_classifier`. `scores` are the softmax over the model's own labels."""

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=8 * _BATCH, linger=0.02)
        self._model: Any = None
        self._processor: Any = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that it knows, as its config names them."""
        return tuple(str(each) for each in (self.weights.config().get("id2label") or {}).values())

    async def classify(self, images: Sequence[BlobRef]) -> list[Prediction]:
        """The most probable label of each picture with the probabilities of all, in order.

        Raises:
            CallFailed: the model gave NaN.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        return await settled([self._classify(image) for image in images])

    async def _classify(self, image: BlobRef) -> Prediction:
        call = Call(
            kind="classification",
            model=self.model,
            revision=self.revision,
            params={"batch": _BATCH},
            inputs={"image": image.sha256},
        )

        async def keep(scores: dict[str, float]) -> Any:
            return scores

        scores = await self._once(call, image, keep, cost=Cost(calls=1))
        return Prediction(text=max(scores, key=lambda name: scores[name]), scores=scores)

    def _load(self, device: str) -> None:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        self._processor = self.weights.load(AutoImageProcessor)
        model, about = self.weights.load_model(AutoModelForImageClassification, output_loading_info=True)
        if missing := sorted(about["missing_keys"]):
            raise PrerequisiteError(
                f"{self.weights.spec!r} lacks {len(missing)} of its weights, such as {missing[0]}, and they would be random",
                remedy="fetch or export the model again, whole.",
            )
        self._model = model.float().eval().to(device)

    def _serve(self, items: list[BlobRef]) -> list[dict[str, float] | InloopError]:
        import torch

        outcomes: dict[int, dict[str, float] | InloopError] = {}
        ready: list[tuple[int, Any]] = []
        for place, item in enumerate(items):
            try:
                picture = self._store.blobs.get_image(item).convert("RGB")
                ready.append((place, self._processor(picture, return_tensors="pt").pixel_values[0]))
            except InloopError as error:
                outcomes[place] = error
        names = self._model.config.id2label
        with torch.inference_mode():
            for chunk in chunks(ready, _BATCH):
                padded = [pixels for _, pixels in chunk] + [chunk[0][1]] * (_BATCH - len(chunk))
                logits = self._model(pixel_values=torch.stack(padded).to(self._device)).logits
                for (place, _), row in zip(chunk, logits.double().softmax(dim=-1).cpu(), strict=False):
                    finite = bool(torch.isfinite(row).all())
                    # two labels of one name (ImageNet has "crane" twice) are one class
                    scores: dict[str, float] = {}
                    for number, value in enumerate(row.tolist()):
                        scores[str(names[number])] = scores.get(str(names[number]), 0.0) + round(value, 6)
                    outcomes[place] = scores if finite else CallFailed(f"{self.model} gave NaN for {items[place]!r}")
        return [outcomes[place] for place in range(len(items))]
