"""Prompts from files: one a line, a column of a table, or the two sets that the paper was measured on, chosen anew from their sources.

- partiprompts: of PartiPrompts.tsv (google-research/parti) the first 50 of each of four challenges: 185 prompts (section 4.1)
- mscoco: of tifa_v1.0_text_inputs.json (Yushi-Hu/tifa) the captions of MSCOCO's validation set: 2,000 prompts
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput
from ...runtime.text import decoded, is_blank, lines_of

__all__ = ["PAPER_SETS", "read_prompts"]

_CHALLENGES = ("Properties & Positioning", "Quantity", "Fine-grained Detail", "Complex")
_OF_EACH = 50
PAPER_SETS = ("partiprompts", "mscoco")
_COLUMNS = ("prompt", "caption", "text")


def read_prompts(source: str) -> list[str]:
    """The prompts of a file, in its order: `FILE`, or `partiprompts:FILE` and `mscoco:FILE` for the sets of the paper.

    A text file has one a line (# starts a comment); a .tsv, .csv, .json or .jsonl file has rows with a column prompt, caption or text.

    Raises:
        BadInput: the file cannot be read, or holds no prompt.
    """
    name, colon, rest = source.partition(":")
    chosen = name if colon and name in PAPER_SETS else ""
    path = Path(rest if chosen else source)
    try:
        text = decoded(path.read_bytes(), repr(str(path)))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"the prompts cannot be read from {str(path)!r}: {why}.") from None
    if not chosen and path.suffix.lower() not in (".tsv", ".csv", ".json", ".jsonl"):
        prompts = [line.strip() for line in lines_of(text) if not line.lstrip().startswith("#")]
    else:
        rows = _rows(path, text)
        prompts = [_prompt_of(row, path) for row in (_of_set(chosen, rows, path) if chosen else rows)]
    prompts = [prompt for prompt in prompts if not is_blank(prompt)]
    if not prompts:
        raise BadInput(f"there is no prompt in {str(path)!r}: write one a line.")
    return prompts


def _rows(path: Path, text: str) -> list[Mapping[str, Any]]:
    if path.suffix.lower() in (".tsv", ".csv"):
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        return list(
            csv.DictReader(
                lines_of(text), delimiter=delimiter, quoting=csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
            )
        )
    try:
        values = (
            [json.loads(line) for line in lines_of(text) if line.strip()]
            if path.suffix.lower() == ".jsonl"
            else json.loads(text)
        )
    except ValueError as error:
        raise BadInput(f"{str(path)!r} is not JSON: {error}.") from None
    if not isinstance(values, list):
        raise BadInput(
            f"{str(path)!r} holds {type(values).__name__}: give a list of prompts, or of rows with a prompt."
        )
    return [value if isinstance(value, dict) else {"prompt": value} for value in values]


def _prompt_of(row: Mapping[str, Any], path: Path) -> str:
    value = next((row[key] for key in row if key is not None and key.casefold() in _COLUMNS), None)
    if not isinstance(value, str):
        raise BadInput(f"{str(path)!r} has the row {dict(row)!r:.80}: each needs a prompt, caption or text.")
    return " ".join(value.split())


def _of_set(name: str, rows: Sequence[Mapping[str, Any]], path: Path) -> list[Mapping[str, Any]]:
    """The rows of a set of the paper; a file that holds nothing but the set is taken as it is."""
    if name == "mscoco":
        chosen = [row for row in rows if str(row.get("id", "")).startswith("coco_")]
    else:
        named = [{str(key).casefold(): value for key, value in row.items()} for row in rows]
        chosen = [
            row for each in _CHALLENGES for row in [row for row in named if row.get("challenge") == each][:_OF_EACH]
        ]
    if not chosen:
        source = {"mscoco": "TIFA's tifa_v1.0_text_inputs.json", "partiprompts": "PartiPrompts.tsv"}[name]
        raise BadInput(f"{str(path)!r} has no row of {name}: give {source}.")
    return chosen
