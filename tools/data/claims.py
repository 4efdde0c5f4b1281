"""Claims with annotated evidence, in SciFact's layout (Wadden et al. 2020, arXiv 2004.14974).

Either the release's own `claims_*.jsonl` (a line a claim with `evidence: {document: [{sentences, label}]}`), or a JSON list
with a row for each claim and evidence set (`id, claim, label, evidence_doc_id, evidence_sentences, split`). The sentences of
the documents come from the release's `corpus.jsonl` (`doc_id, abstract: [sentence, ...]`) or from a JSON object
`{document: {"sentences": [...]}}`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ...runtime.errors import BadInput
from ...runtime.records import Record
from ...runtime.text import json_of, lines_of, read_text

__all__ = ["Claim", "Label", "locate", "read_claims", "read_sentences"]

Label = Literal["SUPPORT", "CONTRADICT", "NOT_ENOUGH_INFO"]


class Claim(Record):
    """One claim. `evidence`: (document, number of the sentence) of every annotated sentence; none for NOT_ENOUGH_INFO."""

    id: str
    text: str
    label: Label
    evidence: tuple[tuple[str, int], ...] = ()


def read_claims(path: Path, *, split: str | None = None) -> list[Claim]:
    """The claims of a file, in the order of their first rows; `split` keeps those of one split, where the file has any.

    Raises:
        BadInput: the file cannot be read, is of neither layout, or has no claim of that split.
    """
    rows = _rows(path)
    found: dict[str, dict[str, Any]] = {}
    try:
        for row in rows:
            if split is not None and row.get("split", split) != split:
                continue
            claim = found.setdefault(
                str(row["id"]), {"text": row["claim"], "label": "NOT_ENOUGH_INFO", "evidence": set()}
            )
            for document, label, numbers in _evidence(row):
                claim["label"] = label
                claim["evidence"] |= {(document, number) for number in numbers}
        claims = [
            Claim(id=key, text=claim["text"], label=claim["label"], evidence=tuple(sorted(claim["evidence"])))
            for key, claim in found.items()
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            f"{str(path)!r} does not hold claims in SciFact's layout ({type(error).__name__}: {error}); each row needs id, claim"
            " and its evidence."
        ) from None
    if not claims:
        raise BadInput(f"{str(path)!r} holds no claim" + (f" of the split {split!r}." if split is not None else "."))
    return claims


def read_sentences(path: Path) -> dict[str, list[str]]:
    """The sentences of each document.

    Raises:
        BadInput: the file cannot be read, or is of neither layout.
    """
    rows = _rows(path)
    try:
        if len(rows) == 1 and "doc_id" not in rows[0]:
            return {str(key): [str(text) for text in value["sentences"]] for key, value in rows[0].items()}
        return {str(row["doc_id"]): [str(text) for text in row["abstract"]] for row in rows}
    except (KeyError, TypeError) as error:
        raise BadInput(
            f"{str(path)!r} does not hold the sentences of documents ({type(error).__name__}: {error}): give SciFact's corpus.jsonl,"
            ' or {"document": {"sentences": [...]}}.'
        ) from None


def locate(quote: str, sentences: list[str]) -> list[int]:
    """The numbers of the sentences that a quotation holds, or that hold it; blanks do not count."""
    wanted = " ".join(quote.split())
    plain = [" ".join(sentence.split()) for sentence in sentences]
    return [number for number, sentence in enumerate(plain) if sentence and (sentence in wanted or wanted in sentence)]


def _evidence(row: dict[str, Any]) -> list[tuple[str, Label, list[int]]]:
    if "evidence" in row:
        return [
            (str(document), entry["label"], [int(number) for number in entry["sentences"]])
            for document, entries in row["evidence"].items()
            for entry in entries
        ]
    if row["label"] == "NOT_ENOUGH_INFO" or row["evidence_doc_id"] is None:
        return []
    return [(str(row["evidence_doc_id"]), row["label"], [int(number) for number in row["evidence_sentences"]])]


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON list or of JSON lines; one object is one row."""
    text = read_text(path)
    try:
        content = json_of(text)
    except ValueError:
        content = []
        for place, line in enumerate(lines_of(text), start=1):
            if line.strip():
                try:
                    content.append(json_of(line))
                except ValueError as error:
                    raise BadInput(f"line {place} of {str(path)!r} is not JSON: {error}.") from None
    rows = content if isinstance(content, list) else [content]
    if not all(isinstance(row, dict) for row in rows):
        raise BadInput(f"{str(path)!r} does not hold JSON objects.")
    return rows
