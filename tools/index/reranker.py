"""Rerankers: a model that reads query and passage together, and puts the best of a first search in order.

`CrossEncoder` scores each pair with a sequence classification model (Nogueira and Cho 2019), behind the call ledger.
`ListwiseReranker` shows a chat model the first passages and asks for their order (RankGPT, Sun et al. 2023); what the
reply does not name is unscored and keeps its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...prompts import load
from ...runtime.errors import BadInput, CallFailed, InloopError
from ...runtime.protocols import Chat, Reranker
from ...runtime.records import Cost, Message
from ...runtime.roles import Role
from ...runtime.session import chunks, settled
from ...runtime.store import Call
from ..models import LocalModel, Weights, find_weights

if TYPE_CHECKING:
    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["CrossEncoder", "ListwiseReranker", "open_reranker"]

_BATCH = 8
_MOST = 512  # tokens of query and passage together, where the model does not say
_SHOWN = 20
_NUMBER = re.compile(r"\[(\d{1,3})\]")


RERANKER: Role[Reranker] = Role("reranker", Reranker, own=("llm",))


@RERANKER.opener
def open_reranker(spec: str, store: Store, settings: Settings) -> Reranker:
    """The reranker behind `spec`: the folder or hub id of a cross-encoder, `llm:` and a language model as in `--llm`, or your own.

    Raises:
        BadInput: no such model, or one of another kind.
        PrerequisiteError: the model cannot be fetched, or the server does not answer.
    """
    if spec.startswith("llm:"):
        from ...runtime.llm import open_chat

        return ListwiseReranker(open_chat(spec.removeprefix("llm:"), store, settings))
    return CrossEncoder(find_weights(spec, "text", settings.cache_dir), store, settings)


class CrossEncoder(LocalModel[tuple[str, str], float]):
    """A `Reranker`; see `open_reranker`. A passage longer than the model reads is cut at its end."""

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        labels = weights.config().get("id2label") or {}
        kinds = weights.config().get("architectures") or []
        if not any("SequenceClassification" in str(kind) for kind in kinds) or len(labels) > 2:
            raise BadInput(
                f"{weights.spec!r} is no cross-encoder ({', '.join(map(str, kinds)) or 'no architecture'}): give a sequence"
                " classification model with one or two labels, such as cross-encoder/ms-marco-MiniLM-L6-v2."
            )
        super().__init__(weights, store, settings, max_batch=16 * _BATCH, linger=0.02)
        self._model: Any = None
        self._tokenizer: Any = None

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float | None]:
        """The probability of "relevant" for each text, in order; None where the model gave NaN.

        Raises:
            BadInput: an empty query.
            PrerequisiteError: the model cannot be loaded.
        """
        if not query.strip():
            raise BadInput("a reranker needs a query with words.")
        return await settled([self._one(query, text) for text in texts])

    async def _one(self, query: str, text: str) -> float | None:
        call = Call(
            kind="rerank",
            model=self.model,
            revision=self.revision,
            params={"batch": _BATCH},
            inputs={"query": query, "text": text},
        )

        async def keep(score: float) -> float:
            return score

        try:
            return float(await self._once(call, (query, text), keep, cost=Cost(calls=1)))
        except CallFailed:
            return None

    def _load(self, device: str) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self._tokenizer = self.weights.load(AutoTokenizer)
        model = self.weights.load_model(AutoModelForSequenceClassification, dtype=torch.float32)
        self._model = model.eval().to(device)

    def _serve(self, items: list[tuple[str, str]]) -> list[float | InloopError]:
        import torch

        longest = min(self._tokenizer.model_max_length, self._model.config.max_position_embeddings, _MOST)
        outcomes: list[float | InloopError] = []
        for rows in chunks(items, _BATCH):
            padded = rows + [rows[0]] * (_BATCH - len(rows))
            coded = self._tokenizer(
                [query for query, _ in padded], [text for _, text in padded],
                padding="max_length", truncation="longest_first", max_length=longest, return_tensors="pt",
            ).to(self._device)  # fmt: skip
            with torch.inference_mode():
                logits = self._model(**coded).logits.double()
            relevant = logits.sigmoid()[:, 0] if logits.shape[1] == 1 else logits.softmax(-1)[:, 1]
            for (query, _), score in zip(rows, relevant.tolist(), strict=False):
                fine = score == score
                outcomes.append(score if fine else CallFailed(f"{self.model} gave NaN for {query[:80]!r}"))
        return outcomes


class ListwiseReranker:
    """A `Reranker` on a chat model: one request for the first 20 passages; the others are unscored."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat

    @property
    def model(self) -> str:
        """The chat model's name."""
        return self.chat.model

    @property
    def revision(self) -> str:
        """What identifies the chat model's weights, and the prompt."""
        return f"{self.chat.revision} {load('rerank_listwise').sha256[:12]}"

    async def aclose(self) -> None:
        """Close the chat model's connections."""
        close = getattr(self.chat, "aclose", None)
        if close is not None:
            await close()

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float | None]:
        """1 for the best, falling to above 0, for the passages that the reply names; None for all others.

        A reply without numbers, or a call that failed, leaves everything unscored: that is not "irrelevant".
        """
        shown = [" ".join(text.split())[:1200] for text in texts[:_SHOWN]]
        passages = "\n\n".join(f"[{place}] {_quoted(text)}" for place, text in enumerate(shown, start=1))
        prompt = load("rag/rerank_listwise").messages(
            query=" ".join(query.split()), passages=passages, count=len(shown)
        )
        messages = [Message(role=role, content=content) for role, content in prompt]
        try:
            reply = await self.chat.complete(messages, temperature=0.0, max_tokens=8 * len(shown) + 16)
        except CallFailed:
            return [None] * len(texts)
        order = [int(number) - 1 for number in _NUMBER.findall(reply.text)]
        order = [place for place in dict.fromkeys(order) if 0 <= place < len(shown)]
        scores: list[float | None] = [None] * len(texts)
        for rank, place in enumerate(order if len(order) > 1 else []):
            scores[place] = 1 - rank / len(order)
        return scores


def _quoted(text: str) -> str:
    """Data, not an address: a passage cannot pretend to be another one's number."""
    return f'"{_NUMBER.sub(lambda match: f"({match[1]})", text)}"'
