"""`python -m inloop.mini train|evaluate|knowledge|data`: make the bundled models again, measure them, write data sets of the drawn world."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..runtime.errors import BadInput, InloopError

HERE = Path(__file__).parent
NAMES = ("painter", "vqa", "clip", "writer", "answerer", "promptcap", "verifier")


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m inloop.mini", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train the small models; interrupted trainings go on where they stopped")
    train.add_argument(
        "models",
        nargs="*",
        choices=[*NAMES, "decoder", "cues", []],
        help="default: all; decoder: of a finished painter alone; cues: a vqa that can be steered",
    )
    train.add_argument("--work", type=Path, default=Path("runs/mini"), help="checkpoints and cached latents")
    train.add_argument("--out", type=Path, default=HERE / "weights", help="where the finished models are written")
    train.add_argument("--steps", type=int, help="steps of the named model (default: the ones of the model card)")
    train.add_argument(
        "--start", type=Path, help="a folder of finished models whose painter, vqa, writer or promptcap is trained on"
    )
    train.add_argument("--device", default="")
    train.add_argument("--threads", type=int)
    evaluate = commands.add_parser("evaluate", help="measure the models on held-out captions with the exact reader")
    evaluate.add_argument("models", nargs="*", choices=[*NAMES, []])
    evaluate.add_argument("--weights", type=Path, default=HERE / "weights")
    evaluate.add_argument("--cards", action="store_true", help="write the figures into the model cards")
    evaluate.add_argument("--work", type=Path, default=Path("runs/mini"), help="where the verifier's texts are kept")
    evaluate.add_argument("--count", type=int, default=400, help="held-out captions per figure")
    knowledge = commands.add_parser("knowledge", help="write the knowledge question set about drawn pictures")
    knowledge.add_argument("--out", type=Path, required=True, metavar="DIR")
    knowledge.add_argument("--count", type=int, default=600, help="test questions (default: 600)")
    knowledge.add_argument("--train", type=int, default=600, help="training questions (default: 600)")
    knowledge.add_argument("--seed", type=int, default=0)
    data = commands.add_parser("data", help="write a labelled data set of the drawn world, with its exact truth")
    data.add_argument("name", nargs="?", metavar="NAME", help="which one: see --list")
    data.add_argument("--list", action="store_true", help="the data sets that there are")
    data.add_argument("--out", type=Path, metavar="DIR", help="a new or an empty folder")
    data.add_argument("--count", type=int, help="how many (default: see --list)")
    data.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    if options.command == "train":
        from .training import train as run

        run(
            options.models,
            work=options.work,
            out=options.out,
            steps=options.steps,
            device=options.device,
            threads=options.threads,
            start=options.start,
        )
    elif options.command == "knowledge":
        from .world import write_knowledge

        try:
            made = write_knowledge(options.out, count=options.count, train=options.train, seed=options.seed)
        except InloopError as error:
            parser.exit(2, f"python -m inloop.mini: {error}\n")
        print(", ".join(f"{number} {name}" for name, number in made.items()), f"-> {options.out}")
    elif options.command == "data":
        if not options.list and not (options.name and options.out):
            data.error("give a NAME and --out DIR, or --list")
        from .data_command import list_sets, write

        try:
            if options.list:
                list_sets()
            else:
                write(options.name, options.out, count=options.count, seed=options.seed)
        except InloopError as error:
            parser.exit(2 if isinstance(error, BadInput) else 3, f"python -m inloop.mini: {error}\n")
        except KeyboardInterrupt:
            parser.exit(130, "python -m inloop.mini: interrupted; the same command goes on\n")
    else:
        from .training import evaluate as measure

        measure(options.models, weights=options.weights, count=options.count, cards=options.cards, work=options.work)


if __name__ == "__main__":
    main()
