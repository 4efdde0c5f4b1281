"""`mini-writer`: a LoRA adapter that teaches SmolLM2-135M-Instruct the roles of rewriter and questioner.

The loss is taken on the answers alone. The adapter is written twice: for peft, and as GGUF for the embedded server.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...tools.models import is_fast_in_bfloat16
from .loop import fit, write_sums
from .writer_rows import Row, rows

__all__ = ["encode", "load_base", "train_writer"]

RANK, ALPHA, BATCH, CHUNK = 16, 32, 12, 4
FIRST_LAYER = 12  # the lower layers read English well enough; leaving them alone saves a third of the time


def load_base(dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
    """SmolLM2-135M-Instruct and its tokenizer, converted once from the fetched GGUF file."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ...runtime.models import fetch
    from ...runtime.serving import model_folder
    from ...runtime.settings import Settings

    cache = Settings.load().cache_dir
    folder = model_folder(fetch("smollm2", cache), cache)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=dtype), AutoTokenizer.from_pretrained(folder)


def encode(tokenizer: Any, row: Row) -> tuple[list[int], int]:
    """Token ids of the whole exchange, and where its answer begins."""
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": row.prompt}], add_generation_prompt=True, tokenize=False
    )
    head = tokenizer(asked, add_special_tokens=False).input_ids
    return head + tokenizer(row.answer + "<|im_end|>", add_special_tokens=False).input_ids, len(head)


def train_writer(work: Path, out: Path, *, steps: int, device: str, report: Callable[[str], None] = print) -> None:
    """Train the adapter and write it in fp16."""
    from peft import LoraConfig, get_peft_model

    from ...runtime.serving import export_lora

    torch.manual_seed(4)
    half = is_fast_in_bfloat16(torch.device(device))
    base, tokenizer = load_base(torch.bfloat16 if half else torch.float32)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    layers = list(range(FIRST_LAYER, base.config.num_hidden_layers))
    model = get_peft_model(
        base.to(device), LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, layers_to_transform=layers)
    )
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    inner = model.get_base_model()

    def loss_of(step: int) -> Tensor:
        chunk = list(itertools.islice(rows(4_000_000 + step // CHUNK), BATCH * CHUNK))
        encoded = sorted((encode(tokenizer, row) for row in chunk), key=lambda pair: len(pair[0]))
        batch = encoded[step % CHUNK * BATCH :][:BATCH]
        length = max(len(ids) for ids, _ in batch)
        ids = torch.full((len(batch), length), tokenizer.pad_token_id, dtype=torch.long)
        mask, answer = torch.zeros_like(ids), torch.zeros_like(ids, dtype=torch.bool)
        for i, (tokens, start) in enumerate(batch):
            ids[i, : len(tokens)] = torch.tensor(tokens)
            mask[i, : len(tokens)] = 1
            answer[i, start : len(tokens)] = True
        ids, mask, answer = ids.to(device), mask.to(device), answer.to(device)
        states = inner.model(input_ids=ids, attention_mask=mask).last_hidden_state
        logits = inner.lm_head(states[:, :-1][answer[:, 1:]])
        return F.cross_entropy(logits.float(), ids[:, 1:][answer[:, 1:]])

    fit(
        model,
        loss_of,
        name="writer",
        steps=steps,
        rate=2e-3,
        checkpoint=work / "writer.pt",
        weight_decay=0.0,
        report=report,
    )
    out.mkdir(parents=True, exist_ok=True)
    model.peft_config[
        "default"
    ].base_model_name_or_path = "HuggingFaceTB/SmolLM2-135M-Instruct"  # not where it lay here
    model.to(torch.float16).save_pretrained(out)
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items() if "lora_" in name}
    export_lora(state, alpha=ALPHA, rank=RANK, out=out / "writer.gguf")
    write_sums(out)
