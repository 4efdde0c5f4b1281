"""How well a text and a picture go together, as models learnt it: PickScore, HPSv2, ImageReward, and the matching of BLIP, behind the call ledger.

Their released packages do not run on current versions of transformers; here the public checkpoints are loaded by
transformers alone, once, and asked in batches.

    pickscore    exp(logit scale) x cosine of a CLIP-H model (Kirstain et al. 2023, arXiv 2305.01569)
    hpsv2        plain cosine of a CLIP-H model, the whole picture on a black square (Wu et al. 2023, arXiv 2306.09341)
    imagereward  BLIP and a linear head, in standard deviations from the mean (Xu et al. 2023, arXiv 2304.05977)
    itm          the probability that the text is the picture's, by BLIP's image-text matching (Li et al. 2022, arXiv 2201.12086)

Invariants: fp32; batches of fixed shapes with texts of one length in tokens, never padded, so a reward does not depend on its
company; a text that is longer than the model reads is refused. The released code cuts it in silence: `?long=cut` does so too.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.protocols import Rewarder
from ...runtime.records import BlobRef, Cost
from ...runtime.roles import Role
from ...runtime.session import chunks, settled
from ...runtime.store import Call
from ..models import LocalModel, Weights, find_weights
from .checkpoints import blip_reward, clip_of_open_clip, read_checkpoint

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["REWARDS", "RewardModel", "open_matcher", "open_reward"]

Asked = tuple[BlobRef, str]

REWARDS = {
    "pickscore": "yuvalkirstain/PickScore_v1",
    "hpsv2": "xswu/HPSv2",
    "imagereward": "THUDM/ImageReward",
    "itm": "Salesforce/blip-itm-base-coco",
}
"""The public checkpoint of each reward."""

_IMAGES, _PAIRS = 4, 8
_REMEMBERED = 256  # pictures whose features are kept
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_CLIP_H, _BERT = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "google-bert/bert-base-uncased"


def open_reward(name: str, spec: str, store: Store, settings: Settings) -> RewardModel:
    """The reward model `name`; `spec` is a folder or hub id with its checkpoint, "" the public one.

    Raises:
        BadInput: no such reward or model.
        PrerequisiteError: the model cannot be fetched.
    """
    if name not in REWARDS:
        raise BadInput(f"there is no reward {name!r}; there are {', '.join(REWARDS)}.")
    path, _, query = spec.partition("?")
    weights = find_weights(f"{path or REWARDS[name]}{'?' if query else ''}{query}", name, settings.cache_dir)
    if set(weights.options) - {"long"} or weights.options.get("long", "cut") != "cut":
        raise BadInput(f"{spec!r}: a reward model takes the option long=cut only.")
    kinds: dict[str, type[RewardModel]] = {
        "pickscore": PickScore,
        "hpsv2": HPSv2,
        "imagereward": ImageReward,
        "itm": BlipITM,
    }
    return kinds[name](weights, store, settings)


MATCHER: Role[Rewarder] = Role("image-text matching model", Rewarder)


@MATCHER.opener
def open_matcher(spec: str, store: Store, settings: Settings) -> Rewarder:
    """The reward model `itm` of `spec`, or one's own `Rewarder` as module:object. Raises as `open_reward`."""
    return open_reward("itm", spec, store, settings)


