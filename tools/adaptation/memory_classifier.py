"""A classifier that looks its picture up: frozen encoder, memory in an `Index`, attention over what is found.

    a = softmax(s * cos(Wq z, Wk key));  r = z + b + tanh(g) * Wv (sum of a * value);  logits = t * cos(r, w_class)

Retrieval-augmented classification for the long tail (Long et al., CVPR 2022, arXiv 2202.11233; Iscen et al., CVPR 2023, arXiv
2304.01195): z is the picture's vector, a key that of a picture in the memory, a value that of its caption. Only the memory module
(Wq, Wk, Wv, s, b, g) and the class weights learn, with a logit-adjusted loss (Menon et al. 2021). The gate g begins at 0, and
without an index the same code is the linear probe. A class is added without training: its pairs go into the memory, its weight
is the mean of what the trained module makes of their pictures (imprinted weights: Qi et al. 2018).
"""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.passages import Filter, Passage, Query
from ...runtime.protocols import Embedder, Index, TextEmbedder
from ...runtime.records import BlobRef, Prediction, Record
from ...runtime.storage import write_whole
from ..training import TrainingLoop, by_epoch, seeded

if TYPE_CHECKING:
    from torch import Tensor

    from .memory_attention import MemoryAttention

__all__ = ["MemoryClassifier", "MemoryRecipe", "vote"]

_CARD, _WEIGHTS = "memory.json", "memory.safetensors"
_AT_ONCE = 512

Array = NDArray[np.float32]


class MemoryRecipe(Record):
    """`k` neighbours are read; `adjustment` is the strength of the logit adjustment (0: plain cross entropy)."""

    k: int = Field(default=16, ge=1)
    epochs: int = Field(default=30, ge=1)
    batch: int = Field(default=128, ge=1)
    rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1.0, ge=0)
    adjustment: float = Field(default=1.0, ge=0)
    seed: int = 0


