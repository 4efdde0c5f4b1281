"""Students that write: a causal language model with a LoRA adapter (peft), or fine-tuned as a whole.

Trained on the completion alone: the prompt's tokens carry no loss. That is checked at the start, by decoding the tokens that
do. One template is used to train and to ask; answers are written greedily. For tasks with labels each label's
probability can be had too, so that "has not learned the format" can be told from "takes it for something else".

Sources: LoRA (Hu et al. 2021, arXiv 2106.09685); training from the base model each time, LLM2LLM (arXiv 2403.15042).
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ...runtime.batcher import Batcher
from ...runtime.errors import PrerequisiteError
from ...runtime.records import Cost, Prediction, Row
from ...runtime.session import settled
from ...runtime.store import Call
from ..models import quiet
from ..training import Recipe
from .neural import NeuralStudent

__all__ = ["LoraRecipe", "LoraStudent"]

_RATES = {"lora": 1e-3, "full": 1e-4}
_TOGETHER = 256  # labels times texts that are scored in one forward pass
_READ = 32  # rows whose losses are read in one forward pass


class LoraRecipe(Recipe):
    """`method`: an adapter or all weights. `rank`, `alpha`, `dropout`: of the adapter, on all linear layers."""

    method: Literal["lora", "full"] = "lora"
    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class LoraStudent(NeuralStudent):
    """A `Student`; see the module. Its folder is one of peft (or, whole, of transformers) and can be served."""

    kind = "lora"
    recipe: LoraRecipe

    def encode(self, row: Row) -> tuple[list[int], int]:
        """Token ids of prompt, completion and end mark, and where the completion begins."""
        tokens = self._prompt(row.text)
        end = self.tokenizer.eos_token_id
        answer = self.tokenizer(" " + self.task.completion(row), add_special_tokens=False, verbose=False).input_ids
        return [*tokens, *answer, *([] if end is None else [end])], len(tokens)

    def _prompt(self, text: str) -> list[int]:
        tokens: list[int] = self.tokenizer(self.task.prompt(text), verbose=False).input_ids
        if tokens and tokens[-1] == self.tokenizer.eos_token_id and len(tokens) > 1:
            tokens = tokens[:-1]  # some tokenizers close every text
        return tokens

    def _length(self, row: Row) -> int:
        return len(self.encode(row)[0])

    @property
    def _rate(self) -> float:
        return _RATES[self.recipe.method]

    def _loss(self, model: Any, batch: dict[str, Any]) -> Any:
        """The mean cross entropy of the completions' tokens."""
        import torch

        labels = batch["labels"][:, 1:]
        learned = labels != -100
        given = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "use_cache": False}
        if _takes_kept_logits(model):  # the columns in which some row has something to learn, and no other
            columns = learned.any(0).nonzero().squeeze(1)
            logits = model(**given, logits_to_keep=columns).logits
            labels = labels[:, columns]
        else:
            logits = model(**given).logits[:, :-1]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100)

    def _example(self, row: Row) -> dict[str, Any]:
        ids, start = self.encode(row)
        return {"input_ids": ids, "labels": [-100] * start + ids[start:]}

    def _checked(self, example: dict[str, Any], row: Row) -> tuple[str, str]:
        """(prompt, target) as they decode from an example's ids; the target must be the completion and the end mark."""
        tokenizer = self.tokenizer
        learned = [token for token in example["labels"] if token != -100]
        prompt = tokenizer.decode(
            example["input_ids"][: len(example["labels"]) - len(learned)], skip_special_tokens=True
        )
        target = tokenizer.decode(learned)
        wanted = f"{self.task.completion(row)}{tokenizer.eos_token or ''}"
        if "".join(target.split()) != "".join(wanted.split()):
            raise PrerequisiteError(
                f"the tokenizer of {self.base!r} gives {target!r} where {wanted!r} is to be learned",
                remedy="use another base model: this one would learn something else than the labels.",
            )
        return prompt, target

    def _batch(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        import torch

        longest = max(len(example["input_ids"]) for example in examples)
        pad = _pad(self.tokenizer)
        ids = [e["input_ids"] + [pad] * (longest - len(e["input_ids"])) for e in examples]
        mask = [[1] * len(e["input_ids"]) + [0] * (longest - len(e["input_ids"])) for e in examples]
        labels = [e["labels"] + [-100] * (longest - len(e["labels"])) for e in examples]
        return {
            "input_ids": torch.tensor(ids),
            "attention_mask": torch.tensor(mask),
            "labels": torch.tensor(labels),
        }

    def _base_net(self) -> Any:
        import torch
        from transformers import AutoModelForCausalLM

        return self.weights.load_model(AutoModelForCausalLM, dtype=torch.float32)

    def base_state(self) -> dict[str, Any]:
        """The weights of the base model by name."""
        return dict(self._base_net().state_dict())

    def _fresh_net(self) -> Any:
        return self._to_train(self._base_net())

    def _to_train(self, base: Any) -> Any:
        """The base model with its adapter, where the method is one."""
        if self.recipe.method == "full":
            return base
        peft = _peft()
        config = peft.LoraConfig(
            r=self.recipe.rank,
            lora_alpha=self.recipe.alpha,
            lora_dropout=self.recipe.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        return peft.get_peft_model(base, config)

    def trained_parameters(self) -> int:
        """How many numbers a training changes; no weight is read for it.

        Raises:
            PrerequisiteError: the model's config cannot be had, or a package is missing.
        """
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        with quiet(), torch.device("meta"):
            model = self._to_train(AutoModelForCausalLM.from_config(self.weights.load(AutoConfig)))
        return sum(value.numel() for value in model.parameters() if value.requires_grad)

    async def losses(self, rows: Sequence[Row]) -> list[float]:
        """The summed cross entropy of each row's completion and its end mark in nats: how much of it the student does not know.

        Raises:
            BadInput: not trained yet, or a row that does not fit the task or the model.
        """
        checked = self.check(rows)
        _ = self.folder
        batcher: Batcher[Row, tuple[float, float]] = Batcher(
            self._row_losses, name=self.model, max_batch=_TOGETHER, linger=0.02
        )
        try:
            return await settled([self._row_loss(row, batcher) for row in checked])
        finally:
            await batcher.aclose()

    async def _row_loss(self, row: Row, batcher: Batcher[Row, tuple[float, float]]) -> float:
        inputs = {"text": row.text, "completion": self.task.completion(row)}
        call = Call(kind="student", model=self.model, revision=self.revision, params={"loss": True}, inputs=inputs)

        async def compute() -> tuple[Any, Cost]:
            loss, seconds = await batcher.submit(row)
            return loss, Cost(calls=1, seconds=seconds)

        value, _ = await self._store.ledger.once(call, compute)
        return float(value)

    def _row_losses(self, rows: list[Row]) -> list[tuple[float, float]]:
        """Of each row its loss and its share of the time in seconds."""
        import torch

        with self._working:
            device, started = self._ready(), time.perf_counter()
            losses = torch.zeros(len(rows), dtype=torch.double)
            with torch.inference_mode():
                for start in range(0, len(rows), _READ):
                    some = self._batch([self._example(row) for row in rows[start : start + _READ]])
                    batch = {name: value.to(device) for name, value in some.items()}
                    labels = batch["labels"][:, 1:]
                    given = {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}
                    likely = self._net(**given, use_cache=False).logits[:, :-1].float().log_softmax(-1)
                    each = -likely.gather(2, labels.clamp(min=0)[..., None]).squeeze(2) * (labels != -100)
                    losses[start : start + _READ] = each.double().sum(1).cpu()
            share = (time.perf_counter() - started) / len(rows)
        return [(loss, share) for loss in losses.tolist()]

    def _write(self, model: Any, out: Path) -> None:
        # the base by its name, and not where it lay on this machine: configs and the card that peft writes tell it
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        base.name_or_path = base.config._name_or_path = self.weights.model
        if self.recipe.method == "full":
            model.save_pretrained(out)
            self.tokenizer.save_pretrained(out)
            return
        model.peft_config["default"].base_model_name_or_path = self.weights.model
        # no embeddings are trained; "auto" would ask the model hub whether they were
        model.save_pretrained(out, save_embedding_layers=False)

    def _load(self, device: str) -> Any:
        import torch

        if self.recipe.method == "full":
            from transformers import AutoModelForCausalLM

            return AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32).eval().to(device)
        merged = _peft().PeftModel.from_pretrained(self._base_net(), str(self.folder)).merge_and_unload()
        return merged.eval().to(device)

    def _answer(self, texts: Sequence[str], device: str, *, scores: bool) -> list[Prediction]:
        import torch

        prompts = [self._prompt(text) for text in texts]
        self._fitting(texts, prompts)
        longest, pad = max(len(prompt) for prompt in prompts), _pad(self.tokenizer)
        ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=device)
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
        written = self._net.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=self._room(),
            pad_token_id=pad,
        )[:, longest:]
        said = self.tokenizer.batch_decode(written, skip_special_tokens=True)
        shares: list[dict[str, float] | None] = [None] * len(texts)
        if scores and self.task.classes:
            shares = list(self._scores(ids, mask))
        return [Prediction(text=text.strip(), scores=share) for text, share in zip(said, shares, strict=True)]

    def _room(self) -> int:
        """The most tokens of an answer: for labels enough to see that the longest one has ended, or that something else was begun."""
        return max(map(len, self._labels())) + 2 if self.task.classes else self.task.answer_tokens

    def _labels(self) -> list[list[int]]:
        """The token ids of each label with the end mark, as they are learned."""
        end = [] if self.tokenizer.eos_token_id is None else [self.tokenizer.eos_token_id]
        return [
            [*self.tokenizer(f" {label}", add_special_tokens=False, verbose=False).input_ids, *end]
            for label in self.task.classes
        ]

    def _scores(self, ids: Any, mask: Any) -> list[dict[str, float]]:
        """Per text the probability of each label among the labels: the softmax of their log-likelihoods."""
        import torch

        labels = self._labels()
        most, pad = max(len(label) for label in labels), _pad(self.tokenizer)
        tokens = torch.tensor([label + [pad] * (most - len(label)) for label in labels], device=ids.device)
        real = torch.tensor([[1] * len(label) + [0] * (most - len(label)) for label in labels], device=ids.device)
        found = []
        at_once = max(1, _TOGETHER // len(labels))
        for start in range(0, len(ids), at_once):
            likely = self._likelihoods(ids[start : start + at_once], mask[start : start + at_once], tokens, real)
            found += [dict(zip(self.task.classes, row, strict=True)) for row in torch.softmax(likely, 1).tolist()]
        return found

    def _likelihoods(self, ids: Any, mask: Any, tokens: Any, real: Any) -> Any:
        """Log-likelihoods (texts, labels). The prompts are read once; their cache is repeated for the labels."""
        import torch

        texts, (labels, most) = len(ids), tokens.shape
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        last = {"logits_to_keep": 1} if _takes_kept_logits(self._net) else {}  # the others would cost a fifth of it
        read = self._net(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, **last)
        first = read.logits[:, -1].float().log_softmax(-1)[:, tokens[:, 0]]  # (texts, labels)
        if most == 1:
            return first.double()
        cache = read.past_key_values
        cache.batch_repeat_interleave(labels)
        shown = tokens[:, :-1].repeat(texts, 1)
        longer = torch.cat([mask.repeat_interleave(labels, 0), real[:, :-1].repeat(texts, 1)], 1)
        places = positions[:, -1:].repeat_interleave(labels, 0) + 1 + torch.arange(most - 1, device=ids.device)
        more = self._net(
            input_ids=shown, attention_mask=longer, position_ids=places, past_key_values=cache, use_cache=True
        )
        after = more.logits.float().log_softmax(-1)
        wanted = tokens[:, 1:].repeat(texts, 1)
        each = after.gather(2, wanted[..., None]).squeeze(2) * real[:, 1:].repeat(texts, 1)
        return (first + each.sum(1).view(texts, labels)).double()


def _takes_kept_logits(model: Any) -> bool:
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(inner.forward).parameters


def _pad(tokenizer: Any) -> int:
    for token in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    return 0


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise PrerequisiteError(
            "a LoRA adapter needs the package peft, which is not installed", remedy="pip install 'inloop[students]'"
        ) from error
    return peft