class RewardModel(LocalModel[Asked, float]):
    """A `Rewarder`; see `open_reward`."""

    name = ""

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=8 * _PAIRS, linger=0.02)
        self._cut = "long" in weights.options
        self._tokenizer: Any = None
        self._longest, self._side = 77, 224
        self._memory: OrderedDict[str, Any] = OrderedDict()

    async def rewards(self, asked: Sequence[Asked]) -> list[float]:
        """The reward of each (picture, text), in order: higher is better, on the model's own scale.

        Raises:
            BadInput: an empty text, or one that is longer than the model reads.
            CallFailed: a pair could not be judged; the others are kept.
            PrerequisiteError: the model cannot be loaded, or a picture is not in the store.
        """
        for _, text in asked:
            if not text.strip():
                raise BadInput(f"the text {text!r} is empty: say what the picture should show.")
        return await settled([self._reward(image, " ".join(text.split())) for image, text in asked])

    async def _reward(self, image: BlobRef, text: str) -> float:
        params = {"as": self.name, "images": _IMAGES, "pairs": _PAIRS} | ({"long": "cut"} if self._cut else {})
        inputs = {"image": image.sha256, "text": text}
        call = Call(kind="preference", model=self.model, revision=self.revision, params=params, inputs=inputs)

        async def keep(reward: float) -> Any:
            return reward

        return float(await self._once(call, (image, text), keep, cost=Cost(calls=1)))

    def _fitted(self, picture: Image) -> Image:
        """The picture as a square of `_side` pixels."""
        raise NotImplementedError

    def _encode(self, pixels: Any) -> Any:
        """Features (pictures, ...) of pixels (pictures, 3, side, side)."""
        raise NotImplementedError

    def _judge(self, features: Any, ids: Any) -> Any:
        """Rewards (pairs,) of features (pairs, ...) and token ids (pairs, length)."""
        raise NotImplementedError

    def _serve(self, items: list[Asked]) -> list[float | InloopError]:
        import torch

        outcomes: dict[int, float | InloopError] = {}
        lengths: dict[int, list[tuple[int, list[int]]]] = {}
        with torch.inference_mode():
            seen = self._see([image for image, _ in items])
            for place, (image, text) in enumerate(items):
                ids = self._tokenizer(text, verbose=False).input_ids
                found = seen[image.sha256]
                if isinstance(found, InloopError):
                    outcomes[place] = found
                elif len(ids) > self._longest and not self._cut:
                    outcomes[place] = BadInput(
                        f"the text {text[:80]!r}... has {len(ids)} tokens and {self.model} reads {self._longest}; the released"
                        " code cuts it in silence, the option ?long=cut behind the model's id does so too."
                    )
                else:
                    if len(ids) > self._longest:
                        ids = [*ids[: self._longest - 1], ids[-1]]
                    lengths.setdefault(len(ids), []).append((place, ids))
            for _, rows in sorted(lengths.items()):
                for chunk in chunks(rows, _PAIRS):
                    padded = chunk + [chunk[0]] * (_PAIRS - len(chunk))
                    features = torch.stack([seen[items[place][0].sha256] for place, _ in padded])
                    made = self._judge(features, torch.tensor([ids for _, ids in padded], device=self._device))
                    for (place, _), reward in zip(chunk, made.double().tolist(), strict=False):
                        finite = math.isfinite(reward)
                        # rounded: the last bits may differ between rows of a batch
                        outcomes[place] = round(reward, 5) if finite else CallFailed(f"{self.model} gave NaN")
        return [outcomes[place] for place in range(len(items))]

    def _see(self, images: Sequence[BlobRef]) -> dict[str, Any]:
        """The features of each picture, or why it has none."""
        import torch

        found: dict[str, Any] = {}
        fresh: list[tuple[str, Any]] = []
        for image in images:
            sha = image.sha256
            if sha in found:
                continue
            found[sha] = self._memory.get(sha)
            if found[sha] is None:
                try:
                    fresh.append((sha, _pixels(self._fitted(self._store.blobs.get_image(image).convert("RGB")))))
                except InloopError as error:
                    found[sha] = error
        for chunk in chunks(fresh, _IMAGES):
            pixels = [values for _, values in chunk] + [torch.zeros_like(chunk[0][1])] * (_IMAGES - len(chunk))
            features = self._encode(torch.stack(pixels).to(self._device))
            for (sha, _), feature in zip(chunk, features, strict=False):
                found[sha] = self._memory[sha] = feature.clone()
        while len(self._memory) > _REMEMBERED:
            self._memory.popitem(last=False)
        return found

    def _words(self, kind: Any, file: str, elsewhere: str) -> Any:
        """The tokenizer: the checkpoint's own where it has one (`file`), else the one it was trained with."""
        here = self.weights.commit is None and (
            (self.weights.root / file).is_file() or (self.weights.root / "tokenizer.json").is_file()
        )
        try:
            return kind.from_pretrained(str(self.weights.root)) if here else kind.from_pretrained(elsewhere)
        except OSError as error:
            raise PrerequisiteError(
                f"the tokenizer {elsewhere!r} of {self.model!r} cannot be had ({type(error).__name__})",
                remedy=f"connect to the network once, or put its files ({file}, ...) into the model's folder.",
            ) from error


