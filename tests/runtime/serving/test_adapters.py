"""LoRA adapters: real folders with real safetensors files, and a server that speaks vLLM's requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from servers import Body, Endpoint, Handler, fails, serving

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.serving.process import adapters


def lora(folder: Path, *, width: int = 8, layer: int = 0, seed: int = 0, **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
    rng = np.random.default_rng(seed)
    tensors = {
        f"{name}.lora_A.weight": rng.normal(size=(4, width)).astype("float32"),
        f"{name}.lora_B.weight": rng.normal(size=(width, 4)).astype("float32"),
    }
    save_file(tensors, str(folder / "adapter_model.safetensors"))
    known = {"r": 4, "lora_alpha": 8, "base_model_name_or_path": "org/base", "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(known | config), encoding="utf-8")
    return folder


class Vllm:
    """Loads, lists and unloads as vLLM does."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint, self.loaded = endpoint, dict[str, str]()
        self.lies = False
        endpoint.behaviours = [self.answer]
        self.list()

    def list(self) -> None:
        rows = [{"id": "base", "parent": None}]
        rows += [{"id": name, "parent": "base", "root": path} for name, path in self.loaded.items()]
        self.endpoint.listing = {"data": rows}

    def answer(self, handler: Handler, body: Body) -> None:
        name = body["lora_name"]
        if handler.path.endswith("/unload_lora_adapter"):
            if self.loaded.pop(name, None) is None:
                return fails(404, f"The lora adapter '{name}' cannot be found.")(handler, body)
        elif name in self.loaded and not body.get("load_inplace"):
            return fails(400, "has already been loaded")(handler, body)
        elif not self.lies:
            self.loaded[name] = body["lora_path"]
        self.list()
        return handler.raw(b"Success", headers={"content-type": "text/plain"})


@pytest.fixture
def server() -> Iterator[Vllm]:
    with serving() as endpoint:
        yield Vllm(endpoint)


def test_load_replace_list_and_unload(server: Vllm, tmp_path: Path) -> None:
    url, folder = server.endpoint.url, lora(tmp_path / "support")
    first = adapters.find_adapter(f"help={folder}", tmp_path)
    adapters.load_adapter(url, first, tmp_path)
    assert adapters.listed(url)["help"]["parent"] == "base"
    path = server.loaded["help"]
    assert Path(path).name == first.revision[:16]  # vLLM keeps prefixes by path: changed weights need another one
    lora(folder, seed=1)
    second = adapters.find_adapter(f"help={folder}", tmp_path)
    assert second.revision != first.revision
    adapters.load_adapter(url, second, tmp_path)
    assert server.loaded["help"] != path
    adapters.unload_adapter(url, "help")
    assert set(adapters.listed(url)) == {"base"}
    with pytest.raises(PrerequisiteError, match="cannot be found"):
        adapters.unload_adapter(url, "help")


def test_a_server_that_only_says_yes_or_cannot(server: Vllm, tmp_path: Path) -> None:
    adapter = adapters.find_adapter(str(lora(tmp_path / "support")), tmp_path)
    assert adapter.name == "support"
    server.lies = True
    with pytest.raises(PrerequisiteError, match="does not list it"):
        adapters.load_adapter(server.endpoint.url, adapter, tmp_path)
    server.endpoint.behaviours = [fails(404, "Not Found")]
    with pytest.raises(PrerequisiteError, match="inloop serve"):
        adapters.load_adapter(server.endpoint.url, adapter, tmp_path)
    server.endpoint.behaviours = [fails(500, "rank 64 is greater than max_lora_rank 16")]
    with pytest.raises(PrerequisiteError, match="max_lora_rank"):
        adapters.load_adapter(server.endpoint.url, adapter, tmp_path)
    with pytest.raises(PrerequisiteError, match="--status"):
        adapters.load_adapter("http://127.0.0.1:9/v1", adapter, tmp_path)


def test_folders_that_are_no_adapters(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    dora = lora(tmp_path / "dora", use_dora=True)
    no_weights = lora(tmp_path / "bare")
    (no_weights / "adapter_model.safetensors").unlink()
    good = lora(tmp_path / "good")
    for spec, words in (
        (str(tmp_path / "nowhere"), "holds no LoRA"),
        (str(tmp_path / "empty"), "adapter_config.json"),
        (str(dora), "DoRA"),
        (str(no_weights), "adapter_model"),
        (f"a/b={good}", "cannot be the name"),
        (f"smollm2={good}", "name of a model"),
    ):
        with pytest.raises(BadInput, match=words):
            adapters.find_adapter(spec, tmp_path)


def test_an_adapter_of_another_base(tmp_path: Path) -> None:
    adapter = adapters.find_adapter(str(lora(tmp_path / "a", width=16, layer=3)), tmp_path)
    adapters.check_base(adapter, {"hidden_size": 16, "num_hidden_layers": 4})
    adapters.check_base(adapter, {"text_config": {"hidden_size": 16, "num_hidden_layers": 4}})
    with pytest.raises(BadInput, match=r"another base.*reads 16.*have 32.*org/base"):
        adapters.check_base(adapter, {"hidden_size": 32, "num_hidden_layers": 4})
    with pytest.raises(BadInput, match="layer 3, the model has 2"):
        adapters.check_base(adapter, {"hidden_size": 16, "num_hidden_layers": 2})
    (adapter.folder / "adapter_model.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(BadInput, match="no safetensors"):
        adapters.check_base(adapter, {"hidden_size": 16, "num_hidden_layers": 4})


@pytest.mark.parametrize("role", ["writer", "answerer"])
def test_the_bundled_ones_fit_their_base(role: str, tmp_path: Path) -> None:
    adapter = adapters.find_adapter(f"mini-{role}", tmp_path)
    assert (adapter.name, adapter.rank) == (f"mini-{role}", 16)
    adapters.check_base(adapter, {"hidden_size": 576, "num_hidden_layers": 30})
    assert adapters.gguf_of(adapter, tmp_path, 64).name == f"{role}.gguf"
    with pytest.raises(BadInput, match="another base"):
        adapters.check_base(adapter, {"hidden_size": 960, "num_hidden_layers": 32})


def test_an_adapter_becomes_gguf_once(tmp_path: Path) -> None:
    pytest.importorskip("gguf", reason="the extra train is not installed: pip install 'inloop[train]'")
    adapter = adapters.find_adapter(str(lora(tmp_path / "a", width=16)), tmp_path)
    made = adapters.gguf_of(adapter, tmp_path / "cache", 8)
    assert made.read_bytes()[:4] == b"GGUF"
    stamp = made.stat().st_mtime_ns
    assert adapters.gguf_of(adapter, tmp_path / "cache", 8).stat().st_mtime_ns == stamp
