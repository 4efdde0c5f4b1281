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
import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from inloop.graphs.curate import curate, read_rows
from inloop.graphs.curate.captions import wrong_pairs
from inloop.mini.world.data import write_set
from inloop.runtime.run import Session
from inloop.runtime.settings import Settings
from inloop.runtime.text import json_of
from inloop.tools.curation import (
    RULES,
    Mixture,
    by_clusters,
    by_samples,
    components,
    fair_removal,
    folds_of,
    group_similarities,
    likely,
    plant,
    probed,
    remove_copies,
    unit_rows,
)
from inloop.tools.data import read_picture
from inloop.tools.encoders import open_clip

from .figures import Figure, Options
from .trained_clip import zero_shot

_DRAWS = 10
_STAMPS = Path("/usr/share/tuxpaint/stamps")


def measure(options: Options) -> list[Figure]:
    """Shares in percent with their intervals, and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        settings = Settings(runs_dir=place / "runs", device=options.device, clip=options.clip)
        figures = [
            *_vectors(settings, place),
            *_shares(),
            *_retrieval(),
            *_wanted(settings, place),
            *_drawn(settings, place),
        ]
        figures += _stamps(settings, place) if _STAMPS.is_dir() else []
        return [*figures, *_labels(settings, place), *_captions(settings, place), *_trained(settings, place)]


def _embedded(settings: Settings, files: list[Path], texts: list[str]) -> tuple[Any, Any]:
    async def work() -> tuple[Any, Any]:
        async with Session.aside(settings, "benchmark") as session:
            clip = session.open("clip", open_clip, settings.clip)
            images = await clip.images([read_picture(path, session.store.blobs).blob for path in files])
            return unit_rows(images), unit_rows(await clip.texts(texts)) if texts else None

    return asyncio.run(work())


def _rows(folder: Path) -> list[dict[str, Any]]:
    found = []
    for table in sorted(folder.glob("*/metadata.jsonl")):
        for line in table.read_text(encoding="utf-8").splitlines():
            row = json_of(line)
            found.append({**row, "split": table.parent.name, "path": table.parent / row["file_name"]})
    return found


def _vectors(settings: Settings, place: Path) -> list[Figure]:
    write_set("scenes", place / "scenes", count=400, seed=8)
    originals, _ = _embedded(settings, [row["path"] for row in _rows(place / "scenes")][:400], [])
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


def _mixed(seed: int, apart: float) -> tuple[Any, Any, Any, Any]:
    """Vectors in 400 neighbourhoods, which of them are of the minority, the words of both groups, and the kind of each, of 10."""
    rng = np.random.default_rng([seed, 5])
    axis, topics = _unit(rng.standard_normal(64)), _unit(rng.standard_normal((20, 64)))
    noise = np.random.default_rng([seed, 7])
    kind_of = _unit(noise.standard_normal((10, 64)))  # kinds that a line parts, but for their noise
    rows, minority, kinds = [], [], []
    for _ in range(400):
        centre = _unit(topics[rng.integers(20)] + 0.8 * _unit(rng.standard_normal(64)))
        mine = rng.random(int(rng.integers(2, 8))) < 0.15
        rows.append(
            centre + 0.15 * _unit(rng.standard_normal((len(mine), 64))) + apart * np.where(mine, 1, -1)[:, None] * axis
        )
        minority.append(mine)
        kinds += [int((kind_of @ centre + 0.1 * noise.standard_normal(10)).argmax())] * len(mine)
    words = _unit(np.stack([axis + 0.3 * _unit(rng.standard_normal(64)), -axis + 0.3 * _unit(rng.standard_normal(64))]))
    return unit_rows(np.concatenate(rows)), np.concatenate(minority), words, np.array(kinds)


def _unit(values: Any) -> Any:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def _shares() -> list[Figure]:
    figures = []
    for apart in (0.02, 0.05, 0.1, 0.15, 0.2):
        shares: dict[str, list[float]] = {"before": [], "SemDeDup": [], "FairDeDup": [], "matched": [], "known": []}
        right: dict[tuple[str, str], list[float]] = {}
        for seed in range(_DRAWS):
            vectors, minority, words, kinds = _mixed(seed, apart)
            labels, near = components(vectors, 0.88), group_similarities(vectors, words)
            ways = {
                "SemDeDup": remove_copies(vectors, 0.88, rule="components").kept,
                "FairDeDup": fair_removal(vectors, labels, near, "fairdedup").kept,
                "matched": fair_removal(vectors, labels, near, "matched").kept,
                "known": fair_removal(
                    vectors, labels, near, "matched", members=_known(vectors, minority, words, labels)
                ).kept,
            }
            shares["before"].append(100 * float(minority.mean()))
            for way, kept in ways.items():
                shares[way].append(100 * float(minority[kept].mean()))
            folds = folds_of(kinds.tolist(), labels.tolist(), seed=seed)
            for way, kept in {"before": np.ones(len(kinds), dtype=bool), **ways}.items():
                found = probed(vectors, kinds.tolist(), folds, 10, fitted_on=kept).argmax(axis=1) == kinds
                for who, rows in (("all", minority | True), ("the minority", minority)):
                    right.setdefault((way, who), []).append(100 * float(found[rows].mean()))
        figures += [
            Figure.of(f"probe of ten kinds, apart {apart}, {who}: {way}", values, "%", "range of 10 draws")
            for (way, who), values in right.items()
            if way != "known"
        ]
        away = {way: np.abs(np.array(values) - shares["before"]) for way, values in shares.items()}
        for way, values in shares.items():
            nearer = (
                ""
                if way in ("before", "SemDeDup")
                else f"nearer to before than SemDeDup in {int((away[way] < away['SemDeDup']).sum())} of {_DRAWS}"
            )
            figures.append(
                Figure(
                    name=f"minority, apart {apart}: {way}",
                    value=float(np.mean(values)),
                    unit="%",
                    low=min(values),
                    high=max(values),
                    note=nearer,
                )
            )
    return figures


def _known(vectors: Any, minority: Any, words: Any, labels: Any) -> Any:
    """How likely each row is of the minority by a mixture whose numbers are taken from the truth: all that the encoder says of a row."""
    lead, of, places = (
        vectors.astype(float) @ (words[0] - words[1]),
        minority.astype(float),
        np.unique(labels, return_inverse=True)[1],
    )
    sizes = np.bincount(places)

    def within(values: Any) -> Any:
        return values - (np.bincount(places, weights=values) / sizes)[places]

    step = float((within(lead) * within(of)).sum() / np.square(within(of)).sum())
    noise = float(np.sqrt(np.square(within(lead) - step * within(of)).sum() / (len(lead) - len(sizes))))
    levels = np.bincount(places, weights=lead - step * of) / sizes
    mixture = Mixture(float(of.mean()), max(step, 1e-9), noise, float(levels.mean()), float(levels.std()))
    first = likely(lead, labels, mixture)
    return np.stack([first, 1 - first], axis=1)


def _retrieval() -> list[Figure]:
    found: dict[str, list[tuple[float, float]]] = {"samples": [], "clusters": []}
    for seed in range(_DRAWS):
        rng = np.random.default_rng([seed, 6])
        topics = _unit(rng.standard_normal((40, 64)))

        def drawn(topic: Any, topics: Any = topics, rng: Any = rng) -> Any:
            return unit_rows(topics[topic] + 0.14 * rng.standard_normal((len(topic), 64)))

        pool = drawn(np.concatenate([rng.integers(4, size=300), 4 + rng.integers(36, size=2700)]))
        examples = drawn(rng.integers(4, size=60))
        for way, rows in (
            ("samples", by_samples(pool, examples)),
            ("clusters", by_clusters(pool, examples, seed=seed)),
        ):
            found[way].append((100 * float((rows < 300).mean()), 100 * float((rows < 300).sum() / 300)))
    return [
        Figure.of(f"retrieval by {way}: {what}", [each[number] for each in pairs], "%", "median of 10 draws")
        for way, pairs in found.items()
        for number, what in enumerate(("purity", "recall"))
    ]


def _wanted(settings: Settings, place: Path) -> list[Figure]:
    write_set("audit", place / "kinds", count=1600, seed=12)
    kinds: dict[str, list[Path]] = {}
    for row in _rows(place / "kinds"):
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
    rows = _rows(place / "copies")
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


def _labels(settings: Settings, place: Path) -> list[Figure]:
    write_set("audit", place / "classes", count=1600, seed=9)
    rows = [row for row in _rows(place / "classes") if row["split"] == "train"]
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


def _captions(settings: Settings, place: Path) -> list[Figure]:
    """The whole loop on drawn pictures, of whose captions a known share are those of others; by the cosine alone, and with questions."""
    write_set("audit", place / "audit", count=300, seed=8)
    rows = [row for row in _rows(place / "audit") if row["split"] == "train"]
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


def _trained(settings: Settings, place: Path, seeds: int = 3) -> list[Figure]:
    write_set("audit", place / "trained", count=1600, seed=12)
    rows = _rows(place / "trained")
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


def _pixels(rows: list[dict[str, Any]]) -> Any:
    """(pictures, 3, 64, 64) of -1 to 1."""
    from PIL import Image

    small = [np.asarray(Image.open(row["path"]).convert("RGB").resize((64, 64)), dtype=np.float32) for row in rows]
    return (np.stack(small) / 127.5 - 1).transpose(0, 3, 1, 2)
