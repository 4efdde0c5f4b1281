"""Near copies among the vectors of a file, of which there may be millions: embeddings of pictures, texts, anything.

FILE is a .npy file of floats, a vector a row, or a .parquet file with a column of vectors. Rows are compared by their cosine (SemDeDup); up to
10,000 all with all, above within clusters and across their borders, with the share of copies that this finds told. Memory holds blocks of the file;
beside it a temporary file is written and removed.

Without --threshold nothing goes: it is told how many rows have another one how near, which says what a threshold would take.
Rows that are copies of a row of --test go before all others.

--to FILE.npy gets the numbers of the rows that stay (from 0), --to FILE.csv a line a row: whether it stays, what it is a copy of (a row of the file,
or of the test file), and how alike.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...runtime.errors import BadInput
from ...runtime.storage import disk_problem, write_whole
from ..cli import amount, json_text, printable

if TYPE_CHECKING:
    from ...tools.curation import Removal

__all__ = ["add_arguments", "dedup"]

_ENDINGS = (".npy", ".csv")
_NEAR = (0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7)
_LINES = 65_536


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop dedup`."""
    command.add_argument("file", metavar="FILE", help="vectors: a .npy file, or a .parquet file with a column of them")
    command.add_argument("--column", metavar="NAME", help="of a .parquet file (default: embedding or vector)")
    command.add_argument("--threshold", type=float, metavar="X", help="the cosine above which two rows are copies")
    command.add_argument("--test", metavar="FILE", help="vectors of a test set: what is a copy of one of them goes")
    command.add_argument("--rule", choices=("greedy", "released", "components"), default="greedy", help="as in inloop curate")  # fmt: skip
    command.add_argument("--keep", choices=("hard", "easy", "random"), default="hard", help="which stays: far from its centre, near to it, any")  # fmt: skip
    command.add_argument("--to", metavar="FILE", help=".npy: the numbers of the rows that stay; .csv: every row")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn")
    command.description = __doc__


def dedup(args: argparse.Namespace) -> int:
    """The command `inloop dedup`."""
    import numpy as np

    from ...tools.curation import SomeRows, nearest_cosines, open_vectors, remove_copies

    path, to = Path(args.file), Path(args.to) if args.to else None
    if to is not None and to.suffix.lower() not in _ENDINGS:
        raise BadInput(f"--to {args.to!r} ends neither with .npy nor with .csv: give one of these.")
    if to is not None and to.resolve() == path.resolve():
        raise BadInput(f"--to {args.to!r} is the file that is read: give another.")
    if (to is not None or args.test) and args.threshold is None:
        flag = "--to" if to is not None else "--test"
        raise BadInput(f"{flag} needs --threshold: without one nothing goes. Leave it out to see how near rows are.")
    scratch = to.parent if to is not None else None
    if scratch is not None and not scratch.is_dir():
        raise BadInput(f"--to {args.to!r}: there is no folder {str(scratch)!r}: make it, or give another.")
    try:
        with tempfile.TemporaryDirectory(dir=scratch, prefix=".inloop-dedup-") as folder:
            vectors = open_vectors(path, Path(folder), args.column)
            told: dict[str, Any] = {"file": args.file, "rows": len(vectors), "size": vectors.shape[1]}
            if args.threshold is None:
                near = nearest_cosines(vectors, seed=args.seed)
                told |= {"drawn": len(near), "above": {str(least): float((near > least).mean()) for least in _NEAR}}
                print(json_text(told) if args.json else "\n".join(_nearness(told)))
                return 0
            leaks = _leaks(vectors, Path(args.test), Path(folder), args) if args.test else None
            some = vectors if leaks is None else SomeRows(vectors, np.flatnonzero(leaks.kept))
            if not len(some):
                raise BadInput(
                    f"all rows of {args.file!r} are copies of rows of {args.test!r}, of a cosine above {args.threshold:g}: nothing would stay."
                )
            removal = remove_copies(
                some, args.threshold, rule=args.rule, priority=args.keep, seed=args.seed, scratch=Path(folder)
            )
            if leaks is not None:
                removal = _placed(removal, leaks.kept)
            if to is not None:
                write_whole(to, _kept(removal) if to.suffix.lower() == ".npy" else _table(removal, leaks))
    except OSError as error:
        raise disk_problem(error, scratch or Path(tempfile.gettempdir())) from error
    border = removal.border
    told |= {
        "threshold": args.threshold, "kept": int(removal.kept.sum()), "to": args.to,
        "leaks": 0 if leaks is None else int((~leaks.kept).sum()),
        "compared": "all pairs" if border is None else "clusters and their borders",
        "recall": None if border is None else border.recall,
        "recall_ci": None if border is None else border.recall_ci, "recall_rows": 0 if border is None else border.rows,
    }  # fmt: skip
    print(json_text(told) if args.json else "\n".join(_words(told)))
    return 0


