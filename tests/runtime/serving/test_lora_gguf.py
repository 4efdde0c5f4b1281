"""The LoRA exporter against peft: a small random Llama model served by llama.cpp, with and without the adapter."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch

from inloop.runtime.errors import BadInput
from inloop.runtime.serving.llama_server import LocalServer
from inloop.runtime.serving.lora_gguf import export_lora

gguf = pytest.importorskip("gguf", reason="the extra train is not installed: pip install 'inloop[train]'")
peft = pytest.importorskip("peft", reason="the extra train is not installed: pip install 'inloop[train]'")

HEAD, HEADS, KV_HEADS, WIDTH, FEED, LAYERS = 32, 4, 2, 96, 128, 2
PROMPT = [5, 17, 44, 100, 7, 250, 33]
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def byte_letters() -> list[str]:
    """The 256 letters of byte-level BPE, in the order of the bytes."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return [bytes_to_unicode()[byte] for byte in range(256)]


def llama_cpp_rows(weight: Any) -> Any:
    """The rows of a query or key weight where llama.cpp wants them, spelled out row by row."""
    order = [
        head * HEAD + half * (HEAD // 2) + place
        for head in range(weight.shape[0] // HEAD)
        for place in range(HEAD // 2)
        for half in range(2)
    ]
    return weight[order]


def write_base(model: Any, out: Path) -> None:
    """The model as a float32 GGUF file with a tokenizer of single bytes."""
    writer = gguf.GGUFWriter(out, "llama")
    config = model.config
    writer.add_block_count(LAYERS)
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*byte_letters(), "ab", "<s>", "</s>"])
    writer.add_token_types([1] * 257 + [3, 3])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(257)
    writer.add_eos_token_id(258)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, LAYERS)
    for name, tensor in model.state_dict().items():
        array = tensor.float().numpy()
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            array = llama_cpp_rows(array)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), array.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def served_logprobs(model: Path, adapter: Path | None) -> dict[str, float]:
    """Token to log-probability after PROMPT, as the server gives it."""
    with LocalServer(model, adapter, threads=1, n_ctx=128) as server:
        body = {"prompt": PROMPT, "n_predict": 1, "n_probs": 100, "temperature": 0.0}
        request = urllib.request.Request(
            server.url.removesuffix("/v1") + "/completion",
            data=json.dumps(body).encode(),
            headers={"authorization": f"Bearer {server.api_key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            got = json.load(answer)
    return {str(entry["id"]): entry["logprob"] for entry in got["completion_probabilities"][0]["top_logprobs"]}


def furthest(served: dict[str, float], logits: Any) -> float:
    logprobs = logits[0, -1].log_softmax(-1)
    return max(abs(value - float(logprobs[int(token)])) for token, value in served.items())


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=259, hidden_size=WIDTH, intermediate_size=FEED, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD, max_position_embeddings=512,
        initializer_range=0.2, bos_token_id=257, eos_token_id=258,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    path = tmp_path_factory.mktemp("base") / "base.gguf"
    write_base(model, path)
    return model, path


def adapted(model: Any, modules: list[str]) -> Any:
    """The model under a random adapter whose B is not zero."""
    import copy

    made = peft.get_peft_model(copy.deepcopy(model), peft.LoraConfig(r=4, lora_alpha=12, target_modules=modules)).eval()
    torch.manual_seed(1)
    with torch.no_grad():
        for name, value in made.named_parameters():
            if "lora_" in name:
                value.copy_(torch.randn_like(value) * 0.2)
    return made


@pytest.mark.parametrize("modules", [["q_proj", "k_proj"], MODULES])
def test_llama_cpp_computes_what_peft_computes(base: tuple[Any, Path], tmp_path: Path, modules: list[str]) -> None:
    model, path = base
    ids = torch.tensor([PROMPT])
    with_adapter = adapted(model, modules)
    state = peft.get_peft_model_state_dict(with_adapter)
    out = export_lora(state, alpha=12, rank=4, out=tmp_path / "a.gguf", head_dim=HEAD, half=False)
    halved = export_lora(state, alpha=12, rank=4, out=tmp_path / "half.gguf", head_dim=HEAD)
    wrong = export_lora(
        state, alpha=12, rank=4, out=tmp_path / "wrong.gguf", head_dim=2, half=False
    )  # rows as they are
    with torch.no_grad():
        plain, tuned = model(ids).logits, with_adapter(ids).logits
    assert furthest(served_logprobs(path, None), plain) < 0.02
    assert furthest(served_logprobs(path, out), tuned) < 0.02
    assert furthest(served_logprobs(path, halved), tuned) < 0.05
    assert furthest(served_logprobs(path, None), tuned) > 0.2
    assert furthest(served_logprobs(path, wrong), tuned) > 0.2
    assert halved.stat().st_size < out.stat().st_size


def test_what_is_no_lora_of_a_llama_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "a.gguf"
    a, b = torch.zeros(4, 8), torch.zeros(64, 4)
    module = "base_model.model.model.layers.0.self_attn.q_proj"
    for state, says in (
        ({}, "no tensors"),
        ({"base_model.model.lm_head.lora_A.weight": a}, "lm_head"),
        ({f"{module}.lora_A.weight": a}, "only lora_A"),
        ({f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b[:, :2]}, "rank 4"),
        ({f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b[:40]}, "head_dim"),
        ({f"{module}x.lora_A.weight": a, f"{module}x.lora_B.weight": b}, "counterpart"),
    ):
        with pytest.raises(BadInput, match=says):
            export_lora(state, alpha=8, rank=4, out=out, head_dim=32)
        assert not out.exists() and not list(tmp_path.iterdir())
