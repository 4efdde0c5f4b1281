"""Texts embedded and pairs judged a second of processor time, beside plain transformers and fastembed on the same weights in the same process.

Plain is what the model's card does, with texts put in order of their length first, as sentence-transformers does. fastembed is given our
ONNX export, and the texts in order. Ours starts from an empty ledger each time. All take the same texts in turn, with one thread each, so
that whatever else the machine does hits them alike; processor time is that of the whole process.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.util
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from inloop.runtime.settings import Settings
from inloop.runtime.store import Store
from inloop.tools.documents import Chunker, parse
from inloop.tools.encoders import open_text_embedder
from inloop.tools.entailment import open_nli, sentences

from .figures import Figure, Options

__all__ = ["measure"]

_BATCH = 32  # of sentence-transformers
_PAIRS = 200
_DOCS = Path(__file__).parent.parent / "docs"


def measure(options: Options) -> list[Figure]:
    """Texts a second of processor time, each way, and the ratios to plain transformers."""
    settings = Settings(device=options.device, threads=1)
    passages = _passages()
    spans = [span.text for passage in passages for span in sentences(passage)]
    pairs = [(passage[:300], spans[3 * place]) for place, passage in enumerate(passages[:_PAIRS])]
    return [
        *_embedded("passages of up to 900 characters", passages, settings, options.repeats),
        *_embedded("sentences", spans[:400], settings, options.repeats),
        *_judged(pairs, settings, options.repeats),
    ]


def _passages() -> list[str]:
    """The pages of `docs/` as `inloop index` cuts them."""
    chunker = Chunker()
    return [
        passage.indexed
        for path in sorted(_DOCS.glob("*.md"))
        for passage in chunker.passages(parse(path.read_bytes(), "text/markdown", id=path.name, name=path.name))
    ]


def _embedded(what: str, texts: list[str], settings: Settings, repeats: int) -> list[Figure]:
    embedders: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        for backend in ("torch", "onnx") if _installed("onnxruntime", "onnx", "onnxscript") else ("torch",):
            embedders[backend] = open_text_embedder(f"minilm?backend={backend}", store, settings)
            asyncio.run(embedders[backend].texts([f"{backend} {texts[0]}"]))
    torch_one = embedders["torch"]
    model, tokenizer = torch_one._model, torch_one._tokenizer

    def ours(embedder: Any) -> None:
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
            embedder._store = store
            asyncio.run(embedder.texts(texts))

    def plain() -> None:
        import torch

        for batch in _by_length(texts):
            coded = tokenizer(batch, padding=True, truncation=True, max_length=torch_one.window, return_tensors="pt")
            with torch.inference_mode():
                states = model(**coded.to(torch_one._device)).last_hidden_state
                mask = coded["attention_mask"][..., None]
                vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
            vectors.tolist()

    ways: dict[str, Callable[[], None]] = {"plain transformers": plain}
    ways |= {f"ours, {name}": partial(ours, embedder) for name, embedder in embedders.items()}
    if "onnx" in embedders and _installed("fastembed"):
        ways["fastembed"] = _fastembed(torch_one.weights.root, embedders["onnx"]._model.path, texts)
    return _compared(f"MiniLM, {len(texts)} {what}", len(texts), ways, repeats)


def _fastembed(tokenizer: Path, graph: Path, texts: list[str]) -> Callable[[], None]:
    """fastembed with the export that our backend onnx uses, and the tokenizer's files of the model."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    folder = Path(tempfile.mkdtemp(prefix="fastembed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(tokenizer / name, folder / name)
    (folder / "model.onnx").symlink_to(graph)
    name = f"minilm-{folder.name}"
    TextEmbedding.add_custom_model(
        model=name, pooling=PoolingType.MEAN, normalization=True, sources=ModelSource(hf="none/none"), dim=384,
        model_file="model.onnx",
    )  # fmt: skip
    ordered = sorted(texts, key=len)  # it does not put them in order itself
    embedding = TextEmbedding(name, specific_model_path=str(folder), threads=1)
    return lambda: [vector.tolist() for vector in embedding.embed(ordered, batch_size=_BATCH)] and None


def _installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in names)


def _judged(pairs: list[tuple[str, str]], settings: Settings, repeats: int) -> list[Figure]:
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        judge: Any = open_nli("mini?backend=torch", store, settings)
        asyncio.run(judge.judge(pairs[:1]))
        model, tokenizer = judge._model, judge.weights.load(AutoTokenizer)

    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
            judge._store = store
            asyncio.run(judge.judge(pairs))

    def plain() -> None:
        import torch

        for batch in _by_length(pairs):
            coded = tokenizer(*zip(*batch, strict=True), padding=True, truncation="only_first", return_tensors="pt")
            with torch.inference_mode():
                model(**coded.to(judge._device)).logits.softmax(-1).tolist()

    return _compared(
        f"mini-verifier, {len(pairs)} pairs", len(pairs), {"plain transformers": plain, "ours": ours}, repeats
    )


def _by_length(items: Sequence[Any]) -> list[list[Any]]:
    ordered = sorted(items, key=lambda item: len(item) if isinstance(item, str) else sum(map(len, item)))
    return [ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH)]


def _compared(what: str, count: int, ways: Mapping[str, Callable[[], None]], repeats: int) -> list[Figure]:
    """All ways in turn, and their ratios to the first, round by round."""
    for work in ways.values():
        work()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, work in ways.items():
            begun = time.process_time()
            work()
            rates[name].append(count / (time.process_time() - begun))
    first, *others = rates
    ratios = {name: [a / b for a, b in zip(rates[name], rates[first], strict=True)] for name in others}
    return [
        *(Figure.of(f"{what}: {name}", values, "a second of processor time") for name, values in rates.items()),
        *(Figure.of(f"{what}: {name} over {first}", values, "") for name, values in ratios.items()),
    ]
