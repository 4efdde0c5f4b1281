"""What a cleaning finds, what it takes by mistake, and what it costs whom.

- vectors: 400 drawn pictures embedded by CLIP, and 600 near copies of their vectors; the share that stays, and of the originals that are still there
- shares: neighbourhoods that mix a minority of 15 % with a majority, told apart by the encoder weakly to strongly; 10 draws each. `known`: the
  choice where how groups differ for the encoder is taken from the truth
- retrieval: a pool of 3,000 with 10 % relevant, 60 examples; purity and recall by samples and by clusters
- wanted: of drawn pictures of one thing each, those that a pool has like 24 of one kind, and those found by words; and 80 drawn evenly from
  eight kinds of 160 to 10
- drawn copies, and Tux Paint's stamps where they are installed (apt install tuxpaint-stamps-default) with copies planted here: the whole
  loop, whose threshold is set without the truth
- labels: 1,600 drawn pictures of eight classes, 8 % of the labels wrong; which are doubted, and the probe's accuracy by way of removal
- a CLIP trained on captions of which 30 % are wrong, on what a cleaning leaves of them, and on the right ones
- captions: of drawn pictures, none, 10 % or 30 % of them those of others; how well the filter tells, by its scores alone and with questions
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from inloop.graphs.curate import curate, read_rows
from inloop.mini.world.data import write_set
from inloop.runtime.session import Session
from inloop.runtime.settings import Settings
from inloop.tools.curation import (
    RULES,
    plant,
    remove_copies,
    unit_rows,
)
from inloop.tools.data import read_picture
from inloop.tools.encoders import open_clip

from .drawn_vectors import retrieval, shares
from .figures import Figure, Options
from .wrong_rows import captions, labels, rows_of, trained

_DRAWS = 10
_STAMPS = Path("/usr/share/tuxpaint/stamps")


def measure(options: Options) -> list[Figure]:
    """Shares in percent with their intervals, and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        settings = Settings(runs_dir=place / "runs", device=options.device, clip=options.clip)
        figures = [
            *_vectors(settings, place),
            *shares(),
            *retrieval(),
            *_wanted(settings, place),
            *_drawn(settings, place),
        ]
        figures += _stamps(settings, place) if _STAMPS.is_dir() else []
        return [*figures, *labels(settings, place), *captions(settings, place), *trained(settings, place)]


def _embedded(settings: Settings, files: list[Path], texts: list[str]) -> tuple[Any, Any]:
    async def work() -> tuple[Any, Any]:
        async with Session.aside(settings, "benchmark") as session:
            clip = session.open("clip", open_clip, settings.clip)
            images = await clip.images([read_picture(path, session.store.blobs).blob for path in files])
            return unit_rows(images), unit_rows(await clip.texts(texts)) if texts else None

    return asyncio.run(work())


def _vectors(settings: Settings, place: Path) -> list[Figure]:
    write_set("scenes", place / "scenes", count=400, seed=8)
    originals, _ = _embedded(settings, [row["path"] for row in rows_of(place / "scenes")][:400], [])
    rng = np.random.default_rng(0)
    of = rng.integers(len(originals), size=600)
    noise = 0.004 * rng.standard_normal((600, originals.shape[1]))
    vectors = unit_rows(np.concatenate([originals, originals[of] + noise]))
    truth = np.concatenate([np.arange(len(originals)), of])
    figures = []
    for rule in RULES:
        kept = remove_copies(vectors, 0.995, rule=rule).kept
        there = np.isin(np.arange(len(originals)), truth[kept])
        figures += [
            Figure(
                name=f"vectors, {rule}: stays", value=100 * float(kept.mean()), unit="%", note="of 400 and 600 copies"
            ),
            Figure.share(f"vectors, {rule}: originals still there", there.tolist()),
        ]
    return figures


