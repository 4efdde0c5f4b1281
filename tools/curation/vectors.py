"""Vectors of a file, as many as there are: .npy files are mapped, a column of a Parquet file is first copied into one, batch by batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import BadInput, PrerequisiteError
from .clusters import BLOCK

__all__ = ["SomeRows", "UnitRows", "open_vectors"]

_UNIT = 2e-3  # how far from 1 lengths are that half precision rounds
_COLUMNS = ("embedding", "embeddings", "vector", "vectors")


class UnitRows:
    """Rows of a table (n, size) scaled to length 1 as they are read, in the table's precision."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.shape: tuple[int, int] = rows.shape
        self.dtype = np.dtype(rows.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: Any) -> NDArray[Any]:
        rows = np.asarray(self._rows[part], dtype=np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=self.dtype)


class SomeRows:
    """The rows of a table (n, size) at `places`, in their order, read when they are asked for."""

    def __init__(self, rows: Any, places: NDArray[np.int64]) -> None:
        self._rows, self.places = rows, places
        self.shape: tuple[int, int] = (len(places), rows.shape[1])
        self.dtype = np.dtype(rows.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: Any) -> NDArray[Any]:
        return np.asarray(self._rows[self.places[part]])


def open_vectors(path: Path, scratch: Path, column: str | None = None) -> Any:
    """The vectors (n, size) of a .npy file, or of a column of a .parquet file, with length 1: mapped from the file, or scaled as they are read.

    `scratch`: a folder for the copy of a Parquet column. `column`: by default the first of embedding, embeddings, vector, vectors.

    Raises:
        BadInput: no such file or column, no table of numbers, a row of zeros or one that is not finite.
        PrerequisiteError: pyarrow is missing (extra `datasets`).
    """
    if not path.is_file():
        raise BadInput(
            f"{str(path)!r} is no file: give a .npy file of vectors, or a .parquet file with a column of them."
        )
    match path.suffix.lower():
        case ".npy":
            if column is not None:
                raise BadInput(f"--column is for a .parquet file, and {str(path)!r} is none: leave it out.")
            rows = _mapped(path)
        case ".parquet":
            rows = _of_parquet(path, scratch / "vectors.npy", column)
        case _:
            raise BadInput(f"{str(path)!r} is neither .npy nor .parquet: give a file of vectors.")
    if rows.ndim != 2 or not rows.size or rows.dtype.kind != "f":
        raise BadInput(f"{str(path)!r} holds {rows.dtype} numbers of shape {rows.shape}: give floats, a vector a row.")
    return rows if _unit(rows, path) else UnitRows(rows)


def _mapped(path: Path) -> Any:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise BadInput(f"{str(path)!r} cannot be read as a .npy file: {error}.") from None


def _unit(rows: Any, path: Path) -> bool:
    """Whether all lengths are 1, of rows each of which has a length."""
    unit = True
    for start in range(0, len(rows), BLOCK):
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(np.asarray(rows[start : start + BLOCK], dtype=np.float32), axis=1)
        bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
        if len(bad):
            raise BadInput(
                f"{str(path)!r}: the vector in row {start + int(bad[0])} (from 0) is all zeros or not finite: leave that row out."
            )
        unit = unit and bool((np.abs(lengths - 1) < _UNIT).all())
    return unit


def _of_parquet(path: Path, copy: Path, column: str | None) -> Any:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise PrerequisiteError(
            "a .parquet file needs pyarrow.", remedy="pip install 'inloop[datasets]', or save the vectors as .npy."
        ) from None
    try:
        opened = parquet.ParquetFile(path)
    except (arrow.ArrowException, OSError) as error:
        raise BadInput(f"{str(path)!r} cannot be read as a .parquet file: {error}.") from None
    names = opened.schema_arrow.names
    name = next((each for each in ((column,) if column else _COLUMNS) if each in names), None)
    if name is None:
        raise BadInput(f"{str(path)!r} has no column {column or _COLUMNS[0]!r}: it has {', '.join(map(repr, names))}. Give one with --column.")  # fmt: skip
    out: Any = None
    at = 0
    for batch in opened.iter_batches(batch_size=BLOCK, columns=[name]):
        values = batch.column(0)
        try:
            flat = values.flatten().to_numpy(zero_copy_only=False)
            rows = flat.reshape(len(values), -1)
        except (AttributeError, ValueError, arrow.ArrowException):
            raise BadInput(f"{str(path)!r}: the column {name!r} is none of vectors of one length: give another with --column.") from None  # fmt: skip
        if values.null_count or (out is not None and rows.shape[1] != out.shape[1]):
            raise BadInput(f"{str(path)!r}: rows {at} to {at + len(rows) - 1} of {name!r} hold one without a vector, or of another length.")  # fmt: skip
        if out is None:
            kind = np.float16 if rows.dtype == np.float16 else np.float32
            out = np.lib.format.open_memmap(
                copy, mode="w+", dtype=kind, shape=(opened.metadata.num_rows, rows.shape[1])
            )
        out[at : at + len(rows)] = rows
        at += len(rows)
    if out is None:
        raise BadInput(f"{str(path)!r} has no rows: give a file with vectors.")
    out.flush()
    return _mapped(copy)
