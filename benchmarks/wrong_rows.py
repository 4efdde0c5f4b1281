"""Captions and labels of drawn pictures, some of them wrong: what a cleaning finds of them, and what models learn from what it leaves."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from inloop.graphs.curate import curate, read_rows
from inloop.graphs.curate.captions import wrong_pairs
from inloop.mini.world.data import write_set
from inloop.runtime.settings import Settings
from inloop.runtime.text import json_of

from .figures import Figure
from .trained_clip import zero_shot

__all__ = ["captions", "labels", "rows_of", "trained"]


def labels(settings: Settings, place: Path) -> list[Figure]:
    write_set("audit", place / "classes", count=1600, seed=9)
    rows = [row for row in rows_of(place / "classes") if row["split"] == "train"]
    rng = np.random.default_rng(4)
    names = sorted({row["label"] for row in rows})
    wrong = {row["path"].name: rng.random() < 0.08 for row in rows}
    given = {}
    for row in rows:
        others = [name for name in names if name != row["label"]]
        given[row["path"].name] = others[rng.integers(len(others))] if wrong[row["path"].name] else row["label"]
    table = place / "classes.csv"
    table.write_text("image,kind\n" + "".join(f"{id},{name}\n" for id, name in given.items()), encoding="utf-8")
    result = curate(
        rows[0]["path"].parent, settings=settings, captions=table, labels="kind",
        groups="a thing on a mint background; a thing on a lavender background; a thing on a white background",
    )  # fmt: skip
    [cleaned] = result.tasks
    found = read_rows(result.blobs(), cleaned)
    true = {row["path"].name: row["label"] for row in rows}
    doubted = {row.id: row.likely for row in found if row.likely}
    figures = [
        Figure.share("labels: wrong ones doubted", [id in doubted for id in wrong if wrong[id]]),
        Figure.share("labels: right ones doubted", [id in doubted for id in wrong if not wrong[id]]),
        Figure.share("labels: likely class is the true one", [doubted[id] == true[id] for id in doubted]),
        Figure.share("labels: pictures that stay", [row.kept for row in found]),
    ]
    figures += [
        Figure(
            name=f"labels: probe, {each.group or 'all'}: {each.way}", value=100 * each.share, unit="%",
            low=None if each.ci is None else 100 * each.ci[0], high=None if each.ci is None else 100 * each.ci[1],
        )
        for each in cleaned.audit.accuracies
    ]  # fmt: skip
    return figures


def captions(settings: Settings, place: Path) -> list[Figure]:
    """The whole loop on drawn pictures, of whose captions a known share are those of others; by the cosine alone, and with questions."""
    write_set("audit", place / "audit", count=300, seed=8)
    rows = [row for row in rows_of(place / "audit") if row["split"] == "train"]
    texts = [row["caption"] for row in rows]
    figures = []
    for share in (0.0, 0.1, 0.3):
        wrong = np.random.default_rng(2).random(len(rows)) < share
        places = np.where(wrong, wrong_pairs(texts, 1), np.arange(len(rows)))
        table = place / f"captions {share}.csv"
        with table.open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(
                [("image", "caption"), *((row["path"].name, texts[at]) for row, at in zip(rows, places, strict=True))]
            )
        for way, vqa in (("cosine", ""), ("cosine and questions", "mini")):
            result = curate(rows[0]["path"].parent, settings=settings, copies="exact", captions=table, vqa=vqa)
            told = result.tasks[0].captions
            assert told is not None
            found = {row.id: row for row in read_rows(result.blobs(), result.tasks[0])}
            gone = np.array([found[row["path"].name].reason == "caption" for row in rows])
            name = f"captions, {share:.0%} wrong, {way}"
            if way == "cosine" and share:
                scores = np.array([found[row["path"].name].caption_score for row in rows], dtype=float)
                figures.append(
                    Figure(name=f"{name}: AUROC", value=float((scores[wrong][:, None] < scores[~wrong][None, :]).mean()), unit="",
                           note=f"the run says {told.auroc:.3f}, and that {told.wrong:.1%} are wrong")
                )  # fmt: skip
            if share:
                figures.append(Figure.share(f"{name}: wrong ones left out", gone[wrong].tolist()))
            figures.append(Figure.share(f"{name}: right ones left out", gone[~wrong].tolist()))
    return figures


def trained(settings: Settings, place: Path, seeds: int = 3) -> list[Figure]:
    write_set("audit", place / "trained", count=1600, seed=12)
    rows = rows_of(place / "trained")
    train, test = ([row for row in rows if row["split"] == split] for split in ("train", "test"))
    texts = [row["caption"] for row in train]
    wrong = np.random.default_rng(3).random(len(train)) < 0.3
    told = [texts[at] for at in np.where(wrong, wrong_pairs(texts, 5), np.arange(len(texts)))]
    table = place / "trained.csv"
    with table.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(
            [("image", "caption"), *((row["path"].name, text) for row, text in zip(train, told, strict=True))]
        )
    result = curate(train[0]["path"].parent, settings=settings, copies="exact", captions=table, vqa="mini")
    kept = {row.id for row in read_rows(result.blobs(), result.tasks[0]) if row.reason != "caption"}
    sets = {
        "30 % wrong": list(range(len(train))),
        "cleaned": [at for at, row in enumerate(train) if row["path"].name in kept],
        "the right ones alone": np.flatnonzero(~wrong).tolist(),
    }
    pixels, held = _pixels(train), _pixels(test)
    labels = [row["label"] for row in test]
    right: dict[str, list[list[float]]] = {name: [] for name in sets}
    for seed in range(seeds):
        for name, places in sets.items():
            right[name].append(zero_shot(pixels[places], [told[at] for at in places], held, labels, seed=seed))
    figures = []
    for name, draws in right.items():
        means = [100 * float(np.mean(draw)) for draw in draws]
        still = float(np.mean(~wrong[sets[name]]))
        note = f"{len(sets[name])} pairs, {still:.1%} of them right; each seed: {', '.join(f'{mean:.1f}' for mean in means)}"
        figures.append(Figure.of(f"a CLIP trained on {name}, zero-shot", means, "%", note))
    return figures


def rows_of(folder: Path) -> list[dict[str, Any]]:
    found = []
    for table in sorted(folder.glob("*/metadata.jsonl")):
        for line in table.read_text(encoding="utf-8").splitlines():
            row = json_of(line)
            found.append({**row, "split": table.parent.name, "path": table.parent / row["file_name"]})
    return found


def _pixels(rows: list[dict[str, Any]]) -> Any:
    """(pictures, 3, 64, 64) of -1 to 1."""
    from PIL import Image

    small = [np.asarray(Image.open(row["path"]).convert("RGB").resize((64, 64)), dtype=np.float32) for row in rows]
    return (np.stack(small) / 127.5 - 1).transpose(0, 3, 1, 2)
