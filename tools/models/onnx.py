"""Models of transformers by ONNX Runtime: the same weights, exported once and kept in the cache.

What it gains is the start: neither torch nor transformers is imported, so that a first text is read in half a second and not in five. An
export is kept when it computes what torch computes, to `_SAME`; it is made by `torch.onnx` from the weights that `find_weights` gave, so no
other file is ever fetched. On the processor alone.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.settings import Settings
from ...runtime.storage import disk_problem, draft_of
from .device import is_processor, quiet
from .local import LocalModel
from .weights import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BACKENDS", "OnnxGraph", "OnnxParts", "by_onnx", "onnx_session"]

_LOG = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "onnx")
"""What computes a text model in this process. An export whose outputs differ from those of torch by more than `_SAME` is refused, so that
results have one name in indexes and in the ledger."""
_PACKAGES = ("onnxruntime", "onnx", "onnxscript")  # of the extra `onnx`
_GRAPH, _TOKENIZER = "model.onnx", "tokenizer.json"
_SAME = 1e-4  # of the largest output, logits too; where that is below 1, of 1
_REMEDY = "pip install 'inloop[onnx]', or take the backend torch"
_PROBES = ("a", "It was opened in 1932, and carries a road.")


def by_onnx(spec: str, weights: Weights, settings: Settings, *, own: str) -> bool:
    """Whether ONNX Runtime computes the model: its option `backend` says so, else the setting; "auto" takes it for the model `own`
    where the packages are there and no GPU shows. It may still turn out that it cannot: see `OnnxParts`.

    Raises:
        BadInput: no such backend.
    """
    backend = _backend(weights, settings)
    if backend not in BACKENDS:
        raise BadInput(f"{spec!r}: there is no backend {backend!r}; there are {', '.join(BACKENDS)}.")
    if backend != "auto":
        return backend == "onnx"
    return spec.partition("?")[0] == own and is_processor(settings.device) and all(map(find_spec, _PACKAGES))


def _backend(weights: Weights, settings: Settings) -> str:
    return weights.options.get("backend", settings.backend)


class OnnxParts(LocalModel[Any, Any]):
    """What a `LocalModel` by ONNX Runtime has in common; stands before the class of the same model by torch, `_by_torch`.

    Where the backend is "auto" and ONNX Runtime cannot compute it, it becomes a model of that class, and the log says so.
    """

    _by_torch: type[Any]
    _shrink = 4
    """By how much batches are smaller than those of torch: a call costs little here, and a single text pays for fewer rows that are padding."""

    def _start(self) -> None:
        try:
            super()._start()
        except Exception as error:
            if _backend(self.weights, self._settings) != "auto":
                raise
            _LOG.warning("%s is computed by torch, for ONNX Runtime cannot: %s", self.model, error)
            self.__class__ = self._by_torch
            self._start()

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


class OnnxGraph:
    """A model with its tokenizer (of the package tokenizers) and the number of the token that fills a row.

    Args:
        head: the class of transformers that the weights are loaded by; `output`: which of its outputs is computed.
        inputs: by which names it takes token ids, mask and, of pairs, segments; what its tokenizer does not give is left out.

    Raises:
        PrerequisiteError: a package is missing, the model cannot be exported or gives something else then, or the disk is full.
    """

    def __init__(
        self, weights: Weights, settings: Settings, *, head: str, output: str, inputs: tuple[str, ...]
    ) -> None:
        from tokenizers import Tokenizer

        folder = _exported(weights, settings.cache_dir, head, output, inputs)
        self.path = folder / _GRAPH
        self.tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
        self.pad = int((self.tokenizer.padding or {}).get("pad_id", 0))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self._output = output
        self._session = onnx_session(self.path, settings.threads)
        self._inputs = [each.name for each in self._session.get_inputs()]

    def __call__(self, **given: NDArray[np.int64]) -> NDArray[np.float32]:
        return _run(self._session, {name: given[name] for name in self._inputs}, self._output)


def _exported(weights: Weights, cache_dir: Path, head: str, output: str, inputs: tuple[str, ...]) -> Path:
    """The folder with the graph and the tokenizer, exported on the first call."""
    folder = cache_dir / "converted" / f"{weights.model}-{weights.revision[:12]}-{head}-onnx"
    if (folder / _GRAPH).is_file():
        return folder
    for name in _PACKAGES:
        _package(name)
    part = draft_of(folder)
    try:
        with _on_disk(folder):
            part.mkdir(parents=True)
        with quiet(), _silent():
            _export(weights, part, head, output, inputs)
        with _on_disk(folder):
            part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


@contextlib.contextmanager
def _on_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not (folder / _GRAPH).is_file():  # else somebody else was faster
            raise disk_problem(error, folder) from error


def _export(weights: Weights, out: Path, head: str, output: str, inputs: tuple[str, ...]) -> None:
    import torch
    import transformers

    tokenizer = weights.load(transformers.AutoTokenizer)
    kind = getattr(transformers, head)
    model = weights.load_model(kind, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer.backend_tokenizer.enable_padding(pad_id=tokenizer.pad_token_id or 0)  # only to keep that number
    tokenizer.backend_tokenizer.save(str(out / _TOKENIZER))
    probes = [list(_PROBES), list(_PROBES)] if "token_type_ids" in inputs else [list(_PROBES)]
    coded = tokenizer(*probes, padding=True, return_tensors="pt")
    given = {name: coded[name] for name in inputs if name in coded}
    sizes = {0: torch.export.Dim("rows"), 1: torch.export.Dim("tokens")}
    torch.onnx.export(
        model, (), str(out / _GRAPH), kwargs=given, input_names=list(given), output_names=[output],
        dynamic_shapes=dict.fromkeys(given, sizes), dynamo=True, external_data=False, verbose=False,
    )  # fmt: skip
    with torch.inference_mode():
        expected = model(**given)[output].numpy()
    computed = _run(onnx_session(out / _GRAPH, None), {name: each.numpy() for name, each in given.items()}, output)
    if expected.ndim == 3:  # a number for each token: those that fill a row mean nothing
        computed, expected = (each[coded["attention_mask"].numpy() == 1] for each in (computed, expected))
    apart = float(np.abs(computed - expected).max())
    if not apart <= _SAME * max(1.0, float(np.abs(expected).max())):
        raise PrerequisiteError(
            f"{weights.spec!r} computes something else as an ONNX graph (by up to {apart:.2g})",
            remedy="take the backend torch.",
        )


def onnx_session(graph: Path, threads: int | None) -> Any:
    """The ONNX Runtime session of a graph, on the processor; `PrerequisiteError` where ONNX Runtime cannot be imported."""
    ort = _package("onnxruntime")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # as `runtime.threads` has it
    return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def _run(session: Any, given: dict[str, NDArray[np.int64]], output: str) -> NDArray[np.float32]:
    [computed] = session.run([output], given)
    return np.asarray(computed, dtype=np.float32)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except Exception as error:  # one that does not fit the other packages raises anything
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