def _wanted(settings: Settings, place: Path) -> list[Figure]:
    write_set("audit", place / "kinds", count=1600, seed=12)
    kinds: dict[str, list[Path]] = {}
    for row in rows_of(place / "kinds"):
        kinds.setdefault(row["label"], []).append(row["path"])
    own, pool, uneven = (place / name for name in ("own", "pool", "uneven"))
    sizes = dict(zip(sorted(kinds), (160, 80, 40, 20, 10, 10, 10, 10), strict=True))
    for folder in (own, pool, uneven):
        folder.mkdir()
    first = min(kinds)
    for kind, paths in kinds.items():
        for number, path in enumerate(paths):
            (own if kind == first and number < 24 else pool).joinpath(f"{kind} {number}.png").write_bytes(
                path.read_bytes()
            )
            if number < sizes[kind]:
                (uneven / f"{kind} {number}.png").write_bytes(path.read_bytes())

    def found(query: str) -> list[str]:
        result = curate(own, settings=settings, copies="exact", pool=pool, query=query, each=12 if query else None)
        return [row.id.removeprefix("pool/") for row in read_rows(result.blobs(), result.tasks[0]) if row.file]

    right = [id.startswith(f"{first} ") for id in found("")]
    missed = len(kinds[first]) - 24 - sum(right)
    words = [id.startswith(f"{kind} ") for kind in kinds for id in found(f"a {kind}")]
    result = curate(uneven, settings=settings, copies="exact", balance=80)
    kept = [row.id.split()[0] for row in read_rows(result.blobs(), result.tasks[0]) if row.kept]
    rarest = [kept.count(kind) for kind in sorted(kinds)[-4:]]
    return [
        Figure.share("wanted: what is found like 24 of one kind is of that kind", right),
        Figure.share("wanted: of that kind, found", [*(hit for hit in right if hit), *[False] * missed]),
        Figure.share("wanted: the 12 nearest to a kind's word are of that kind", words),
        Figure(
            name="wanted: of 80 drawn evenly, of the four rarest kinds", value=sum(rarest), unit="", note="of 40; at random 9"
        ),
    ]  # fmt: skip


def _drawn(settings: Settings, place: Path) -> list[Figure]:
    write_set("copies", place / "copies", count=120, seed=9)
    rows = rows_of(place / "copies")
    folder = place / "flat"
    folder.mkdir()
    truth = {}
    for row in rows:
        name = f"{row['split']} {Path(row['file_name']).name}"
        (folder / name).write_bytes(row["path"].read_bytes())
        truth[name] = row
    return _judged("drawn copies", settings, folder, truth)


def _judged(what: str, settings: Settings, folder: Path, truth: dict[str, dict[str, Any]]) -> list[Figure]:
    """Recall over pairs of a copy with its original, by kind, and look-alikes that went."""
    figures = []
    for copies in ("pixels", "meaning"):
        result = curate(folder, settings=settings, copies=copies)
        [cleaned] = result.tasks
        rows = {row.id: row for row in read_rows(result.blobs(), cleaned)}
        by_cluster: dict[int, list[str]] = {}
        for id, row in rows.items():
            by_cluster.setdefault(row.cluster, []).append(id)
        names = {truth[id]["id"]: id for id in rows}
        joined: dict[str, list[bool]] = {}
        for id, row in rows.items():
            original = names.get(truth[id]["copy_of"])
            if original is not None:
                joined.setdefault(truth[id]["change"], []).append(
                    row.cluster > 0 and row.cluster == rows[original].cluster
                )
        # one thing that changes places with itself is the same picture
        shown = {id: (folder / id).read_bytes() for id in rows}
        likes = {id: names.get(truth[id].get("like", "none"), id) for id in rows}
        alike = [id for id, other in likes.items() if other != id and shown[id] != shown[other]]
        clusters = {truth[id]["cluster"] for id in rows}
        left = {truth[id]["cluster"] for id, row in rows.items() if row.kept}
        note = f", threshold {cleaned.threshold:.3g}"
        figures.append(
            Figure.share(
                f"{what}, {copies}: copies found", [hit for hits in joined.values() for hit in hits], note=note
            )
        )
        figures += [Figure.share(f"{what}, {copies}: {change}", hits) for change, hits in sorted(joined.items())]
        if alike:
            figures.append(
                Figure.share(f"{what}, {copies}: look-alikes that went", [not rows[id].kept for id in alike])
            )
        figures.append(
            Figure.share(f"{what}, {copies}: different pictures still there", [each in left for each in clusters])
        )
    return figures


def _stamps(settings: Settings, place: Path) -> list[Figure]:
    from PIL import Image

    files = sorted(_STAMPS.rglob("*.png"), key=lambda path: (len(path.parts), str(path)))[::3][:150]
    folder, truth, rng = place / "stamps", dict[str, dict[str, Any]](), np.random.default_rng(10)
    folder.mkdir()
    changes: tuple[Any, ...] = ("crop", "recompress", "mirror", "recolor")
    for number, path in enumerate(files):
        with Image.open(path) as opened:
            shown = Image.new("RGB", opened.size, "white")
            shown.paste(opened.convert("RGB"), (0, 0), opened.convert("RGBA").getchannel("A"))
        name = f"{number:03}"
        shown.save(folder / f"{name}.png")
        truth[f"{name}.png"] = {"id": name, "cluster": name, "copy_of": "none", "change": "none"}
        if number % 2 == 0:
            change = changes[number // 2 % len(changes)]
            plant(shown, shown, change, rng).save(folder / f"{name} {change}.png")
            truth[f"{name} {change}.png"] = {
                "id": f"{name} {change}",
                "cluster": name,
                "copy_of": name,
                "change": change,
            }
    return _judged("stamps", settings, folder, truth)
