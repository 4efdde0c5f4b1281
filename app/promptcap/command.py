"""Captions for questions: make the data with a language model (`synthesize`), fine-tune a captioner on it (`train`).

  inloop promptcap synthesize rows.jsonl --out data --llm http://host:8000/v1
  inloop promptcap train data/train.jsonl --start Salesforce/blip-vqa-base --out captioner --test held-out.jsonl

Rows are JSONL or Parquet: image, question, answers, captions (what people say of the picture unasked).
"""

from __future__ import annotations

import argparse

__all__ = ["add_arguments", "promptcap"]


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of `inloop promptcap`."""
    parts = command.add_subparsers(dest="part", metavar="WHAT", required=True)

    def add(name: str, brief: str) -> argparse.ArgumentParser:
        part = parts.add_parser(name, help=brief, description=f"{brief[0].upper()}{brief[1:]}.")
        part.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object on the standard output"
        )
        part.add_argument("rows", metavar="ROWS", help="JSONL or Parquet with image, question, answers, captions")
        part.add_argument("--out", metavar="DIR", required=True, help="the folder that is written")
        part.add_argument(
            "--seed", type=int, default=0, metavar="N", help="the same seed gives the same result (default: 0)"
        )
        part.add_argument("--limit", type=int, metavar="N", help="the first N rows only")
        return part

    made = add("synthesize", "have a language model write a caption for each question, and keep those that help")
    made.add_argument(
        "--llm", metavar="LLM", help="the writer: mini-writer, smollm2, gguf:PATH, a server's URL, openai:MODEL"
    )
    made.add_argument("--reader", metavar="LLM", help="who answers from the captions (default: the writer's model)")
    made.add_argument(
        "--judge",
        metavar="LLM",
        help="who judges planted answers, or none: they are refused (default: the writer's model)",
    )
    made.add_argument("--samples", type=int, default=10, metavar="N", help="captions asked for a row (default: 10)")
    made.add_argument("--shots", type=int, metavar="N", help="examples in the prompt, 0 to 20 (default: 20)")
    made.add_argument(
        "--filter", choices=("soft", "hard", "none"), default="soft", help="what a caption is chosen by (default: soft)"
    )
    made.add_argument(
        "--least", type=float, default=0.5, metavar="X", help="the soft accuracy it must reach (default: 0.5)"
    )
    made.add_argument("--budget", metavar="LIMITS", default="", help="stop at limits such as tokens=10000,seconds=60")

    trained = add("train", "fine-tune a captioner on rows with captions, and measure it")
    trained.add_argument(
        "--start",
        metavar="MODEL",
        default="mini-promptcap",
        help="a captioner's folder or hub id: BLIP learns whole, others by LoRA (default: mini-promptcap)",
    )
    trained.add_argument("--epochs", type=int, default=3, metavar="N", help="times each row is seen (default: 3)")
    trained.add_argument("--rate", type=float, metavar="X", help="learning rate (default: 5e-5; with LoRA 2e-4)")
    trained.add_argument("--batch", type=int, default=32, metavar="N", help="rows a step (default: 32)")
    trained.add_argument("--train-vision", action="store_true", help="train the picture encoder too")
    trained.add_argument("--test", metavar="ROWS", help="held-out rows with image, question and answers to measure on")
    trained.add_argument(
        "--no-generic",
        action="store_true",
        help="leave out the captioner that is trained on unasked captions and compared with",
    )
    trained.add_argument(
        "--reader",
        metavar="LLM",
        help="who answers the test questions from the captions (default: a rule: the answer stands in it)",
    )
    trained.add_argument("--device", metavar="DEVICE", help="auto, cpu, cuda, ...")


def promptcap(args: argparse.Namespace) -> int:
    """The command `inloop promptcap`."""
    if args.part == "synthesize":
        from .synthesize import synthesize_rows

        return synthesize_rows(args)
    from .train import train

    return train(args)
