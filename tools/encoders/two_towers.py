"""Encoders of pictures and texts beside CLIP, by transformers and behind the call ledger: SigLIP and BLIP.

SigLIP (Zhai et al. 2023, arXiv 2303.15343): its own pooled outputs; a text is padded to the full length without a mask, as it was in training, and
a vector would be another one otherwise. BLIP (Li et al. 2022, arXiv 2201.12086): the projections of its contrastive loss, of the first token of
either encoder. Everything else is as of `clip.ClipEmbedder`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, PrerequisiteError
from ..models import Weights
from .clip import ClipEmbedder

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["TwoTowers", "open_two_towers"]


class TwoTowers(ClipEmbedder):
    """An `Embedder`; see `open_encoder`."""

    _architecture: str

    def _load(self, device: str) -> None:
        import transformers

        self._processor = SimpleNamespace(
            tokenizer=self.weights.load(transformers.AutoTokenizer),
            image_processor=self.weights.load(transformers.AutoImageProcessor),
        )
        kind = getattr(transformers, self._architecture)
        model, about = self.weights.load_model(kind, output_loading_info=True)
        # positions are counted, not learned; some versions save them and some do not
        if missing := sorted(name for name in about["missing_keys"] if not name.endswith("position_ids")):
            raise PrerequisiteError(
                f"{self.weights.spec!r} lacks {len(missing)} of its weights, such as {missing[0]}, and they would be random",
                remedy="fetch or export the model again, whole.",
            )
        self._model = model.float().eval().to(device)


class _Siglip(TwoTowers):
    _architecture = "SiglipModel"
    _text_params = ClipEmbedder._text_params | {"length": "full"}

    def _tokens(self, text: str) -> Any:
        """Token ids of a text (1, length)."""
        import torch

        length = int(self._model.config.text_config.max_position_embeddings)
        ids = self._ids(text, length)
        return torch.tensor([ids + [self._processor.tokenizer.pad_token_id] * (length - len(ids))])

    def _text(self, rows: Any) -> Any:
        return self._model.get_text_features(input_ids=rows[:, 0])


class _Blip(TwoTowers):
    _architecture = "BlipForImageTextRetrieval"

    def _text(self, rows: Any) -> Any:
        out = self._model.text_encoder(input_ids=rows[:, 0], attention_mask=rows[:, 1])
        return self._model.text_proj(out.last_hidden_state[:, 0])

    def _picture(self, rows: Any) -> Any:
        return self._model.vision_proj(self._model.vision_model(pixel_values=rows).last_hidden_state[:, 0])


def open_two_towers(kind: str, weights: Weights, store: Store, settings: Settings) -> TwoTowers:
    """The encoder of the model type `kind`, "siglip" or "blip".

    Raises:
        BadInput: a BLIP that captions or answers, and has no vectors.
    """
    architectures = weights.config().get("architectures") or ["a model that does not say which"]
    if kind == "blip" and _Blip._architecture not in architectures:
        raise BadInput(
            f"{weights.spec!r} is {architectures[0]}, which has no vectors of pictures and texts: give a {_Blip._architecture}, such as"
            " Salesforce/blip-itm-base-coco."
        )
    return {"siglip": _Siglip, "blip": _Blip}[kind](weights, store, settings)
