"""Near copies among many vectors of 512 numbers in half precision, in a file: time, memory, and what is left over.

Half of the rows are near copies of the other half (a cosine of .994). `scattered`: the originals are drawn from all directions, which no clusters
part well; `topics`: around one centre for every 100 rows. Each run is a process of its own that reads the file, beside a plain one with FAISS where that
is installed (pip install faiss-cpu): its spherical k-means of as many clusters, then a range search within each. One thread each.

Sizes go from 10,000 by tens to --vectors. What was measured is kept in `dedup_runs.jsonl`, and not measured again by the same version of the code.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from .figures import Figure, Options

_SIZE, _BLOCK, _THRESHOLD = 512, 10_000, 0.95
_NOISE = 0.005  # a number
_KINDS = ("scattered", "topics")


def measure(options: Options) -> list[Figure]:
    """Minutes and megabytes by size, and the power with which time grows."""
    sizes = [size for size in (10_000, 100_000, 1_000_000, 10_000_000) if size <= options.vectors]
    ways = ["inloop", *(["faiss"] if importlib.util.find_spec("faiss") else [])]
    options.out.mkdir(parents=True, exist_ok=True)
    log = options.out / "dedup_runs.jsonl"
    known = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    code = _code()
    figures = []
    for kind in _KINDS:
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                for way in ways:
                    key = {"kind": kind, "size": size, "way": way, "code": code if way == "inloop" else ""}
                    row = next((each for each in known if key.items() <= each.items()), None)
                    if row is None:
                        path = Path(folder) / "vectors.npy"
                        if not path.exists():
                            _write(path, kind, size)
                        row = key | _run(way, path)
                        with log.open("a", encoding="utf-8") as kept:
                            kept.write(json.dumps(row) + "\n")
                    seconds[way].append(row["seconds"])
                    note = f"at most {row['peak_mb']:.0f} MB; {row['stay']:.2%} stay (half are copies){row['note']}"
                    figures.append(Figure(name=f"{kind}, {size} vectors: {way}", value=row["seconds"], unit="s", note=note))  # fmt: skip
        figures += [
            Figure(
                name=f"{kind}: slope from {sizes[0]} to {sizes[-1]}: {way}",
                value=float(np.log(took[-1] / took[0]) / np.log(sizes[-1] / sizes[0])),
                unit="",
                note="1: time grows as the number does; 2: as its square",
            )
            for way, took in seconds.items()
            if len(took) > 1
        ]
    return figures


def _code() -> str:
    """What the measured code is."""
    from inloop.tools import curation

    files = [Path(curation.__path__[0]) / f"{name}.py" for name in ("clusters", "lists", "near_copies", "vectors")]
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _write(path: Path, kind: str, count: int) -> None:
    rng = np.random.default_rng([count, _KINDS.index(kind)])
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(count, _SIZE))
    topics = _unit(rng.standard_normal((count // 100, _SIZE), dtype=np.float32))
    half = _BLOCK // 2
    for start in range(0, count, _BLOCK):
        rows = _unit(rng.standard_normal((half, _SIZE), dtype=np.float32))
        if kind == "topics":
            rows = _unit(topics[rng.integers(len(topics), size=half)] + 0.7 * rows)
        out[start : start + half] = rows
        out[start + half : start + _BLOCK] = _unit(rows + _NOISE * rng.standard_normal(rows.shape, dtype=np.float32))
    out.flush()


def _run(way: str, path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", __name__, way, str(path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class _Peak(threading.Thread):
    """The most memory of this process that is not a file's, in MB, looked at 20 times a second (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0.0

    def run(self) -> None:
        while True:
            lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
            self.most = max(self.most, next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")))  # fmt: skip
            time.sleep(0.05)


def _inloop(path: Path) -> tuple[Any, str]:
    from inloop.tools.curation import open_vectors, remove_copies

    removal = remove_copies(open_vectors(path, path.parent), _THRESHOLD, scratch=path.parent)
    border = removal.border
    told = "" if border is None or border.recall is None else f"; it told {border.recall:.1%} of {border.rows} rows met a copy"  # fmt: skip
    return removal.kept, told


def _faiss(path: Path) -> tuple[Any, str]:
    """As one would write it: all rows in memory, k-means, a range search within each cluster; of similar rows the first stays."""
    import faiss

    rows = np.load(path).astype(np.float32)
    clusters = max(1, round(len(rows) ** 0.5)) if len(rows) > 10_000 else 1
    fitted = faiss.Kmeans(_SIZE, clusters, niter=20, spherical=True, seed=0)
    fitted.train(rows)
    assigned = fitted.index.search(rows, 1)[1][:, 0]
    kept = np.ones(len(rows), dtype=bool)
    for number in range(clusters):
        members = np.flatnonzero(assigned == number)
        if len(members) > 1:
            index = faiss.IndexFlatIP(_SIZE)
            index.add(rows[members])
            ends, _, others = index.range_search(rows[members], _THRESHOLD)
            row = np.repeat(np.arange(len(members)), np.diff(ends.astype(np.int64)))
            kept[members[row[others < row]]] = False
    return kept, f"; {clusters} clusters"


def main() -> None:
    """One way over one file, in a process of its own."""
    peak = _Peak()
    peak.start()
    start = time.perf_counter()
    kept, note = {"inloop": _inloop, "faiss": _faiss}[sys.argv[1]](Path(sys.argv[2]))
    took = time.perf_counter() - start
    print(json.dumps({"seconds": took, "peak_mb": peak.most, "stay": float(kept.mean()), "note": note}))


if __name__ == "__main__":
    main()
