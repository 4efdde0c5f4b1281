"""Jupyter notebooks: Markdown cells as Markdown, code and what it printed fenced."""

from __future__ import annotations

from typing import Any

from ....runtime.errors import BadInput
from ....runtime.text import json_of
from .encodings import decoded
from .markdown import sections_of
from .outline import Hints, Reading, clean, meta_of

__all__ = ["read_notebook"]

_LONGEST = 4000  # characters of an output: a log is no text to be quoted


def read_notebook(data: bytes, name: str, hints: Hints) -> Reading:
    """A notebook (.ipynb) of version 3 or 4.

    Raises:
        BadInput: it is no notebook.
    """
    text, notes = decoded(data, name)
    try:
        notebook = json_of(text)
        cells = (
            notebook["cells"]
            if "cells" in notebook
            else [c for sheet in notebook["worksheets"] for c in sheet["cells"]]
        )
        metadata = notebook.get("metadata") or {}
        language = str((metadata.get("kernelspec") or {}).get("language") or "")
        blocks = [block for cell in cells for block in _blocks(cell, language)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{name!r} is no Jupyter notebook ({type(error).__name__}: {str(error)[:100]}).") from None
    source = "\n\n".join(block for block in blocks if block.strip())
    title, sections = sections_of(source, title=str(metadata.get("title") or ""))
    return Reading(source, sections, title, notes, meta_of({"language": language}))


def _blocks(cell: dict[str, Any], language: str) -> list[str]:
    """A cell as Markdown: its source, and its outputs that are text."""
    source = _text(cell.get("source", cell.get("input", "")))
    kind = cell.get("cell_type")
    if kind == "code":
        outputs = [_output(output) for output in cell.get("outputs") or ()]
        return [_fenced(source, language), *(_fenced(output[:_LONGEST]) for output in outputs)]
    if kind == "heading":
        return [f"{'#' * int(cell.get('level') or 1)} {source}"]
    return [source]


def _output(output: dict[str, Any]) -> str:
    """What an output shows as text; errors too, by their last line, for people look for these."""
    if output.get("output_type") in ("error", "pyerr"):
        return f"{output.get('ename', '')}: {output.get('evalue', '')}"
    shown = output.get("text") or (output.get("data") or {}).get("text/plain") or ""
    return _text(shown)


def _text(source: object) -> str:
    return clean("".join(map(str, source)) if isinstance(source, list) else str(source or ""))


def _fenced(source: str, language: str = "") -> str:
    fence = "````" if "```" in source else "```"
    return f"{fence}{language}\n{source.rstrip()}\n{fence}" if source.strip() else ""
