"""REACT: make a CLIP model better at a list of classes with pairs that an index already holds (Liu et al., CVPR 2023, arXiv 2301.07094).

    pairs = await retrieve_pairs(index, ["cat", "dog"])          # class names in templates; no labels, no new pictures
    await adapt("mini", pairs, folder, store, settings)          # gated blocks, all else locked; plain CLIP loss
    clip = open_clip(f"mini?adapter={folder}", store, settings)  # an `Embedder` like any other

The text tower is locked, so its vectors are computed once, by the call ledger. Deviations from the released code: pairs with the
same caption in a batch share the target, and pictures are not augmented.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...runtime.errors import BadInput
from ...runtime.passages import Filter, Passage, Query
from ...runtime.protocols import Index
from ...runtime.records import Record
from ..encoders import CARD, AdapterCard, ClipEmbedder, open_clip, pooled, read_card
from ..models import quiet, torch_device
from ..training import Checkpoint, TrainingLoop, by_epoch

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ...runtime.settings import Settings
    from ...runtime.store import Store
    from ..models import Weights

__all__ = ["TEMPLATES", "ReactRecipe", "adapt", "random_pairs", "retrieve_pairs"]

TEMPLATES = ("a photo of a {}.", "a picture of a {}", "{}")
_CHECKPOINT = "checkpoint.pt"


class ReactRecipe(Record):
    """How the blocks are trained: AdamW, a warm-up of a tenth of the steps, then a cosine.

    `blocks`: how many of the last vision layers have one; None: half of them, as in the paper (6 of 12). `rate` is the peak
    learning rate, `gate_rate` that of the gates: a gate moves by about its rate a step, and short trainings must open it.
    """

    blocks: int | None = Field(default=None, ge=1)
    epochs: int = Field(default=8, ge=1)
    batch: int = Field(default=64, ge=2)
    rate: float = Field(default=5e-4, gt=0)
    gate_rate: float = Field(default=1e-2, gt=0)
    weight_decay: float = Field(default=0.1, ge=0)
    seed: int = 0


async def retrieve_pairs(
    index: Index,
    classes: Sequence[str],
    *,
    templates: Sequence[str] = TEMPLATES,
    per_class: int = 50,
    keys: Literal["text", "image"] = "text",
    mode: Literal["dense", "bm25", "hybrid"] = "dense",
    where: Filter | None = None,
) -> list[Passage]:
    """Pairs (pictures with words) for class names put into `templates`: at most `per_class` a class, each pair once.

    `keys`: look among the words of the pairs, by `mode`, or among their pictures, with the picture model's text tower. Of several
    templates the best similarity counts; a pair that several classes find belongs to the first of them.

    Raises:
        BadInput: no class, a template without its one {}, or an index that cannot be searched so.
        PrerequisiteError: an embedder or the index cannot be read.
    """
    if not classes or not templates or per_class < 1:
        raise BadInput("give one class name, one template and one pair a class at least.")
    for template in templates:
        if template.count("{}") != 1:
            raise BadInput(f"the template {template!r} needs one {{}} in the place of the class name.")
    taken: dict[str, Passage] = {}
    for name in classes:
        queries = [Query(text=template.replace("{}", name), space=keys) for template in templates]
        wanted = per_class
        while True:
            found: dict[str, tuple[float, Passage]] = {}
            rankings = await index.search(queries, k=wanted, mode=mode, where=where)
            for hit in (hit for hits in rankings for hit in hits):
                if hit.passage.image is not None and hit.passage.text.strip() and hit.passage.id not in taken:
                    known = found.get(hit.passage.id, (-math.inf, hit.passage))[0]
                    found[hit.passage.id] = (max(known, hit.similarity), hit.passage)
            if len(found) >= per_class or all(len(hits) < wanted for hits in rankings):
                break
            wanted *= 2
        best = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))[:per_class]
        taken |= {key: passage for key, (_, passage) in best}
    return list(taken.values())


async def random_pairs(index: Index, count: int, *, seed: int = 0, where: Filter | None = None) -> list[Passage]:
    """`count` pairs of the index at random (fewer where it holds fewer): what retrieval has to be better than."""
    rng = random.Random(seed)
    kept: list[Passage] = []
    seen = 0
    async for passage in index.iterate(where):
        if passage.image is None or not passage.text.strip():
            continue
        seen += 1
        if len(kept) < count:
            kept.append(passage)
        elif (place := rng.randrange(seen)) < count:
            kept[place] = passage
    return kept


async def adapt(
    spec: str,
    pairs: Sequence[Passage],
    folder: Path,
    store: Store,
    settings: Settings,
    *,
    recipe: ReactRecipe | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> AdapterCard:
    """Train gated blocks for the CLIP model `spec` on `pairs` and write them to `folder`.

    The same pairs with the same recipe are not trained twice, and an interrupted training goes on from its last checkpoint.

    Raises:
        BadInput: fewer pairs than a batch, a pair without a picture or words, a model that has an adapter already, or a folder
            with an adapter of other pairs or another recipe.
        PrerequisiteError: the model, or a picture, cannot be read, the folder cannot be written, or a loss that is not a number.
    """
    recipe = recipe or ReactRecipe()
    for pair in pairs:
        if pair.image is None or not pair.text.strip():
            raise BadInput(f"the passage {pair.id!r} is no pair: it needs a picture and words.")
    if len(pairs) < recipe.batch:
        raise BadInput(f"{len(pairs)} pairs are fewer than a batch of {recipe.batch}: retrieve more, or lower batch=.")
    clip = open_clip(spec, store, settings)
    if not isinstance(clip, ClipEmbedder):
        raise BadInput(f"{spec!r} is no CLIP model of transformers: blocks can be put into such a one alone.")
    try:
        if clip.weights.options:
            raise BadInput(f"{spec!r} has an adapter already: give the model without one.")
        fingerprint = _fingerprint(clip, pairs, recipe)
        if (folder / CARD).is_file():
            card = read_card(folder)
            if card.fingerprint != fingerprint:
                raise BadInput(
                    f"{str(folder)!r} holds an adapter of other pairs or another recipe: give another folder."
                )
            return card
        words = np.array(await clip.texts([pair.text for pair in pairs]), dtype=np.float32)
    finally:
        await clip.aclose()
    training = _Training(clip.weights, pairs, words, folder, store, settings, recipe, fingerprint)
    try:
        return await asyncio.to_thread(training.run, say)
    finally:
        training.stop.set()  # cancelled: the thread ends after its step


def _fingerprint(clip: ClipEmbedder, pairs: Sequence[Passage], recipe: ReactRecipe) -> str:
    told = [recipe.model_dump_json(), clip.model, clip.revision]
    told += [f"{pair.image.sha256 if pair.image else ''} {pair.text}" for pair in pairs]
    return hashlib.sha256("\0".join(told).encode("utf-8", "surrogatepass")).hexdigest()


class _Training:
    """Trains in a thread; `stop` ends it after the step under way."""

    def __init__(
        self,
        weights: Weights,
        pairs: Sequence[Passage],
        words: NDArray[np.float32],
        folder: Path,
        store: Store,
        settings: Settings,
        recipe: ReactRecipe,
        fingerprint: str,
    ) -> None:
        self.weights, self.pairs, self.words, self.folder = weights, pairs, words, folder
        self.store, self.settings, self.recipe, self.fingerprint = store, settings, recipe, fingerprint
        self.stop = threading.Event()

    def run(self, say: Callable[[str], None]) -> AdapterCard:
        import torch
        from transformers import CLIPModel, CLIPProcessor

        from ..encoders import insert_blocks, save_blocks

        recipe = self.recipe
        if self.settings.threads is not None:
            torch.set_num_threads(self.settings.threads)
        device = torch_device(self.settings.device)
        with quiet():
            self.processor = self.weights.load(CLIPProcessor)
            self.model = self.weights.load_model(CLIPModel).float().eval().to(device)
        depth = len(self.model.vision_model.encoder.layers)
        blocks = insert_blocks(self.model, max(1, depth // 2) if recipe.blocks is None else recipe.blocks)
        captions = {text: place for place, text in enumerate(dict.fromkeys(pair.text for pair in self.pairs))}
        self.captions = np.array([captions[pair.text] for pair in self.pairs])
        epoch = len(self.pairs) // recipe.batch
        steps = recipe.epochs * epoch
        trained = torch.nn.ModuleDict({str(place): block for place, block in blocks.items()})
        checkpoint = Checkpoint(path=self.folder / _CHECKPOINT, key=self.fingerprint)
        outcome = TrainingLoop(
            model=trained,
            loss=lambda blocks, chosen: self._loss(chosen, device),
            batches=by_epoch(self._batches, epoch),
            optimizer=_optimizer(trained, recipe),
            steps=steps,
            epoch=epoch,
            schedule=lambda step: _schedule(step, steps),
            seed=recipe.seed,
            precision="no",
            checkpoint=checkpoint,
            progress=lambda progress: say(str(progress)),
            stop=self.stop,
        ).run()
        card = AdapterCard(
            base=self.weights.model,
            base_revision=self.weights.revision,
            layers=tuple(blocks),
            fingerprint=self.fingerprint,
            pairs=len(self.pairs),
            losses=outcome.losses,
        )
        save_blocks(self.folder, self.model, card)
        checkpoint.remove()
        return card

    def _batches(self, epoch: int) -> list[list[NDArray[np.int64]]]:
        """The pairs of an epoch by number, each batch in one part: a pair is contrasted with all others of its batch."""
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.pairs))
        size = self.recipe.batch
        return [[order[start : start + size]] for start in range(0, len(order) - size + 1, size)]

    def _loss(self, chosen: NDArray[np.int64], device: str) -> Tensor:
        """The contrastive loss of the chosen pairs; those with the same caption share the target."""
        import torch
        from torch.nn.functional import cross_entropy

        refs = [self.pairs[place].image for place in chosen]
        pictures = [self.store.blobs.get_image(ref).convert("RGB") for ref in refs if ref is not None]
        pixels = self.processor.image_processor(pictures, return_tensors="pt").pixel_values.to(device)
        vectors = pooled(self.model.get_image_features(pixel_values=pixels))
        seen = vectors / vectors.norm(dim=-1, keepdim=True)
        read = torch.from_numpy(self.words[chosen]).to(device)
        logits = self.model.logit_scale.exp() * seen @ read.T
        names = self.captions[chosen]
        same = torch.from_numpy(names[:, None] == names[None]).float().to(device)
        same = same / same.sum(1, keepdim=True)
        return (cross_entropy(logits, same) + cross_entropy(logits.T, same)) / 2


def _optimizer(blocks: torch.nn.Module, recipe: ReactRecipe) -> torch.optim.Optimizer:
    """AdamW; norms and biases do not decay, and the gates have a rate of their own."""
    import torch

    trained = list(blocks.parameters())
    groups = [
        {"params": [value for value in trained if value.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [value for value in trained if value.ndim == 1], "weight_decay": 0.0},
        {"params": [value for value in trained if value.ndim == 0], "weight_decay": 0.0, "lr": recipe.gate_rate},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))


def _schedule(step: int, steps: int) -> float:
    warm = max(1, steps // 10)
    return (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
