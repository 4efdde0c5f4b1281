"""How the LoRA adapters of SmolLM2-135M-Instruct are trained: on exchanges, the loss taken on the answers alone.

An adapter is written twice: for peft, and as GGUF for the embedded server.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...runtime.records import Message
from ...tools.models import is_fast_in_bfloat16
from .loop import fit, keep_curves, write_sums

__all__ = ["Exchange", "encode", "load_base", "train_adapter"]

RANK, ALPHA, BATCH, CHUNK = 16, 32, 12, 4
FIRST_LAYER = 12  # the lower layers read English well enough; leaving them alone saves a third of the time


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """What the model is sent, and what it is taught to answer.

    `weight`: of each token of the answer in the loss. Where answers are of unlike length, one of a single word counts for nothing without it.
    """

    messages: Sequence[Message]
    answer: str
    weight: float = 1.0


def load_base(dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """SmolLM2-135M-Instruct and its tokenizer, converted once from the fetched GGUF file."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ...runtime.models import fetch
    from ...runtime.serving import model_folder
    from ...runtime.settings import Settings

    cache = Settings.load().cache_dir
    folder = model_folder(fetch("smollm2", cache), cache)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype), AutoTokenizer.from_pretrained(folder)


def encode(tokenizer: Any, exchange: Exchange) -> tuple[list[int], int]:
    """Token ids of a whole exchange, and where its answer begins."""
    asked = tokenizer.apply_chat_template(
        [message.model_dump(include={"role", "content"}) for message in exchange.messages],
        add_generation_prompt=True, tokenize=False,
    )  # fmt: skip
    head = tokenizer(asked, add_special_tokens=False).input_ids
    return head + tokenizer(exchange.answer + "<|im_end|>", add_special_tokens=False).input_ids, len(head)


def train_adapter(
    work: Path,
    out: Path,
    *,
    name: str,
    exchanges: Callable[[int], Iterator[Exchange]],
    seed: int,
    steps: int,
    rate: float,
    device: str,
    first_layer: int = FIRST_LAYER,
    warm_up: int = 100,
    start: Path | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Train the adapter `name` and write it in fp16 into the folder `out`.

    Args:
        work: holds the checkpoint, from which an interrupted training goes on.
        out: the folder of the finished adapter.
        name: of the adapter, its checkpoint and its GGUF file.
        exchanges: an endless stream of them by its seed; one stream makes `CHUNK` batches of rows of like length.
        seed: of the adapter's first weights.
        steps: of `BATCH` exchanges each.
        rate: the highest learning rate.
        device: as torch names it.
        first_layer: the layers below it stay as they are.
        warm_up: steps in which the rate rises.
        start: a folder of a finished adapter of the same shape, to go on from.
        report: is told how far it is.
    """
    from peft import LoraConfig, get_peft_model, load_peft_weights, set_peft_model_state_dict

    from ...runtime.serving import export_lora

    torch.manual_seed(seed)
    half = is_fast_in_bfloat16(torch.device(device))
    base, tokenizer = load_base(torch.bfloat16 if half else torch.float32)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    layers = list(range(first_layer, base.config.num_hidden_layers))
    model = get_peft_model(
        base.to(device), LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, layers_to_transform=layers)
    )
    if start is not None:
        set_peft_model_state_dict(model, load_peft_weights(str(start), device=device))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    inner = model.get_base_model()
    inner.set_attn_implementation("eager")  # rows are short: the fused kernel costs a third of a step on a processor

    @functools.lru_cache(maxsize=1)
    def chunk(number: int) -> list[tuple[list[int], int, float]]:
        rows = itertools.islice(exchanges(number), BATCH * CHUNK)
        return sorted(((*encode(tokenizer, row), row.weight) for row in rows), key=lambda entry: len(entry[0]))

    def loss_of(step: int) -> Tensor:
        batch = chunk(step // CHUNK)[step % CHUNK * BATCH :][:BATCH]
        length = max(len(ids) for ids, _, _ in batch)
        ids = torch.full((len(batch), length), tokenizer.pad_token_id, dtype=torch.long)
        mask, weights = torch.zeros_like(ids), torch.zeros(ids.shape)
        for i, (tokens, start, weight) in enumerate(batch):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            mask[i, : len(tokens)] = 1
            weights[i, start : len(tokens)] = weight
        ids, mask, weights = ids.to(device), mask.to(device), weights.to(device)[:, 1:]
        answer = weights > 0
        # the adapter itself is kept in float32
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=half):
            states = inner.model(input_ids=ids, attention_mask=mask).last_hidden_state
            logits = inner.lm_head(states[:, :-1][answer])
        losses = F.cross_entropy(logits.float(), ids[:, 1:][answer], reduction="none")
        return (losses * weights[answer]).sum() / weights.sum()

    fit(
        model, loss_of, name=name, steps=steps, rate=rate, checkpoint=work / f"{name}.pt", weight_decay=0.0, warm_up=warm_up,
        report=report,
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    model.peft_config[
        "default"
    ].base_model_name_or_path = "HuggingFaceTB/SmolLM2-135M-Instruct"  # not where it lay here
    model.to(torch.float16).save_pretrained(out)
    state = {key: tensor.cpu() for key, tensor in model.state_dict().items() if "lora_" in key}
    export_lora(state, alpha=ALPHA, rank=RANK, out=out / f"{name}.gguf")
    keep_curves(out, work, name)
    write_sums(out)
