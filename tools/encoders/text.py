"""Embeddings of texts behind the call ledger: sentence encoders of transformers.

A folder in the layout of sentence-transformers says how its token vectors are pooled (mean, cls, max, last token; default
mean) and how many tokens it reads. A longer text is read in windows and pooled over all of them, so nothing is cut.

Invariants: fp32; unit vectors; a text is padded to a length of its own and computed in batches of a shape of its own (`tools.models.buckets`),
so a vector does not depend on its company. The ledger keeps the float32 bits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.records import Cost
from ...runtime.session import chunks, settled
from ...runtime.store import Call
from ..models import BACKENDS, BATCH, LocalModel, Weights, buckets
from .entries import packed, refuse_empty, unpacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["LocalTextEmbedder"]

_MOST = 512  # tokens of a window, where the model does not say
_POOLS = ("cls", "max", "mean", "lasttoken")
_ENDS = ("", "_token", "_tokens")  # of the names of modes in pooling configs
_ROLES = {"query": ("query",), "document": ("document", "passage", "corpus")}


class LocalTextEmbedder(LocalModel[str, list[float]]):
    """A `TextEmbedder` in this process; see `open_text_embedder`."""

    _batch_option = True
    _shrink = 1

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        self.pool, self.window, self.batch, self._prompts = _layout(weights)
        super().__init__(weights, store, settings, max_batch=64 * self.batch, linger=0.02)
        self._model: Any = None
        self._tokenizer: Any = None
        self._special: tuple[list[int], list[int]] = ([], [])  # the tokens that stand before and after every text
        self._pad = 0

    async def texts(self, texts: Sequence[str], *, role: str | None = None) -> list[list[float]]:
        """One unit vector a text, in order; `role` is "query", "document" or None.

        Raises:
            BadInput: an empty text, or another role.
            PrerequisiteError: the model cannot be loaded.
            CallFailed: the model gave NaN.
        """
        prefix = self._prefix(role)
        refuse_empty(texts)
        return await settled([self._embed(prefix + text) for text in texts])

    async def _embed(self, text: str) -> list[float]:
        params = {"batch": self.batch, "pool": self.pool, "tokens": self.window}
        call = Call(kind="embedding", model=self.model, revision=self.revision, params=params, inputs={"text": text})

        async def keep(vector: list[float]) -> Any:
            return packed(vector)

        return unpacked(await self._once(call, text, keep, cost=Cost(calls=1)))

    def _prefix(self, role: str | None) -> str:
        if role is not None and role not in _ROLES:
            raise BadInput(f"{role!r} is no role of a text: give 'query' or 'document', or leave it out.")
        return next((self._prompts[name] for name in _ROLES.get(role or "", ()) if name in self._prompts), "")

    def _load(self, device: str) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        self._tokenizer = self.weights.load(AutoTokenizer)
        self._frame(self._tokenizer.pad_token_id or 0)
        self._model = self.weights.load_model(AutoModel, dtype=torch.float32).eval().to(device)

    def _frame(self, pad: int) -> None:
        """Find out what the tokenizer puts around a text; `pad` is the token that fills a row."""
        [bare], [whole] = self._ids(["a"]), self._ids(["a"], special=True)
        start = next(place for place in range(len(whole)) if whole[place : place + len(bare)] == bare)
        self._special, self._pad = (whole[:start], whole[start + len(bare) :]), pad

    def _serve(self, items: list[str]) -> list[list[float] | InloopError]:
        windows = [(place, ids) for place, runs in enumerate(self._windows(items)) for ids in runs]
        sums: dict[int, NDArray[np.float64]] = {}
        batch = max(1, self.batch // self._shrink)
        for bucket in buckets([len(ids) for _, ids in windows], most=self.window, batch=batch):
            rows = [windows[place] for place in bucket.places]
            pooled = self._pooled([ids for _, ids in rows], bucket.length, bucket.rows)
            for (place, ids), vector in zip(rows, pooled, strict=True):
                sums[place] = self._joined(sums.get(place), vector, len(ids))
        outcomes: list[list[float] | InloopError] = []
        for place, text in enumerate(items):
            vector = sums[place]
            norm = float(np.linalg.norm(vector))
            if math.isfinite(norm) and norm > 0:
                outcomes.append((vector / norm).astype(np.float32).tolist())
            else:
                outcomes.append(CallFailed(f"{self.model} gave no usable vector for {text[:80]!r}"))
        return outcomes

    def _windows(self, texts: list[str]) -> list[list[list[int]]]:
        """The tokens of each text in runs that the model can read, each with the model's special tokens."""
        before, after = self._special
        room = self.window - len(before) - len(after)
        return [[before + run + after for run in chunks(ids, room)] or [before + after] for ids in self._ids(texts)]

    def _ids(self, texts: list[str], special: bool = False) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(
            texts, add_special_tokens=special, verbose=False, truncation=False, padding=False
        ).input_ids
        return ids

    def _pooled(self, rows: list[list[int]], length: int, size: int) -> NDArray[np.float64]:
        """For each window its pooled vector (the sum, where the mean is taken), from a batch of `size` rows."""
        ids = np.full((size, length), self._pad, dtype=np.int64)
        mask = np.zeros((size, length), dtype=np.int64)
        for place, row in enumerate(rows + [rows[0]] * (size - len(rows))):
            ids[place, : len(row)], mask[place, : len(row)] = row, 1
        states: NDArray[np.float64] = self._states(ids, mask)[: len(rows)].astype(np.float64)
        mask = mask[: len(rows)]
        vectors: NDArray[np.float64]
        if self.pool == "cls":
            vectors = states[:, 0]
        elif self.pool == "lasttoken":
            vectors = states[np.arange(len(rows)), mask.sum(1) - 1]
        elif self.pool == "max":
            vectors = np.where(mask[..., None] == 1, states, -math.inf).max(1)
        else:
            vectors = np.einsum("rtd,rt->rd", states, mask.astype(np.float64))
        return vectors

    def _states(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """The last hidden state of each token: rows, tokens, width."""
        import torch

        given = {"input_ids": ids, "attention_mask": mask}
        with torch.inference_mode():
            states = self._model(**{name: torch.from_numpy(each).to(self._device) for name, each in given.items()})
        return states.last_hidden_state.float().cpu().numpy()  # type: ignore[no-any-return]

    def _joined(
        self, before: NDArray[np.float64] | None, vector: NDArray[np.float64], count: int
    ) -> NDArray[np.float64]:
        """What a text's windows come to: summed token vectors for the mean (its direction is the mean's), the mean else."""
        if before is None:
            return vector if self.pool in ("mean", "max") else vector * count
        if self.pool == "max":
            return np.maximum(before, vector)
        return before + (vector if self.pool == "mean" else vector * count)


def _layout(weights: Weights) -> tuple[str, int, int, dict[str, str]]:
    """Pooling, tokens of a window, batch and prompts of a model: from its options, its folder, or the usual ones."""
    options = {name: value for name, value in weights.options.items() if name != "backend"}
    listed = weights.file("modules.json")
    pool = ""
    modules = json.loads(listed.read_text(encoding="utf-8")) if listed is not None else []
    for module in modules:
        kind = str(module.get("type", "")).rpartition(".")[2]
        if kind == "Pooling":
            config = weights.json(f"{module.get('path', '1_Pooling')}/config.json")
            modes = [str(config["pooling_mode"])] if config.get("pooling_mode") in _POOLS else []
            modes += [mode for mode in _POOLS if any(config.get(f"pooling_mode_{mode}{end}") for end in _ENDS)]
            if len(set(modes)) != 1:
                raise BadInput(
                    f"{weights.spec!r} pools by {modes or config!r}: one of {', '.join(_POOLS)} can be used."
                )
            pool = modes[0]
        elif kind not in ("Transformer", "Normalize"):
            raise BadInput(
                f"{weights.spec!r} has a module {kind!r}, which cannot be used here; serve it, and give the URL."
            )
    pool = options.pop("pool", pool or "mean")
    told = weights.json("sentence_bert_config.json").get("max_seq_length")
    positions = weights.config().get("max_position_embeddings")
    sizes = [size for size in (told, positions) if isinstance(size, int) and size > 0]
    window = _number(weights, options.pop("tokens", None), min([*sizes, 8192]) if sizes else _MOST)
    batch = _number(weights, options.pop("batch", None), BATCH)
    if options or pool not in _POOLS or window < 8:
        raise BadInput(
            f"{weights.spec!r}: the options are pool={'|'.join(_POOLS)}, tokens=N (8 or more), batch=N and backend={'|'.join(BACKENDS)}."
        )
    prompts = weights.json("config_sentence_transformers.json").get("prompts") or {}
    return pool, window, batch, {str(name): str(words) for name, words in prompts.items()}


def _number(weights: Weights, given: str | None, default: int) -> int:
    if given is None:
        return default
    if not given.isdecimal() or int(given) < 1:
        raise BadInput(f"{weights.spec!r}: {given!r} is not a whole number above 0.")
    return int(given)
