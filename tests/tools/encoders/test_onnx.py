"""The backend onnx: the vectors of torch, without torch, from the same weights."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from inloop.runtime.errors import BadInput, PrerequisiteError
from inloop.runtime.store.open import Store
from inloop.tools.encoders import open_text_embedder
from inloop.tools.index.open import open_index

for _part in ("onnxruntime", "onnx", "onnxscript"):
    pytest.importorskip(_part, reason="the extra onnx is not installed: pip install 'inloop[onnx]'")

TEXTS = ["a red disc", "two stars on the left of a blue box", "box", "is there a star in the picture ? " * 9]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Where the export is kept: it takes seconds, and is the same for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def here(settings, cache):
    return settings.model_copy(update={"cache_dir": cache})


async def vectors(spec, settings, folder, texts=TEXTS):
    with Store(folder) as store:
        embedder = open_text_embedder(spec, store, settings)
        got = np.array(await embedder.texts(texts))
        await embedder.aclose()
    return got


@pytest.mark.parametrize("pool", ["mean", "cls", "max", "lasttoken"])
async def test_vectors_are_those_of_torch(bert_folder, here, tmp_path, pool):
    spec = f"{bert_folder}?tokens=24&pool={pool}"
    ours = await vectors(f"{spec}&backend=onnx", here, tmp_path / "onnx")
    assert np.abs(ours - await vectors(spec, here, tmp_path / "torch")).max() < 1e-5
    alone = await vectors(f"{spec}&backend=onnx", here, tmp_path / "alone", TEXTS[1:2])
    assert (alone[0] == ours[1]).all()


async def test_an_index_may_be_made_with_one_and_searched_with_the_other(bert_folder, here, tmp_path):
    from inloop.runtime.passages import Passage

    by_setting = here.model_copy(update={"backend": "onnx"})
    with Store(tmp_path / "store") as store:
        torch, onnx = (open_text_embedder(str(bert_folder), store, each) for each in (here, by_setting))
        assert type(torch) is not type(onnx) and (torch.model, torch.revision) == (onnx.model, onnx.revision)
        index = await open_index("memory:", text=torch)
        await index.upsert([Passage(id=text, document=text, text=text, end=len(text)) for text in TEXTS])
        index._text = onnx
        [[hit]] = await index.search(["two stars on the left of a blue box"], k=1, mode="dense")
        assert hit.passage.id == TEXTS[1] and hit.scores["dense"] == pytest.approx(1, abs=1e-5)
        assert not onnx.loaded  # the ledger has what torch embedded
        await torch.aclose()


def test_a_first_text_needs_no_torch(bert_folder, here, tmp_path):
    code = (
        "import asyncio, json, sys\nfrom pathlib import Path\n"
        "from inloop.runtime.settings import Settings\nfrom inloop.runtime.store import Store\n"
        "from inloop.tools.encoders import open_text_embedder\n"
        "spec, cache, folder = sys.argv[1:]\n"
        "with Store(Path(folder)) as store:\n"
        "    embedder = open_text_embedder(spec, store, Settings(cache_dir=cache))\n"
        "    [vector] = asyncio.run(embedder.texts(['a red disc']))\n"
        "print(json.dumps([len(vector), *sys.modules]))"
    )
    for folder in ("export", "later"):
        command = [sys.executable, "-c", code, f"{bert_folder}?backend=onnx", str(here.cache_dir), tmp_path / folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    width, *loaded = json.loads(done.stdout)
    assert width > 1 and "onnxruntime" in loaded and not {"torch", "transformers"}.intersection(loaded)


def test_auto_takes_it_for_minilm_where_there_is_no_gpu(bert_folder, here, tmp_path, monkeypatch):
    from inloop.runtime import models

    folder = shutil.copytree(bert_folder, tmp_path / "minilm")
    monkeypatch.setattr(models, "fetch", lambda name, cache, progress=None: folder)
    monkeypatch.setattr("inloop.tools.models.onnx.is_processor", lambda name: name in ("auto", "cpu"))
    with Store(tmp_path / "store") as store:

        def kind(spec, **changes):
            return type(open_text_embedder(spec, store, here.model_copy(update=changes))).__name__

        assert kind("minilm") == "OnnxTextEmbedder" == kind("minilm?backend=onnx", backend="torch")
        assert kind("minilm", device="cuda") == "LocalTextEmbedder" == kind("minilm?backend=torch")
        assert kind(str(bert_folder)) == "LocalTextEmbedder" == kind("minilm", backend="torch")
        monkeypatch.setattr("inloop.tools.models.onnx.find_spec", lambda name: None)
        assert kind("minilm") == "LocalTextEmbedder"


async def test_what_cannot_be_is_said(bert_folder, here, tmp_path, monkeypatch):
    with Store(tmp_path / "store") as store:
        with pytest.raises(BadInput, match="no backend 'tvm'; there are auto, torch, onnx"):
            open_text_embedder(f"{bert_folder}?backend=tvm", store, here)
        elsewhere = here.model_copy(update={"device": "cuda"})
        with pytest.raises(PrerequisiteError, match="'cuda'"):
            await open_text_embedder(f"{bert_folder}?backend=onnx", store, elsewhere).texts(["box"])
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(PrerequisiteError, match="needs the package onnxruntime") as missing:
            await open_text_embedder(f"{bert_folder}?backend=onnx", store, here).texts(["star"])
        assert "inloop[onnx]" in missing.value.remedy


async def test_auto_takes_torch_where_onnx_turns_out_not_to_work(bert_folder, here, tmp_path, monkeypatch, caplog):
    from inloop.runtime import models

    folder = shutil.copytree(bert_folder, tmp_path / "minilm")
    monkeypatch.setattr(models, "fetch", lambda name, cache, progress=None: folder)
    monkeypatch.setattr("inloop.tools.models.onnx.find_spec", lambda name: True)  # it is installed, and broken
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    processor = here.model_copy(update={"device": "cpu"})
    with caplog.at_level("WARNING"):
        ours = await vectors("minilm", processor, tmp_path / "auto")
    assert (ours == await vectors(str(folder), processor, tmp_path / "torch")).all()
    assert (
        "minilm" in caplog.text.lower() and "by torch" in caplog.text and "needs the package onnxruntime" in caplog.text
    )
    with pytest.raises(PrerequisiteError, match="needs the package onnxruntime"):
        await vectors("minilm?backend=onnx", processor, tmp_path / "onnx")


async def test_missing_weights_are_no_fault_of_the_disk(bert_folder, here, tmp_path):
    folder = shutil.copytree(bert_folder, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(PrerequisiteError, match="cannot be loaded") as raised:
        await vectors(f"{folder}?backend=onnx", here, tmp_path / "store")
    assert "converted" not in str(raised.value)


async def test_two_heads_of_one_model_are_two_graphs(bert_folder, settings, tmp_path):
    from inloop.tools.models import OnnxGraph, find_weights

    weights = find_weights(str(bert_folder), "text", tmp_path)
    here = settings.model_copy(update={"cache_dir": tmp_path})
    asked = {"AutoModel": "last_hidden_state", "AutoModelForSequenceClassification": "logits"}
    graphs = {
        OnnxGraph(weights, here, head=head, output=output, inputs=("input_ids", "attention_mask")).path
        for head, output in asked.items()
    }
    assert len(graphs) == 2
