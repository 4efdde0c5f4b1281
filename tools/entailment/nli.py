"""Natural language inference by a cross-encoder: does a premise entail a hypothesis, contradict it, or neither?

Any sequence classification model of transformers whose labels say which class is which (`entailment`, `contradiction`,
`neutral`; two-class models without a contradiction too), behind the call ledger; `mini` is the bundled one. A pair that is longer
than the model reads is cut at the end of its premise, never of its hypothesis; a hypothesis that leaves no room for one is refused.

A pair is computed in a batch of a shape that its own length decides (`tools.models.buckets`), so that its probabilities do not depend on
the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.records import Cost
from ...runtime.roles import Role
from ...runtime.run import settled
from ...runtime.store import Call
from ..models import BATCH, LocalModel, Weights, buckets, find_weights
from .judgement import Entailment, Judgement

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["NLI", "open_nli"]

_MOST = 512  # tokens of a pair, where the model does not say
_LEAST = 16  # tokens of a premise that is cut
_EXAMPLE = "cross-encoder/nli-deberta-v3-base"


JUDGE: Role[Entailment] = Role("judge of entailment", Entailment)


@JUDGE.opener
def open_nli(spec: str, store: Store, settings: Settings) -> Entailment:
    """The model behind `spec`: `mini` (mini-verifier), a folder, a hub id, or your own.

    Raises:
        BadInput: no such model, or one whose labels are not those of natural language inference.
        PrerequisiteError: the model cannot be fetched.
    """
    return NLI(find_weights(spec, "verifier", settings.cache_dir), store, settings)


class NLI(LocalModel[tuple[str, str], list[float]]):
    """An `Entailment`; see `open_nli`. A model's `config.json` may name its own `thresholds`."""

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
        self._model: Any = None
        self._tokenizer: Any = None

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

        self._tokenizer = self.weights.load(AutoTokenizer)
        model = self.weights.load(AutoModelForSequenceClassification, dtype=torch.float32)
        self._model = model.eval().to(device)

    def _serve(self, items: list[tuple[str, str]]) -> list[list[float] | InloopError]:
        longest = min(self._tokenizer.model_max_length, self._model.config.max_position_embeddings, _MOST)
        coded, outcomes = self._coded(items, longest)
        places = sorted(coded)
        for bucket in buckets([len(coded[place].input_ids) for place in places], most=longest):
            batch = [places[place] for place in bucket.places]
            rows = self._probabilities([coded[place] for place in batch], bucket.length, bucket.rows)
            for place, probabilities in zip(batch, rows, strict=True):
                fine = all(value == value for value in probabilities)
                failed = CallFailed(f"{self.model} gave NaN for {items[place][1][:80]!r}")
                outcomes[place] = probabilities if fine else failed
        return [outcomes[place] for place in range(len(items))]

    def _coded(
        self, items: list[tuple[str, str]], longest: int
    ) -> tuple[dict[int, Any], dict[int, list[float] | InloopError]]:
        """By place the tokens of each pair, or why it cannot be judged."""
        coded: dict[int, Any] = {}
        refused: dict[int, list[float] | InloopError] = {}
        for place, (premise, hypothesis) in enumerate(items):
            whole = self._tokenizer(premise, hypothesis, truncation=False, verbose=False)
            over = len(whole.input_ids) - longest
            if over <= 0:
                coded[place] = whole
            elif self._tokens(premise) - over >= _LEAST:
                coded[place] = self._tokenizer(premise, hypothesis, truncation="only_first", max_length=longest)
            else:
                refused[place] = CallFailed(
                    f"{self.model} reads {longest} tokens, and the statement alone has {self._tokens(hypothesis)}: split it"
                    f" ({hypothesis[:80]!r}...)"
                )
        return coded, refused

    def _tokens(self, text: str) -> int:
        return len(self._tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids)

    def _probabilities(self, coded: list[Any], length: int, rows: int) -> list[list[float]]:
        """Of each pair of tokens, that it entails and that it contradicts; a batch of `rows`, padded to `length` tokens."""
        import torch

        whole = coded + [coded[0]] * (rows - len(coded))
        batch = self._tokenizer.pad(whole, padding="max_length", max_length=length, return_tensors="pt")
        with torch.inference_mode():
            logits = self._model(**batch.to(self._device)).logits[: len(coded)]
        shares = logits.double().softmax(-1).tolist()
        return [
            [row[self._entails or 0], 0.0 if self._contradicts is None else row[self._contradicts]] for row in shares
        ]
