"""Trains the small models one after another; each is resumable by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

__all__ = ["STEPS", "train"]

WEIGHTS = Path(__file__).parents[1] / "weights"
STEPS = {
    "autoencoder": 6_000,
    "decoder": 3_400,
    "layout": 2_300,
    "painter": 6_000,
    "vqa": 15_650,
    "cues": 700,
    "clip": 1_050,
    "writer": 760,
    "answerer": 650,
    "promptcap": 12_200,
    "verifier": 1_600,
}


def train(
    models: Sequence[str],
    *,
    work: Path,
    out: Path,
    steps: int | None = None,
    device: str = "",
    threads: int | None = None,
    start: Path | None = None,
) -> None:
    """Train `models` (default: all) and write them under `out`; painter, vqa, writer and promptcap can go on from finished ones under `start`.

    "decoder" is that of a finished painter alone; "cues" is a vqa trained on to answer by outline or by surface, and is not bundled.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if threads:
        torch.set_num_threads(threads)
    work.mkdir(parents=True, exist_ok=True)

    def report(line: str) -> None:
        print(line, flush=True)

    for name in models or ("painter", "vqa", "clip", "writer", "answerer", "promptcap", "verifier"):
        count = STEPS[name] if steps is None else steps
        begun = start / ("painter" if name == "decoder" else name) if start is not None else None
        if name == "painter":
            from .train_autoencoder import train_autoencoder
            from .train_painter import train_painter

            autoencoder = train_autoencoder(
                work,
                steps=STEPS["autoencoder"],
                decoder_steps=STEPS["decoder"],
                device=device,
                start=begun,
                report=report,
            )
            train_painter(
                work,
                out / "painter",
                steps=count,
                layout_steps=STEPS["layout"],
                autoencoder=autoencoder,
                device=device,
                start=begun,
                report=report,
            )
        elif name == "decoder":
            from .train_painter import train_decoder_of

            train_decoder_of(
                begun or WEIGHTS / "painter", work, out / "painter", steps=count, device=device, report=report
            )
        elif name == "vqa":
            from .train_vqa import train_vqa

            train_vqa(work, out / "vqa", steps=count, device=device, start=begun, report=report)
        elif name == "cues":
            from .train_cues import train_cues

            train_cues(
                work,
                out / "cues",
                steps=count,
                device=device,
                start=start / "vqa" if start else WEIGHTS / "vqa",
                report=report,
            )
        elif name == "clip":
            from .train_clip import train_clip

            train_clip(work, out / "clip", steps=count, device=device, report=report)
        elif name == "writer":
            from .train_writer import train_writer

            train_writer(work, out / "writer", steps=count, device=device, start=begun, report=report)
        elif name == "answerer":
            from .train_answerer import train_answerer

            train_answerer(work, out / "answerer", steps=count, device=device, report=report)
        elif name == "promptcap":
            from .train_promptcap import train_promptcap

            train_promptcap(
                work, out / "promptcap", steps=count, device=device, start=begun or WEIGHTS / "vqa", report=report
            )
        elif name == "verifier":
            from .verifier import train_verifier

            train_verifier(work, out / "verifier", steps=count, device=device, report=report)