class PickScore(RewardModel):
    """yuvalkirstain/PickScore_v1: the scaled cosine of a CLIP model that was tuned on people's choices."""

    name = "pickscore"
    _scaled = True

    def _load(self, device: str) -> None:
        self._take(self._model_of(), device)

    def _model_of(self) -> Any:
        from transformers import CLIPModel

        return self.weights.load_model(CLIPModel)

    def _take(self, model: Any, device: str) -> None:
        from transformers import CLIPTokenizer

        self._clip = model.float().eval().to(device)
        self._longest = int(model.config.text_config.max_position_embeddings)
        self._side = int(model.config.vision_config.image_size)
        self._tokenizer = self._words(CLIPTokenizer, "vocab.json", _CLIP_H)

    def _fitted(self, picture: Image) -> Image:
        return _cropped(picture, self._side, lambda gap: gap // 2)

    def _encode(self, pixels: Any) -> Any:
        features = self._clip.get_image_features(pixel_values=pixels)
        return _unit(getattr(features, "pooler_output", features))

    def _judge(self, features: Any, ids: Any) -> Any:
        texts = self._clip.get_text_features(input_ids=ids)
        cosine = (features * _unit(getattr(texts, "pooler_output", texts))).sum(-1)
        return cosine * self._clip.logit_scale.double().exp() if self._scaled else cosine


class HPSv2(PickScore):
    """xswu/HPSv2, version 2.1 (`HPS_v2.1_compressed.pt`, open_clip's layout), or a folder in the layout of transformers."""

    name = "hpsv2"
    _scaled = False

    def _model_of(self) -> Any:
        if self.weights.marker == "config.json":
            return super()._model_of()
        return clip_of_open_clip(read_checkpoint(self.weights.root / self.weights.marker))

    def _fitted(self, picture: Image) -> Image:
        from PIL import Image as images

        scale = self._side / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        square = images.new("RGB", (self._side, self._side))
        place = ((self._side - width) // 2, (self._side - height) // 2)
        square.paste(picture.resize((width, height), images.Resampling.BICUBIC), place)
        return square


class ImageReward(RewardModel):
    """THUDM/ImageReward: `ImageReward.pt` and `med_config.json`."""

    name = "imagereward"
    _mean, _std = 0.16717362830052426, 1.0333394966054072  # of the rewards it was trained on, as released

    def _load(self, device: str) -> None:
        from transformers import BertTokenizer

        path = self.weights.file("ImageReward.pt")
        if path is None:
            raise BadInput(f"{self.weights.spec!r} has no ImageReward.pt, so it cannot be used as ImageReward.")
        made = blip_reward(read_checkpoint(Path(path)), self.weights.config())
        self._vision, self._text, self._head = (part.float().eval().to(device) for part in made)
        self._longest, self._side = 35, int(self._vision.config.image_size)
        self._tokenizer = self._words(BertTokenizer, "vocab.txt", _BERT)

    def _fitted(self, picture: Image) -> Image:
        return _cropped(picture, self._side, lambda gap: round(gap / 2))

    def _encode(self, pixels: Any) -> Any:
        return self._vision(pixel_values=pixels).last_hidden_state

    def _judge(self, features: Any, ids: Any) -> Any:
        return (self._head(_read(self._text, features, ids))[:, 0].double() - self._mean) / self._std


class BlipITM(RewardModel):
    """Salesforce/blip-itm-base-coco, or another `BlipForImageTextRetrieval` of transformers."""

    name = "itm"

    def _load(self, device: str) -> None:
        from transformers import BertTokenizer, BlipForImageTextRetrieval

        model = self.weights.load_model(BlipForImageTextRetrieval).float().eval().to(device)
        self._vision, self._text, self._head = model.vision_model, model.text_encoder, model.itm_head
        self._longest = int(model.config.text_config.max_position_embeddings)
        self._side = int(model.config.vision_config.image_size)
        self._tokenizer = self._words(BertTokenizer, "vocab.txt", _BERT)

    def _fitted(self, picture: Image) -> Image:
        from PIL import Image as images

        return picture.resize((self._side, self._side), images.Resampling.BICUBIC)

    def _encode(self, pixels: Any) -> Any:
        return self._vision(pixel_values=pixels).last_hidden_state

    def _judge(self, features: Any, ids: Any) -> Any:
        return self._head(_read(self._text, features, ids)).double().softmax(dim=-1)[:, 1]


def _read(text: Any, features: Any, ids: Any) -> Any:
    """The first state (pairs, width) of BLIP's text encoder, which sees the pictures' features (pairs, patches, width)."""
    import torch

    seen = torch.ones(features.shape[:-1], dtype=torch.long, device=features.device)
    return text(
        input_ids=ids, attention_mask=torch.ones_like(ids), encoder_hidden_states=features, encoder_attention_mask=seen
    ).last_hidden_state[:, 0]


def _cropped(picture: Image, side: int, half: Any) -> Image:
    """Its middle: the shorter side becomes `side` pixels; `half` says where a crop begins."""
    from PIL import Image as images

    short = min(picture.size)
    width, height = (side if edge == short else int(side * edge / short) for edge in picture.size)
    x, y = half(width - side), half(height - side)
    return picture.resize((width, height), images.Resampling.BICUBIC).crop((x, y, x + side, y + side))


def _pixels(picture: Image) -> Any:
    """(3, side, side), with CLIP's mean and deviation taken out."""
    import numpy as np
    import torch

    values = (np.asarray(picture, dtype=np.float32) / 255 - _MEAN) / _STD
    return torch.from_numpy(values.astype(np.float32).transpose(2, 0, 1))


def _unit(vectors: Any) -> Any:
    vectors = vectors.double()
    return vectors / vectors.norm(dim=-1, keepdim=True)
