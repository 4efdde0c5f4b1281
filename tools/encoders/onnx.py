"""Text embedders by ONNX Runtime: the same weights, exported once and kept in the cache.

What it gains is the start: neither torch nor transformers is imported, so that a first question is embedded in half a second and not in
five. An export is kept when its vectors are those of torch to `_SAME`; it is made by `torch.onnx` from the weights that `find_weights`
gave, so no other file is ever fetched. On the processor alone.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...runtime.errors import PrerequisiteError
from ...runtime.store import disk_problem, draft_of
from ..models import Weights, quiet
from .text import LocalTextEmbedder

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PACKAGES", "OnnxTextEmbedder", "exported"]

PACKAGES = ("onnxruntime", "onnx", "onnxscript")
"""What the extra `onnx` brings."""

_GRAPH, _TOKENIZER, _STATES = "model.onnx", "tokenizer.json", "last_hidden_state"
_SAME = 1e-4  # of a hidden state, whose numbers are about 1; of unit vectors it is less than 1e-5
_REMEDY = "pip install 'inloop[onnx]', or take the backend torch"
_PROBES = ("a", "It was opened in 1932, and carries a road.")


class OnnxTextEmbedder(LocalTextEmbedder):
    """A `TextEmbedder` by ONNX Runtime; see `open_text_embedder`."""

    def _set_up(self) -> str:
        if self._settings.device not in ("auto", "cpu"):
            raise PrerequisiteError(
                f"the backend onnx computes on the processor, and the device is {self._settings.device!r}",
                remedy="set INLOOP_DEVICE to cpu, or take the backend torch",
            )
        _package("onnxruntime")
        return "cpu"

    def _quiet(self) -> AbstractContextManager[None]:
        return nullcontext()  # nothing here chats, and to silence transformers would import it

    def _load(self, device: str) -> None:
        from tokenizers import Tokenizer

        folder = exported(self.weights, self._settings.cache_dir)
        self._tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self._tokenizer.no_truncation()
        pad = (self._tokenizer.padding or {}).get("pad_id", 0)
        self._tokenizer.no_padding()
        self._frame(pad)
        self._model = _session(folder / _GRAPH, self._settings.threads)

    def _ids(self, texts: list[str], special: bool = False) -> list[list[int]]:
        return [coded.ids for coded in self._tokenizer.encode_batch(texts, add_special_tokens=special)]

    def _states(self, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        return _run(self._model, ids, mask)


def exported(weights: Weights, cache_dir: Path) -> Path:
    """The folder with the model as an ONNX graph and its tokenizer, exported on the first call.

    Raises:
        PrerequisiteError: a package is missing, the model cannot be exported or gives other vectors then, or the disk is full.
    """
    folder = cache_dir / "converted" / f"{weights.model}-{weights.revision[:12]}-onnx"
    if (folder / _GRAPH).is_file():
        return folder
    for name in PACKAGES:
        _package(name)
    part = draft_of(folder)
    try:
        part.mkdir(parents=True)
        with quiet(), _silent():
            _export(weights, part)
        part.replace(folder)
    except OSError as error:
        if not (folder / _GRAPH).is_file():  # else somebody else was faster
            raise disk_problem(error, folder) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _export(weights: Weights, out: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer = weights.load(AutoTokenizer)
    model = weights.load(AutoModel, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer.backend_tokenizer.enable_padding(pad_id=tokenizer.pad_token_id or 0)  # only to keep that number
    tokenizer.backend_tokenizer.save(str(out / _TOKENIZER))
    coded = tokenizer(list(_PROBES), padding=True, return_tensors="pt")
    given = {name: coded[name] for name in ("input_ids", "attention_mask")}
    sizes = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens")}
    torch.onnx.export(
        model, (), str(out / _GRAPH), kwargs=given, input_names=list(given), output_names=[_STATES],
        dynamic_shapes=dict.fromkeys(given, sizes), dynamo=True, external_data=False, verbose=False,
    )  # fmt: skip
    with torch.inference_mode():
        expected = model(**given).last_hidden_state.numpy()
    ids, mask = (each.numpy() for each in given.values())
    apart = np.abs(_run(_session(out / _GRAPH, None), ids, mask) - expected)[mask == 1].max()
    if not apart <= _SAME * max(1.0, float(np.abs(expected).max())):
        raise PrerequisiteError(
            f"{weights.spec!r} computes something else as an ONNX graph (by up to {apart:.2g})",
            remedy="take the backend torch.",
        )


def _session(graph: Path, threads: int | None) -> Any:
    ort = _package("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as `runtime.threads` has it
    return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def _run(session: Any, ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
    [states] = session.run([_STATES], {"input_ids": ids, "attention_mask": mask})
    return np.asarray(states, dtype=np.float32)


def _package(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PrerequisiteError(f"the backend onnx needs the package {name}: {error}", remedy=_REMEDY) from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """The exporter tells of operators that no text model has."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
