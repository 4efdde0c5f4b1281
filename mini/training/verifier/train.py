"""`mini-verifier`: MiniLM-L6 as a cross-encoder that says whether a source supports a statement, contradicts it, or does not tell.

What is bundled is the difference to the weights that inloop fetches anyway, in eight bits (`runtime.models.delta`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ....runtime.settings import Settings
from ..loop import fit, keep_curves, write_sums
from .rows import OUTCOMES, Row, Rows
from .texts import collect
from .wordnet import WordNet

__all__ = ["encode", "load_base", "train_verifier"]

BATCH, TOKENS, RATE = 48, 128, 1.2e-4
THRESHOLDS = {"entails": 0.95, "pertinent": 0.5, "stance": 0.95, "contradicts": 0.99, "spoken_of": 0.8}
"""From where on it is believed, set on the statements of `benchmarks/statements.py`: there, under the rules, 8 of 1,276 false ones
stand. "spoken_of": the share of a claim's words that a source must have to be judged."""


def load_base() -> tuple[Any, Any]:
    """MiniLM with a new head of three outcomes, without dropout, and its tokenizer; what it reads words by stays as it is."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from ....runtime.models import fetch

    folder = fetch("minilm", Settings.load().cache_dir)
    labels = dict(enumerate(("entailment", "contradiction", "neutral")))
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, id2label=labels, label2id={name: number for number, name in labels.items()},
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, classifier_dropout=0.0,
    )  # fmt: skip
    for name, parameter in model.named_parameters():
        parameter.requires_grad = ".embeddings." not in name
    return model, AutoTokenizer.from_pretrained(folder)


def encode(tokenizer: Any, rows: list[Row]) -> dict[str, Tensor]:
    """A batch; of a pair that is too long the end of the longer text is cut."""
    coded: dict[str, Tensor] = tokenizer(
        [row.premise for row in rows], [row.statement for row in rows],
        truncation="longest_first", max_length=TOKENS, padding=True, pad_to_multiple_of=16, return_tensors="pt",
    )  # fmt: skip
    return coded


def train_verifier(work: Path, out: Path, *, steps: int, device: str, report: Callable[[str], None] = print) -> None:
    """Train it, resumable in `work`, and write its delta to `out`.

    Raises:
        PrerequisiteError: the texts are not here.
    """
    from ....runtime.models import DELTA, fetch, write_delta

    texts = collect(work)
    rows = Rows(texts.train, texts.claims, WordNet.read(texts.wordnet))
    torch.manual_seed(5)
    model, tokenizer = load_base()
    model.to(device)

    def loss_of(step: int) -> Tensor:
        rng = random.Random(5_000_000 + step // 4)
        drawn = sorted(
            (rows.draw(rng) for _ in range(4 * BATCH)), key=lambda row: len(row.premise) + len(row.statement)
        )
        batch = drawn[step % 4 * BATCH :][:BATCH]
        coded = {name: tensor.to(device) for name, tensor in encode(tokenizer, batch).items()}
        truth = torch.tensor([OUTCOMES.index(row.outcome) for row in batch], device=device)
        return F.cross_entropy(model(**coded).logits.float(), truth, label_smoothing=0.02)

    fit(model, loss_of, name="verifier", steps=steps, rate=RATE, checkpoint=work / "verifier.pt", report=report)
    out.mkdir(parents=True, exist_ok=True)
    tuned = {
        name.removeprefix("bert."): parameter.detach().float().cpu().numpy()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
    base = fetch("minilm", Settings.load().cache_dir)
    write_delta(base, tuned, out / DELTA)
    config = {**model.config.to_dict(), "base_model": "minilm", "thresholds": THRESHOLDS}
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    keep_curves(out, work, "verifier")
    write_sums(out)