class MemoryClassifier:
    """Sorts pictures into classes; see the module.

    `index` holds captioned pictures embedded by `embedder` (None: the linear probe); `values` embeds their captions, default:
    `embedder`. `where` keeps to a part of the index. A picture is never its own neighbour.
    """

    def __init__(
        self,
        index: Index | None,
        embedder: Embedder,
        *,
        values: Embedder | TextEmbedder | None = None,
        recipe: MemoryRecipe | None = None,
        where: Filter | None = None,
    ) -> None:
        self.index, self.where, self.recipe = index, where, recipe or MemoryRecipe()
        self.classes: tuple[str, ...] = ()
        self._embedder, self._values = embedder, values or embedder
        self._module: MemoryAttention | None = None

    async def fit(self, images: Sequence[BlobRef], labels: Sequence[str]) -> list[float]:
        """Train on labelled pictures; the mean loss of each epoch. It always starts anew.

        Raises:
            BadInput: no picture, fewer than two classes, or lists of different lengths.
            PrerequisiteError: the embedder or the index cannot be read.
        """
        if len(images) != len(labels) or len(set(labels)) < 2:
            raise BadInput(
                f"{len(images)} pictures with {len(labels)} labels of {len(set(labels))} classes: give one label a picture,"
                " and two classes at least."
            )
        classes = tuple(sorted(set(labels)))
        truth = np.array([classes.index(label) for label in labels])
        looked_up = await self._looked_up(images)
        stop = threading.Event()
        try:
            self._module, losses = await asyncio.to_thread(self._train, looked_up, truth, len(classes), stop)
        finally:
            stop.set()  # cancelled: the thread ends after its step
        self.classes = classes
        return losses

    async def predict(self, images: Sequence[BlobRef]) -> list[Prediction]:
        """The class of each picture, in order, with a probability a class.

        Raises:
            BadInput: it was not trained.
            PrerequisiteError: the embedder or the index cannot be read.
        """
        module = self._trained()
        predictions = []
        for start in range(0, len(images), _AT_ONCE):
            looked_up = await self._looked_up(images[start : start + _AT_ONCE])
            for row in await asyncio.to_thread(module.shares, looked_up):
                scores = dict(zip(self.classes, row.tolist(), strict=True))
                predictions.append(Prediction(text=self.classes[int(row.argmax())], scores=scores))
        return predictions

    async def add_class(self, name: str, pairs: Sequence[Passage]) -> None:
        """Put the pairs of a new class into the memory, and know the class; nothing is trained.

        Raises:
            BadInput: not trained, a class of this name is there, no pair, or a pair without a picture.
            PrerequisiteError: the embedder or the index cannot be read or written.
        """
        module = self._trained()
        images = [pair.image for pair in pairs if pair.image is not None]
        if name in self.classes or not pairs or len(images) < len(pairs):
            raise BadInput(
                f"the class {name!r} needs a name of its own and pairs with pictures; {len(images)} were given."
            )
        if self.index is not None:
            await self.index.upsert(pairs)
        looked_up = await self._looked_up(images)
        await asyncio.to_thread(module.imprint, looked_up)
        self.classes = (*self.classes, name)

    def save(self, folder: Path) -> None:
        """Write the trained module, the classes, and which embedders they belong to; the memory stays where it is."""
        from safetensors.torch import save

        tensors = {name: value.contiguous() for name, value in self._trained().state_dict().items()}
        write_whole(folder / _WEIGHTS, save(tensors))
        card = {"classes": self.classes, "recipe": self.recipe.model_dump(), "embedders": self._embedders()}
        write_whole(folder / _CARD, json.dumps(card, indent=1).encode())

    def load(self, folder: Path) -> None:
        """Take over what `save` wrote.

        Raises:
            BadInput: nothing is there, or it was trained with other embedders, or with an index where there is none now.
            PrerequisiteError: it is damaged.
        """
        from safetensors.torch import load

        from .memory_attention import MemoryAttention

        if not (folder / _CARD).is_file():
            raise BadInput(
                f"{str(folder)!r} holds no memory classifier ({_CARD} is missing): train one and save it there."
            )
        try:
            card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
            embedders, recipe = card["embedders"], MemoryRecipe.model_validate(card["recipe"])
            tensors = load((folder / _WEIGHTS).read_bytes())
            module = MemoryAttention.like(tensors)
        except Exception as error:
            raise PrerequisiteError(
                f"the memory classifier in {str(folder)!r} cannot be read ({type(error).__name__}: {str(error)[:200]})",
                remedy="train it again, or copy the folder again.",
            ) from error
        if embedders != self._embedders():
            raise BadInput(f"{str(folder)!r} was trained with {embedders}, and {self._embedders()} were given.")
        self.classes, self.recipe, self._module = tuple(card["classes"]), recipe, module

    def _embedders(self) -> list[str]:
        names = [f"{self._embedder.model} {self._embedder.revision}"]
        return names if self.index is None else [*names, f"{self._values.model} {self._values.revision}"]

    def _trained(self) -> MemoryAttention:
        if self._module is None:
            raise BadInput("the classifier knows no classes yet: call fit or load first.")
        return self._module

    async def _looked_up(self, images: Sequence[BlobRef]) -> _LookedUp:
        """The pictures' vectors with the keys and values of their neighbours."""
        vectors = np.array(await self._embedder.images(images), dtype=np.float32)
        if self.index is None:
            return vectors, None
        found = await neighbours_of(self.index, images, vectors, self.recipe.k, self.where)
        passages = list({p.id: p for each in found for p in each}.values())
        places = {passage.id: place for place, passage in enumerate(passages)}
        if not passages:
            raise BadInput(f"the memory {self.index.url!r} holds no captioned picture: index some first.")
        keys = np.array(await self._embedder.images([p.image for p in passages if p.image]), dtype=np.float32)
        values = np.array(await self._values.texts([p.text for p in passages]), dtype=np.float32)
        rows = np.zeros((len(images), self.recipe.k), dtype=np.int64)
        there = np.zeros((len(images), self.recipe.k), dtype=bool)
        for row, each in enumerate(found):
            rows[row, : len(each)] = [places[passage.id] for passage in each]
            there[row, : len(each)] = True
        return vectors, (keys, values, rows, there)

    def _train(
        self, looked_up: _LookedUp, truth: NDArray[np.int64], classes: int, stop: threading.Event
    ) -> tuple[MemoryAttention, list[float]]:
        import torch

        from .memory_attention import MemoryAttention

        recipe = self.recipe
        with seeded(recipe.seed):
            vectors, memory = looked_up
            width = None if memory is None else memory[1].shape[1]
            module = MemoryAttention(vectors.shape[1], width, classes)
        module.begin(vectors, truth)
        counts = Counter(truth.tolist())
        prior = torch.tensor([math.log(counts[place] / len(truth)) for place in range(classes)]) * recipe.adjustment
        decayed = [value for value in module.parameters() if value.ndim > 1]
        scalars = [value for value in module.parameters() if value.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": recipe.weight_decay},
                {"params": scalars, "weight_decay": 0.0, "lr": 10 * recipe.rate},
            ],
            lr=recipe.rate,
        )

        def batches(epoch: int) -> list[list[NDArray[np.int64]]]:
            order = np.random.default_rng([recipe.seed, epoch]).permutation(len(truth))
            return [[order[start : start + recipe.batch]] for start in range(0, len(order), recipe.batch)]

        def loss(module: MemoryAttention, chosen: NDArray[np.int64]) -> Tensor:
            logits = module(*module.rows(looked_up, chosen)) + prior
            return torch.nn.functional.cross_entropy(logits, torch.from_numpy(truth[chosen]))

        epoch = math.ceil(len(truth) / recipe.batch)
        outcome = TrainingLoop(
            model=module,
            loss=loss,
            batches=by_epoch(batches, epoch),
            optimizer=optimizer,
            steps=recipe.epochs * epoch,
            epoch=epoch,
            clip=None,
            seed=recipe.seed,
            precision="no",
            stop=stop,
        ).run()
        return module, list(outcome.losses)


