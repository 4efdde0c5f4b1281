"""What is written in pictures, behind the call ledger: RapidOCR, which runs PaddleOCR's models with ONNX Runtime on the CPU.

Its models (PP-OCRv6 small, 31 MB, Chinese and Latin script) are in its own wheel, so nothing is fetched.

Invariants: pictures are read one at a time, so what is read does not depend on the company; the version of the package and its
models' files are the revision, since the rules around the models are the package's.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput, CallFailed, InloopError, PrerequisiteError
from ...runtime.protocols import PageReader, TextReader
from ...runtime.records import BlobRef, Cost, Record
from ...runtime.roles import Role
from ...runtime.session import settled
from ...runtime.store import Call, folder_revision
from ..models import LocalModel, Weights

if TYPE_CHECKING:
    from PIL.Image import Image

    from ...runtime.settings import Settings
    from ...runtime.store import Store

__all__ = ["READERS", "RapidOCR", "TextLine", "open_ocr", "open_page_reader", "text_of"]

READERS = ("rapidocr",)
LEAST = 0.5
"""Lines that the recogniser is less sure of are left out: RapidOCR's own default."""

_MOST = 350  # characters of a picture's text that are told
_SLIMMEST = 4  # times as long as wide: what is slimmer is widened by black, for the short side is scaled to 736 pixels
_FILES = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
_REMEDY = "pip install 'inloop[ocr]'"


class TextLine(Record):
    """A line of text in a picture, and how sure the recogniser is of it, from 0 to 1."""

    text: str
    score: float


READER: Role[TextReader] = Role("reader of text in pictures", TextReader, own=READERS)


@READER.opener
def open_ocr(spec: str, store: Store, settings: Settings) -> TextReader:
    """The reader behind `spec`: "rapidocr", or your own.

    Raises:
        BadInput: there is no such reader, or it is given options.
        PrerequisiteError: the extra `ocr` is not installed, or the package comes without the models.
    """
    return _opened(spec, store, settings)


PAGES: Role[PageReader] = Role("reader of pages", PageReader, own=READERS)


@PAGES.opener
def open_page_reader(spec: str, store: Store, settings: Settings) -> PageReader:
    """The reader of whole pages behind `spec`. Raises as `open_ocr`."""
    return _opened(spec, store, settings)


def _opened(spec: str, store: Store, settings: Settings) -> RapidOCR:
    name, _, query = spec.strip().partition("?")
    if name.lower() not in READERS:
        raise BadInput(f"{spec!r} is no reader of text in pictures: give {' or '.join(READERS)}.")
    if query:
        raise BadInput(f"{spec!r}: {name} takes no options.")
    lacking = [package for package in ("rapidocr", "onnxruntime") if find_spec(package) is None]
    if lacking:
        raise PrerequisiteError(
            f"text in pictures is read with rapidocr and onnxruntime, and {' and '.join(lacking)} cannot be imported",
            remedy=_REMEDY,
        )
    return RapidOCR(_weights(spec, settings), store, settings)


def text_of(lines: Sequence[TextLine]) -> str:
    """The lines as one text, in the order of reading; cut where a page would fill the prompt of a language model."""
    whole = ", ".join(clean for line in lines if (clean := " ".join(line.text.split())))
    return whole if len(whole) <= _MOST else whole[:_MOST].rsplit(" ", 1)[0] + " ..."


class RapidOCR(LocalModel[BlobRef, list[TextLine]]):
    """A `TextReader` and a `PageReader`; see `open_ocr`."""

    def __init__(self, weights: Weights, store: Store, settings: Settings) -> None:
        super().__init__(weights, store, settings, max_batch=8, linger=0.02)
        self._engine: Any = None

    async def read(self, images: Sequence[BlobRef]) -> list[str]:
        """What is written in each picture, in order; empty where there is nothing.

        Raises:
            CallFailed: a picture could not be read; the others are kept.
            PrerequisiteError: the models cannot be loaded, or a picture is not in the store.
        """
        return [text_of(lines) for lines in await self.lines(images)]

    async def pages(self, images: Sequence[BlobRef]) -> list[str]:
        """What is written on each page, a line a line. Raises as `read`."""
        return ["\n".join(line.text for line in lines) for lines in await self.lines(images)]

    async def lines(self, images: Sequence[BlobRef]) -> list[tuple[TextLine, ...]]:
        """The lines of each picture, from top to bottom and from left to right. Raises as `read`."""
        return await settled([self._lines(image) for image in images])

    async def _lines(self, image: BlobRef) -> tuple[TextLine, ...]:
        params = {"least": LEAST, "slimmest": _SLIMMEST}
        call = Call(kind="ocr", model=self.model, revision=self.revision, params=params, inputs={"image": image.sha256})

        async def keep(found: list[TextLine]) -> Any:
            return [line.model_dump() for line in found]

        rows = await self._once(call, image, keep, cost=Cost(calls=1))
        return tuple(TextLine.model_validate(row) for row in rows)

    def _load(self, device: str) -> None:
        from rapidocr import RapidOCR as Engine

        # named, the files are taken as they are: unnamed, the package would look for them on the network
        params: dict[str, Any] = {f"{part}.model_path": str(self.weights.root / name) for part, name in _FILES.items()}
        params |= {"Global.log_level": "critical", "Global.text_score": LEAST}
        if self._settings.threads is not None:
            params["EngineConfig.onnxruntime.intra_op_num_threads"] = self._settings.threads
        self._engine = Engine(params=params)

    def _serve(self, items: list[BlobRef]) -> list[list[TextLine] | InloopError]:
        import numpy as np

        outcomes: list[list[TextLine] | InloopError] = []
        for image in items:
            try:
                picture = _widened(self._store.blobs.get_image(image).convert("RGB"))
            except InloopError as error:
                outcomes.append(error)
                continue
            try:
                found = self._engine(
                    np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
                )  # OpenCV's order: blue first
            except Exception as error:
                outcomes.append(
                    CallFailed(f"{self.model} failed on the picture {image.sha256[:12]}: {str(error)[-200:]}")
                )
                continue
            rows = zip(found.txts or (), found.scores or (), strict=True)
            outcomes.append([TextLine(text=str(text), score=round(float(score), 4)) for text, score in rows])
        return outcomes


def _widened(picture: Image) -> Image:
    from PIL import Image as images

    width, height = (max(side, -(-max(picture.size) // _SLIMMEST)) for side in picture.size)
    if (width, height) == picture.size:
        return picture
    under = images.new("RGB", (width, height))
    under.paste(picture, ((width - picture.width) // 2, (height - picture.height) // 2))
    return under


def _weights(spec: str, settings: Settings) -> Weights:
    found = find_spec("rapidocr")
    root = Path(str(found.origin if found else "")).parent / "models"
    lacking = [name for name in _FILES.values() if not (root / name).is_file()]
    try:
        release = version("rapidocr")
    except PackageNotFoundError:
        release = "unknown"
    if lacking:
        raise PrerequisiteError(f"rapidocr {release} lacks its models ({lacking[0]})", remedy=f"{_REMEDY} -U")
    return Weights(
        spec=spec,
        model="rapidocr",
        revision=f"{release}-{folder_revision(root, settings.cache_dir)}",
        source=str(root),
        commit=None,
        root=root,
        marker=_FILES["Rec"],
        options={},
    )
