"""Natural language inference by a cross-encoder: does a premise entail a hypothesis, contradict it, or neither?

Any sequence classification model of transformers whose labels say which class is which (`entailment`, `contradiction`,
`neutral`; two-class models without a contradiction too), behind the call ledger; `mini` is the bundled one. A pair that is longer
than the model reads is cut at the end of its premise, never of its hypothesis; a hypothesis that leaves no room for one is refused.

A pair is computed in a batch of a shape that its own length decides (`tools.models.buckets`), so that its probabilities do not depend on
the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.records import Cost
from ...runtime.roles import Role
from ...runtime.session import settled
from ...runtime.store import Call
from ..models import BACKENDS, BATCH, LocalModel, OnnxGraph, OnnxParts, Weights, buckets, by_onnx, find_weights
from .judgement import Entailment, Judgement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["NLI", "open_nli"]

_MOST = 512  # tokens of a pair, where the model does not say
_LEAST = 16  # tokens of a premise that is cut
_EXAMPLE = "cross-encoder/nli-deberta-v3-base"


JUDGE: Role[Entailment] = Role("judge of entailment", Entailment)


@JUDGE.opener
def open_nli(spec: str, store: Store, settings: Settings) -> Entailment:
    """The model behind `spec`: `mini` (mini-verifier), a folder, a hub id, or your own; `?backend=` as of a text embedder.

    Raises:
        BadInput: no such model or backend, another option, or a model whose labels are not those of natural language inference.
        PrerequisiteError: the model cannot be fetched.
    """
    weights = find_weights(spec, "verifier", settings.cache_dir)
    if unknown := sorted(weights.options.keys() - {"backend"}):
        raise BadInput(f"{spec!r}: there is no option {unknown[0]!r}; the option is backend={'|'.join(BACKENDS)}.")
    kind = OnnxNLI if by_onnx(spec, weights, settings, own="mini") else NLI
    return kind(weights, store, settings)


class NLI(LocalModel[tuple[str, str], list[float]]):
    """An `Entailment`; see `open_nli`. A model's `config.json` may name its own `thresholds`."""

    _shrink = 1

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        labels = {int(key): str(value).lower() for key, value in (weights.config().get("id2label") or {}).items()}
        self._entails = next((key for key, value in labels.items() if value.startswith("entail")), None)
        self._contradicts = next((key for key, value in labels.items() if value.startswith("contradict")), None)
        if self._entails is None:
            raise BadInput(
                f"{weights.spec!r} is no model of inference: its labels are {sorted(labels.values())!r}, and one must be"
                f" 'entailment'. Give one such as {_EXAMPLE}."
            )
        super().__init__(weights, store, settings, max_batch=16 * BATCH, linger=0.02)
        usual = {"entails": 0.5, "pertinent": 0.5, "stance": 0.5, "contradicts": 0.5, "weakest": 0.0}
        self.thresholds: Mapping[str, float] = usual | (weights.config().get("thresholds") or {})
        config, told = weights.config(), weights.json("tokenizer_config.json")
        sizes = [config.get("max_position_embeddings"), told.get("model_max_length"), _MOST]
        self._longest = int(min(size for size in sizes if isinstance(size, (int, float)) and size > 0))
        self._segmented = (config.get("type_vocab_size") or 0) > 1
        self._model: Any = None
        self._tokenizer: Any = None
        self._pad = 0

    @property
    def name(self) -> str:
        """What reports call it."""
        return f"{self.model} (natural language inference)"

    async def judge(self, pairs: Sequence[tuple[str, str]]) -> list[Judgement]:
        """One judgement a pair, in order.

        Raises:
            PrerequisiteError: the model cannot be loaded.
            CallFailed: a hypothesis that is longer than the model reads beside a premise, or the model gave NaN.
        """
        return await settled([self._one(premise, hypothesis) for premise, hypothesis in pairs])

    async def _one(self, premise: str, hypothesis: str) -> Judgement:
        inputs = {"premise": premise, "hypothesis": hypothesis}
        call = Call(
            kind="nli",
            model=self.model,
            revision=self.revision,
            params={"batch": BATCH},
            inputs=inputs,
        )

        async def keep(value: list[float]) -> list[float]:
            return value

        supports, contradicts = await self._once(call, (premise, hypothesis), keep, cost=Cost(calls=1))
        return Judgement(supports=supports, contradicts=contradicts)

    def _load(self, device: str) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        tokenizer = self.weights.load(AutoTokenizer)
        self._tokenizer, self._pad = tokenizer.backend_tokenizer, tokenizer.pad_token_id or 0
        self._segmented &= "token_type_ids" in tokenizer.model_input_names
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        model = self.weights.load_model(AutoModelForSequenceClassification, dtype=torch.float32)
        self._model = model.eval().to(device)

    def _serve(self, items: list[tuple[str, str]]) -> list[list[float] | InloopError]:
        coded = self._tokenizer.encode_batch(items)
        outcomes: dict[int, list[float] | InloopError] = {}
        pairs: dict[int, _Coded] = {}
        for place, each in enumerate(coded):
            if (pair := _Coded.of(each, self._longest)) is None:
                outcomes[place] = CallFailed(
                    f"{self.model} reads {self._longest} tokens, and the statement alone has {each.sequence_ids.count(1)}: split it"
                    f" ({items[place][1][:80]!r}...)"
                )
            else:
                pairs[place] = pair
        places = sorted(pairs)
        lengths = [len(pairs[place].ids) for place in places]
        for bucket in buckets(lengths, most=self._longest, batch=BATCH // self._shrink):
            batch = [places[place] for place in bucket.places]
            rows = self._probabilities([pairs[place] for place in batch], bucket.length, bucket.rows)
            for place, probabilities in zip(batch, rows, strict=True):
                fine = all(value == value for value in probabilities)
                failed = CallFailed(f"{self.model} gave NaN for {items[place][1][:80]!r}")
                outcomes[place] = probabilities if fine else failed
        return [outcomes[place] for place in range(len(items))]

    def _probabilities(self, pairs: list[_Coded], length: int, rows: int) -> list[list[float]]:
        """Of each pair, that it entails and that it contradicts; a batch of `rows`, padded to `length` tokens."""
        ids = np.full((rows, length), self._pad, dtype=np.int64)
        mask, segments = np.zeros_like(ids), np.zeros_like(ids)
        for place, pair in enumerate(pairs + [pairs[0]] * (rows - len(pairs))):
            size = len(pair.ids)
            ids[place, :size], mask[place, :size], segments[place, :size] = pair.ids, 1, pair.segments
        logits = self._logits(ids, mask, segments)[: len(pairs)].astype(np.float64)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        return [
            [row[self._entails or 0], 0.0 if self._contradicts is None else row[self._contradicts]]
            for row in shares.tolist()
        ]

    def _logits(
        self, ids: NDArray[np.int64], mask: NDArray[np.int64], segments: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The model's number for each class, by row."""
        import torch

        given = {"input_ids": ids, "attention_mask": mask}
        if self._segmented:
            given["token_type_ids"] = segments
        with torch.inference_mode():
            output = self._model(**{name: torch.from_numpy(each).to(self._device) for name, each in given.items()})
        return output.logits.float().cpu().numpy()  # type: ignore[no-any-return]


class OnnxNLI(OnnxParts, NLI):
    """The same by ONNX Runtime; see `tools.models.onnx`."""

    _by_torch = NLI

    def _load(self, device: str) -> None:
        inputs = ("input_ids", "attention_mask", *(("token_type_ids",) if self._segmented else ()))
        self._model = OnnxGraph(
            self.weights, self._settings, head="AutoModelForSequenceClassification", output="logits", inputs=inputs
        )
        self._tokenizer, self._pad = self._model.tokenizer, self._model.pad

    def _logits(
        self, ids: NDArray[np.int64], mask: NDArray[np.int64], segments: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._model(input_ids=ids, attention_mask=mask, token_type_ids=segments)
        return logits


@dataclass(frozen=True)
class _Coded:
    """The tokens of a pair, and the segment of each."""

    ids: list[int]
    segments: list[int]

    @classmethod
    def of(cls, encoding: Any, longest: int) -> _Coded | None:
        """Cut at the end of the premise to `longest` tokens; None where too little of it would be left."""
        over = len(encoding.ids) - longest
        premise = [place for place, sequence in enumerate(encoding.sequence_ids) if sequence == 0]
        if over > 0 and len(premise) - over < _LEAST:
            return None
        gone = set(premise[len(premise) - over :]) if over > 0 else set[int]()
        kept = [place for place in range(len(encoding.ids)) if place not in gone]
        return cls([encoding.ids[place] for place in kept], [encoding.type_ids[place] for place in kept])
