"""`python -m inloop.mini train|evaluate`: make the bundled models again, and measure them."""

from __future__ import annotations

import argparse
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(prog="python -m inloop.mini", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train the small models; interrupted trainings go on where they stopped")
    train.add_argument("models", nargs="*", choices=["painter", "vqa", "clip", "writer", []], help="default: all")
    train.add_argument("--work", type=Path, default=Path("runs/mini"), help="checkpoints and cached latents")
    train.add_argument("--out", type=Path, default=HERE / "weights", help="where the finished models are written")
    train.add_argument("--steps", type=int, help="steps of the named model (default: the ones of the model card)")
    train.add_argument("--start", type=Path, help="a folder of finished models whose painter or vqa is trained on")
    train.add_argument("--device", default="")
    train.add_argument("--threads", type=int)
    evaluate = commands.add_parser("evaluate", help="measure the models on held-out captions with the exact reader")
    evaluate.add_argument("models", nargs="*", choices=["painter", "vqa", "clip", "writer", []])
    evaluate.add_argument("--weights", type=Path, default=HERE / "weights")
    evaluate.add_argument("--cards", action="store_true", help="write the figures into the model cards")
    evaluate.add_argument("--count", type=int, default=400, help="held-out captions per figure")
    options = parser.parse_args()

    if options.command == "train":
        from .train import train as run

        run(
            options.models,
            work=options.work,
            out=options.out,
            steps=options.steps,
            device=options.device,
            threads=options.threads,
            start=options.start,
        )
    else:
        from .evaluate import evaluate as measure

        measure(options.models, weights=options.weights, count=options.count, cards=options.cards)


if __name__ == "__main__":
    main()
