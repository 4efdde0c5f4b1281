"""`inloop rescore`: the replies of a finished run, judged again by other rules; with the rows and the student that they give."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...runtime.folder import RunFolder
from ...runtime.settings import Settings
from ...runtime.storage import disk_problem, write_whole
from ...runtime.store import StoreLocation
from ...runtime.text import lines_of
from ..cli import json_text

__all__ = ["add_arguments", "rescore"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Read and judge the replies of a finished run again, with other thresholds; the teacher is not asked."""
    command.add_argument("run", nargs="?", default="latest", metavar="RUN", help="id or folder (default: the latest)")
    command.add_argument("--rouge", type=float, metavar="F", help="another ROUGE-L above which a row is a copy")
    command.add_argument("--cosine", type=float, metavar="C", help="another cosine above which a row is a copy")
    command.add_argument("--agreement", type=float, metavar="A", help="another agreement that is enough")
    command.add_argument("--verifier", action="append", metavar="WHO", help="other verifiers, as in inloop llm2llm")
    command.add_argument("--out", metavar="DIR", help="the folder of the runs (default: runs)")


def rescore(args: argparse.Namespace) -> int:
    """Read and judge the replies of a finished run again, with other thresholds; the teacher is not asked."""
    from ...graphs.llm2llm import Llm2LlmResult
    from ...graphs.llm2llm import rescore as judge_again
    from .export import export

    settings = Settings.load(runs_dir=args.out)
    folder = RunFolder.open(settings.runs_dir, args.run)
    settings = Settings.load(runs_dir=folder.path.parent)
    changes = {
        name: getattr(args, name) for name in ("rouge", "cosine", "agreement") if getattr(args, name) is not None
    }
    if args.verifier:
        changes["verifiers"] = tuple(args.verifier)
    path = _new_folder(folder.path)
    with _dropped_if_refused(path):
        work = judge_again(
            folder.result_as(Llm2LlmResult), changes, settings=settings, run_id=folder.id, student=path / "student"
        )
        rescoring = asyncio.run(work)
        export(rescoring.result, StoreLocation.named_by(settings).open_blobs(), path / "data")
        rescored = {
            "run_id": folder.id,
            "changes": changes,
            "repeats": [one.model_dump(mode="json") for one in rescoring.repeats],
        }
        write_whole(path / "rescored.json", json.dumps(rescored, indent=1, ensure_ascii=False).encode("utf-8") + b"\n")
    paths = {"data": str(path / "data"), "student": str(path / "student"), "path": str(path)}
    if args.json:
        print(json_text({**rescored, **paths}))
        return 0
    for one in rescoring.repeats:
        dev = (
            ""
            if one.dev_before is None or one.dev is None
            else f"; dev {100 * one.dev_before:.1f} → {100 * one.dev:.1f}"
        )
        print(f"  repeat {one.repeat + 1}: {one.accepted_before} → {one.accepted} rows accepted{dev}")
        print("\n".join(f"    {line}" for line in lines_of(str(one.table))))
    print(f"  calls of language models paid: {sum(one.paid for one in rescoring.repeats)}")
    print("\n".join(f"  {name:<8} {place}" for name, place in paths.items()))
    return 0


def _new_folder(run: Path) -> Path:
    """A folder beside the run's own files, numbered on."""
    for number in itertools.count(1):
        path = run / f"rescored-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise disk_problem(error, path) from error
        return path
    raise AssertionError


@contextlib.contextmanager
def _dropped_if_refused(path: Path) -> Iterator[None]:
    """What cannot be judged leaves no folder."""
    try:
        yield
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
