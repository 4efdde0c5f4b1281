"""Embeddings: CLIP behind the call ledger, texts and pictures as unit vectors in one space.

Invariants: fp32; batches of one fixed size, padded, and texts padded to the next power of two of their own length, so a
vector does not depend on its company; a text that is longer than the text encoder is refused, never cut in silence. The
ledger keeps the float32 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.protocols import Embedder
from ...runtime.records import BlobRef, Cost
from ...runtime.roles import Role
from ...runtime.session import chunks, settled
from ...runtime.store import Call
from ..models import LocalModel, Weights, find_weights
from .entries import packed, refuse_empty, unpacked
from .served import ServedClip, is_served

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["ClipEmbedder", "open_clip", "pooled"]

_TEXTS, _IMAGES = 8, 8
_SHORTEST = 16  # tokens that even a short text is padded to


ENCODER: Role[Embedder] = Role("CLIP model", Embedder, own=("mini",))


@ENCODER.opener
def open_clip(spec: str, store: Store, settings: Settings) -> Embedder:
    """The CLIP model behind `spec`: "mini", a folder of `CLIPModel`, a hub id, `http(s)://HOST:PORT/v1[,http(s)://...][#MODEL]`, or your own.

    `SPEC?adapter=FOLDER` is the model with the gated blocks that `tools.adaptation.react` trained for it: another model, with a revision
    of its own.

    Raises:
        BadInput: no such model, a model of another kind, or an adapter of another model.
        PrerequisiteError: the model cannot be fetched, or a bundled file is missing or altered.
    """
    if is_served(spec):
        return ServedClip(spec, store, settings)
    weights = find_weights(spec, "clip", settings.cache_dir)
    unknown = sorted(set(weights.options) - {"adapter"})
    if unknown:
        raise BadInput(f"{spec!r}: a CLIP model takes the option adapter=FOLDER alone: leave out {', '.join(unknown)}.")
    if "adapter" in weights.options:
        weights = _adapted(weights, Path(weights.options["adapter"]).expanduser())
    return ClipEmbedder(weights, store, settings)


def _adapted(weights: Weights, folder: Path) -> Weights:
    """The model under the name and revision that it has with its adapter."""
    from .clip_adapter import read_card, revision_of

    card = read_card(folder)
    if card.base_revision != weights.revision:
        raise BadInput(
            f"the adapter {str(folder)!r} was trained for {card.base} ({card.base_revision[:12]}), and {weights.model}"
            f" ({weights.revision[:12]}) was given: give the first one."
        )
    revision = revision_of(folder, weights.revision)
    return replace(weights, model=f"{weights.model}+{folder.resolve().name}", revision=revision)


class ClipEmbedder(LocalModel[str | BlobRef, list[float]]):
    """An `Embedder`; see `open_clip`."""

    _text_params: ClassVar[dict[str, Any]] = {"batch": _TEXTS, "length": "2^n"}

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=8 * _TEXTS, linger=0.02)
        self._model: Any = None
        self._processor: Any = None

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]:
        """One unit vector a text, in order; the same in every `role`, so that it may be an index's `TextEmbedder` too.

        Raises:
            BadInput: an empty text, or one that is longer than the text encoder.
            PrerequisiteError: the model cannot be loaded.
        """
        refuse_empty(texts)
        return await settled([self._embed(text, {"text": text}, self._text_params) for text in texts])

    async def images(self, images: Sequence[BlobRef]) -> list[list[float]]:
        """One unit vector a picture, in order.

        Raises:
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        return await settled([self._embed(image, {"image": image.sha256}, {"batch": _IMAGES}) for image in images])

    async def _embed(self, item: str | BlobRef, inputs: dict[str, str], params: dict[str, Any]) -> list[float]:
        call = Call(kind="embedding", model=self.model, revision=self.revision, params=params, inputs=inputs)

        async def keep(vector: list[float]) -> Any:
            return packed(vector)

        return unpacked(await self._once(call, item, keep, cost=Cost(calls=1)))

    def _load(self, device: str) -> None:
        from transformers import CLIPModel, CLIPProcessor

        self._processor = self.weights.load(CLIPProcessor)
        self._model = self.weights.load_model(CLIPModel).float().eval()
        if "adapter" in self.weights.options:
            from .gated_blocks import load_blocks

            load_blocks(Path(self.weights.options["adapter"]).expanduser(), self._model)
        self._model = self._model.to(device)

    def _serve(self, items: list[str | BlobRef]) -> list[list[float] | InloopError]:
        import torch

        outcomes: dict[int, list[float] | InloopError] = {}
        texts: dict[int, list[tuple[int, Any]]] = {}
        pictures: list[tuple[int, Any]] = []
        for place, item in enumerate(items):
            try:
                if isinstance(item, str):
                    tokens = self._tokens(item)
                    texts.setdefault(tokens.shape[1], []).append((place, tokens))
                else:
                    picture = self._store.blobs.get_image(item).convert("RGB")
                    pixels = self._processor.image_processor(picture, return_tensors="pt").pixel_values[0]
                    pictures.append((place, pixels))
            except InloopError as error:
                outcomes[place] = error
        with torch.inference_mode():
            work = [(rows, _TEXTS, self._text) for rows in texts.values()]
            for rows, size, embed in [*work, (pictures, _IMAGES, self._picture)]:
                for chunk in chunks(rows, size):
                    padded = [values for _, values in chunk] + [chunk[0][1]] * (size - len(chunk))
                    vectors = pooled(embed(torch.stack(padded).to(self._device))).double()
                    unit = (vectors / vectors.norm(dim=-1, keepdim=True)).float().cpu()
                    for (place, _), vector in zip(chunk, unit, strict=False):
                        finite = bool(torch.isfinite(vector).all())
                        outcomes[place] = (
                            vector.tolist() if finite else CallFailed(f"{self.model} gave NaN for {items[place]!r}")
                        )
        return [outcomes[place] for place in range(len(items))]

    def _tokens(self, text: str) -> Any:
        """Token ids and mask of a text (2, n): n is its length's next power of two, the text encoder's own at most."""
        import torch

        length = int(self._model.config.text_config.max_position_embeddings)
        ids = self._ids(text, length)
        more = min(max(_SHORTEST, 1 << (len(ids) - 1).bit_length()), length) - len(ids)
        return torch.tensor([ids + [self._processor.tokenizer.pad_token_id] * more, [1] * len(ids) + [0] * more])

    def _ids(self, text: str, length: int) -> list[int]:
        ids: list[int] = self._processor.tokenizer(text, verbose=False).input_ids
        if len(ids) > length:
            raise BadInput(
                f"the text {text[:80]!r}... has {len(ids)} tokens and {self.model} takes {length}: split it into phrases."
            )
        return ids

    def _text(self, rows: Any) -> Any:
        return self._model.get_text_features(input_ids=rows[:, 0], attention_mask=rows[:, 1])

    def _picture(self, rows: Any) -> Any:
        return self._model.get_image_features(pixel_values=rows)


def pooled(features: Any) -> Any:
    """The vectors (batch, size) of `get_text_features` or `get_image_features`: transformers 5 returns an object that holds them, transformers 4 the tensor."""
    return getattr(features, "pooler_output", features)
