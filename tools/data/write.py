"""Data sets as files that other tools read: JSONL, Parquet where pyarrow is there, and the size as a data set card names it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...runtime.text import json_bytes

__all__ = ["json_lines", "parquet", "size_category"]

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))


def json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """One JSON object a line, in UTF-8."""
    return b"".join(json_bytes(row) + b"\n" for row in rows)


def parquet(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> bytes | None:
    """A Parquet file; None without pyarrow, or without rows.

    `kinds`: "float64", "int64" or "texts" (a list of texts) by column; the others are texts, what is none as JSON.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return None
    if not rows:
        return None
    types = {"float64": pyarrow.float64(), "int64": pyarrow.int64(), "texts": pyarrow.list_(pyarrow.string())}
    schema = pyarrow.schema([(name, types.get(kinds.get(name, ""), pyarrow.string())) for name in rows[0]])
    out = io.BytesIO()
    texts = [{name: value if name in kinds else _text(value) for name, value in row.items()} for row in rows]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(texts, schema=schema), out)
    return out.getvalue()


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def size_category(count: int) -> str:
    """The size of a data set, as its card's front matter names it."""
    return next((name for limit, name in _SIZES if count < limit), "n>100K")
