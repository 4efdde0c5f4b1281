"""Prompts from files: one a line, a column of a table, or the two sets that the paper was measured on, chosen anew from their sources.

- partiprompts: of PartiPrompts.tsv (google-research/parti) the first 50 of each of four challenges: 185 prompts
- mscoco: of tifa_v1.0_text_inputs.json (Yushi-Hu/tifa) the captions of MSCOCO's validation set: 2,000 prompts
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.text import is_blank
from ...tools.data import KINDS, read_table
from ..cli import read_lines

__all__ = ["read_prompts"]

_CHALLENGES = ("Properties & Positioning", "Quantity", "Fine-grained Detail", "Complex")
_OF_EACH = 50
_SOURCES = {"partiprompts": "PartiPrompts.tsv", "mscoco": "TIFA's tifa_v1.0_text_inputs.json"}
_COLUMNS = ("prompt", "caption", "text")


def read_prompts(source: str) -> list[str]:
    """The prompts of a file, in its order: `FILE`, or `partiprompts:FILE` and `mscoco:FILE` for the sets of the paper.

    A table has rows with a column prompt, caption or text; any other file has one prompt a line (# starts a comment).

    Raises:
        BadInput: the file cannot be read, or holds no prompt.
    """
    name, colon, rest = source.partition(":")
    chosen = name if colon and name in _SOURCES else ""
    path = Path(rest if chosen else source)
    if not chosen and path.suffix.lower() not in KINDS:
        return read_lines(path, "prompt")
    rows = read_table(path)
    prompts = [_prompt_of(row, path) for row in (_of_set(chosen, rows, path) if chosen else rows)]
    prompts = [prompt for prompt in prompts if not is_blank(prompt)]
    if not prompts:
        raise BadInput(f"there is no prompt in {str(path)!r}: give rows with a prompt, caption or text.")
    return prompts


def _prompt_of(row: Mapping[str, Any], path: Path) -> str:
    value = next((row[key] for key in row if key.casefold() in _COLUMNS), None)
    if not isinstance(value, str):
        raise BadInput(f"{str(path)!r} has the row {dict(row)!r:.80}: each needs a prompt, caption or text.")
    return " ".join(value.split())


def _of_set(name: str, rows: Sequence[Mapping[str, Any]], path: Path) -> list[Mapping[str, Any]]:
    """The rows of a set of the paper; a file that holds nothing but the set is taken as it is."""
    if name == "mscoco":
        chosen = [row for row in rows if str(row.get("id", "")).startswith("coco_")]
    else:
        named = [{key.casefold(): value for key, value in row.items()} for row in rows]
        by_challenge = ([row for row in named if row.get("challenge") == each] for each in _CHALLENGES)
        chosen = [row for group in by_challenge for row in group[:_OF_EACH]]
    if not chosen:
        raise BadInput(f"{str(path)!r} has no row of {name}: give {_SOURCES[name]}.")
    return chosen
