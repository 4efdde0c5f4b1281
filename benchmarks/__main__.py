"""Runs the measurements that are named (default: all), prints a table and keeps the figures in `runs/bench/*.json`."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from inloop.runtime.errors import InloopError

from .figures import Options, keep, machine, table

MEASUREMENTS = (
    *(
        "start",
        "nodes",
        "models",
        "loops",
        "many",
        "scale",
        "kills",
        "serving",
        "servers",
        "store",
        "scorers",
        "false_gains",
        "votes",
        "search",
        "curate",
        "dedup",
        "bias",
        "capacity",
        "encoders",
        "label",
    ),
    *(
        "students",
        "llm2llm",
        "retrieval",
        "embedding",
        "first_question",
        "indexing",
        "rag_answers",
        "statements",
        "questions",
        "retrieval_vision",
        "promptcap",
    ),
)


def main() -> int:
    """Measure; 1 where a measurement could not be taken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)} (default: all)")
    for name in ("images", "vqa", "clip"):
        parser.add_argument(f"--{name}", default="mini", metavar="ID", help="mini, a folder or a hub id")
    parser.add_argument("--llm", default="mini-writer", metavar="LLM", help="as in inloop opt2i")
    parser.add_argument(
        "--student", metavar="NAME", help="as in docs/students.md; default: local for students, embedding for llm2llm"
    )
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda, ...")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="how often each time is taken")
    parser.add_argument("--iterations", type=int, default=2, metavar="N", help="rounds of rewriting in the whole run")
    parser.add_argument("--prompts", type=int, default=27, metavar="N", help="prompts of search")
    parser.add_argument("--many", type=int, default=2000, metavar="N", help="prompts of many")
    parser.add_argument("--claims", type=int, default=100, metavar="N", help="claims of rag_answers")
    parser.add_argument(
        "--answerer", choices=("quote", "llm"), default="quote", help="llm: the language model's words too"
    )
    parser.add_argument(
        "--draw", type=int, default=0, metavar="N", help="of the pictures and seeds of retrieval-vision and label"
    )
    parser.add_argument(
        "--makers", choices=("all", "hand"), default="all", help="hand: of statements, the hand-written ones"
    )
    parser.add_argument(
        "--embedder", default="minilm", metavar="ID", help="of statements and questions; none: found by words alone"
    )
    parser.add_argument("--vectors", type=int, default=100_000, metavar="N", help="of dedup: the most, from 10,000 on")
    parser.add_argument(
        "--questions", choices=("first", "second"), default="first", help="which set of questions is asked"
    )
    parser.add_argument(
        "--postgres", default="", metavar="URL", help="of store and kills: postgresql://user@host/db; none: left out"
    )
    parser.add_argument("--bucket", default="", metavar="URL", help="of store: s3://bucket/folder; none: left out")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), metavar="DIR", help="where the figures go")
    given = vars(parser.parse_args())
    names, out = [name.replace("-", "_") for name in given.pop("names")] or MEASUREMENTS, given["out"]
    unknown = sorted(set(names) - set(MEASUREMENTS))
    if unknown:
        parser.error(f"there is no measurement {unknown[0]!r}; there are {', '.join(MEASUREMENTS)}")
    options = Options(**given)
    about = machine(options.device)
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    failed = 0
    for name in names:
        print(f"\n{name}", flush=True)
        try:
            figures = importlib.import_module(f"{__package__}.{name}").measure(options)
        except InloopError as error:
            print(f"  not measured: {error}", file=sys.stderr)
            failed = 1
            continue
        print("\n".join(f"  {line}" for line in table(figures).splitlines()))
        print(f"  kept in {keep(out, name, figures, about)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