_LookedUp = tuple[Array, tuple[Array, Array, NDArray[np.int64], NDArray[np.bool_]] | None]
"""Vectors (n, size); and of the memory keys (m, size), values (m, width), neighbours (n, k) as places in these, and which are there."""


async def neighbours_of(
    index: Index, images: Sequence[BlobRef], vectors: Array, k: int, where: Filter | None
) -> list[list[Passage]]:
    """The `k` captioned pictures nearest to each picture, itself left out; fewer only where the index has no more.

    A picture may be there with several captions, and its own are left out, so that a search may have to go deeper.
    """
    queries = [Query(vector=tuple(vector.tolist()), space="image") for vector in vectors]
    found: list[list[Passage]] = [[] for _ in images]
    left, depth = list(range(len(images))), k + 1
    while left:
        searched = await index.search([queries[place] for place in left], k=depth, mode="dense", where=where)
        for place, hits in zip(left, searched, strict=True):
            own = images[place].sha256
            others = (hit.passage for hit in hits if hit.passage.image is not None and hit.passage.image.sha256 != own)
            found[place] = [passage for passage in others if passage.text.strip()][:k]
        left = [
            place for place, hits in zip(left, searched, strict=True) if len(found[place]) < k and len(hits) == depth
        ]
        depth *= 4
    return found


async def vote(
    index: Index,
    embedder: Embedder,
    images: Sequence[BlobRef],
    classes: Sequence[str],
    names: Array,
    *,
    k: int = 16,
    temperature: float = 0.07,
) -> list[str]:
    """The kNN vote to compare with: each neighbour votes for the class whose name's vector is nearest to its caption's.

    `names`: unit vectors (classes, size) of the class names, such as `tools.encoders.zero_shot.class_vectors` gives. Votes are
    weighted by exp(cosine / temperature).
    """
    vectors = np.array(await embedder.images(images), dtype=np.float32)
    found = await neighbours_of(index, images, vectors, k, None)
    passages = list({p.id: p for each in found for p in each}.values())
    keys = np.array(await embedder.images([p.image for p in passages if p.image]), dtype=np.float32)
    captions = np.array(await embedder.texts([p.text for p in passages]), dtype=np.float32)
    meant = {p.id: int((caption @ names.T).argmax()) for p, caption in zip(passages, captions, strict=True)}
    near = {p.id: key for p, key in zip(passages, keys, strict=True)}
    said = []
    for vector, each in zip(vectors, found, strict=True):
        votes = np.zeros(len(classes))
        for passage in each:
            votes[meant[passage.id]] += math.exp((float(near[passage.id] @ vector) - 1) / temperature)
        said.append(classes[int(votes.argmax())])
    return said