def _nearness(told: dict[str, Any]) -> list[str]:
    rows = "of all rows" if told["drawn"] == told["rows"] else f"of {amount(told['drawn'])} drawn rows"
    return [
        f"  {amount(told['rows'])} vectors of {told['size']} numbers; {rows} the nearest other one has a cosine above",
        *(f"    {least:>5}  {_percent(share):>7}" for least, share in told["above"].items()),
        "  nothing went: give --threshold X and --to FILE",
    ]


def _words(told: dict[str, Any]) -> list[str]:
    gone = f"{amount(told['rows'] - told['kept'] - told['leaks'])} are near copies, of a cosine above {told['threshold']:g}"
    if told["leaks"]:
        gone += f"; {amount(told['leaks'])} are copies of rows of the test set"
    lines = [f"  {amount(told['kept'])} of {amount(told['rows'])} rows stay; {gone}"]
    if told["compared"] != "all pairs":
        lines.append("  rows were compared within clusters and across their borders: " + _recall(told))
    return [*lines, f"  written to {printable(told['to'])}" if told["to"] else "  nothing was written: give --to FILE"]


def _recall(told: dict[str, Any]) -> str:
    if told["recall"] is None:
        return "how many copies that finds could not be told, since hardly any of the drawn rows has one"
    low, high = told["recall_ci"]
    return f"of {told['recall_rows']} drawn rows with a copy {_percent(told['recall'])} met one ({_percent(low)} to {_percent(high)})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _kept(removal: Removal) -> bytes:
    import numpy as np

    out = io.BytesIO()
    np.save(out, np.flatnonzero(removal.kept), allow_pickle=False)
    return out.getvalue()


def _leaks(vectors: Any, test: Path, folder: Path, args: argparse.Namespace) -> Removal:
    """Rows that are no copies of a row of the test file, and of those that are, of which."""
    import numpy as np

    from ...tools.curation import Removal, nearest, open_vectors

    scratch = folder / "test"
    scratch.mkdir()
    tests = open_vectors(test, scratch, args.column if test.suffix.lower() == ".parquet" else None)
    if tests.shape[1] != vectors.shape[1]:
        raise BadInput(
            f"--test: the vectors of {str(test)!r} have {tests.shape[1]} numbers, those of {args.file!r} {vectors.shape[1]}: give those of the same encoder."
        )
    all_tests = np.asarray(tests[:], dtype=np.float32)
    copy_of, similarity = np.empty(len(vectors), dtype=np.int64), np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), _LINES):
        part = slice(start, start + _LINES)
        copy_of[part], similarity[part] = nearest(np.asarray(vectors[part], dtype=np.float32), all_tests)
    return Removal(similarity <= args.threshold, copy_of, similarity)


def _placed(removal: Removal, among: Any) -> Removal:
    """What was said of the rows `among` (n,) all, said of all: the others do not stay."""
    import numpy as np

    places = np.flatnonzero(among)
    kept, copy_of = np.zeros(len(among), dtype=bool), np.full(len(among), -1, dtype=np.int64)
    similarity = np.zeros(len(among), dtype=np.float32)
    kept[places], similarity[places] = removal.kept, removal.similarity
    copy_of[places] = np.where(removal.copy_of < 0, -1, places[removal.copy_of])
    return replace(removal, kept=kept, copy_of=copy_of, similarity=similarity)


def _table(removal: Removal, leaks: Removal | None) -> bytes:
    out = io.StringIO()
    out.write("row,kept,copy_of,similarity" + (",test_row,test_similarity" if leaks is not None else "") + "\n")
    for start in range(0, len(removal.kept), _LINES):
        part = slice(start, start + _LINES)
        told = [""] * len(removal.kept[part])
        if leaks is not None:
            each = zip(leaks.kept[part].tolist(), leaks.copy_of[part].tolist(), leaks.similarity[part].tolist(), strict=True)  # fmt: skip
            told = [",," if clear else f",{copy},{similarity:.4f}" for clear, copy, similarity in each]
        columns = zip(told, removal.kept[part].tolist(), removal.copy_of[part].tolist(), removal.similarity[part].tolist(), strict=True)  # fmt: skip
        out.writelines(
            f"{row},{'yes' if kept else 'no'},{copy if copy >= 0 else ''},{f'{similarity:.4f}' if copy >= 0 else ''}{leak}\n"
            for row, (leak, kept, copy, similarity) in enumerate(columns, start=start)
        )
    return out.getvalue().encode()
