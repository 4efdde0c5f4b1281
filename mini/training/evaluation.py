"""Measures the small models on held-out captions, against the exact reader and the world's own truth, and writes their cards."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ...runtime.records import ImageRequest
from ...runtime.roles import close
from ...runtime.settings import Settings
from ...runtime.store import Store
from ..world import Spec, specs

__all__ = ["evaluate"]

Figures = dict[str, dict[str, float]]
MODELS = ("painter", "vqa", "clip", "writer", "answerer", "promptcap", "verifier")  # what is bundled


def evaluate(
    models: Sequence[str], *, weights: Path, count: int = 400, cards: bool = False, work: Path = Path("runs/mini")
) -> Figures:
    """Measure `models` (default: all), print the figures and, with `cards`, write them into `weights/*/figures.json` and the cards."""
    found: Figures = {}
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        bench = _Bench(weights, store, count, work)
        for name in models or MODELS:
            found[name] = asyncio.run(getattr(bench, name)())
            print(f"{name}: " + ", ".join(f"{key} {value:.3f}" for key, value in found[name].items()), flush=True)
    if cards:
        from .cards import write_card

        for name, figures in found.items():
            (weights / name / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            write_card(name, figures, weights / name)
    return found


class _Bench:
    def __init__(self, weights: Path, store: Store, count: int, work: Path) -> None:
        self.weights, self.store, self.count, self.work = weights, store, count, work
        self.settings = Settings.load()

    async def _paint(self, texts: list[str]) -> list[Image.Image]:
        from ...tools.images import open_images

        painter = open_images(str(self.weights / "painter"), self.store, self.settings)
        made = await painter.generate([ImageRequest(prompt=text, seed=i) for i, text in enumerate(texts)])
        await close(painter)
        return [Image.open(io.BytesIO(self.store.blobs.get(ref))).convert("RGB") for ref in made]

    def _specs(self) -> list[Spec]:
        return list(itertools.islice(specs(900, held_out=True), self.count))

    async def painter(self) -> dict[str, float]:
        """Each thing by itself, and held-out captions in plain and in varied wording; the contact sheet is kept beside the weights."""
        from .painter_evaluation import contact_sheet, measure_painter

        sheet = await contact_sheet(self._paint)
        sheet.save(self.weights / "painter" / "contact_sheet.jpg", quality=85)
        return await measure_painter(self._paint, self._specs())

    async def vqa(self) -> dict[str, float]:
        """On drawn scenes, on smudges, and on painted pictures beside the exact reader."""
        from ...tools.vision import open_vqa
        from .judge_evaluation import measure_vqa

        model = open_vqa(str(self.weights / "vqa"), self.store, self.settings)
        figures = await measure_vqa(model, self.store, self._paint, self._specs(), self.count)
        await close(model)
        return figures

    async def clip(self) -> dict[str, float]:
        """Pictures and captions, each looked for by the other."""
        from ...tools.encoders import open_clip
        from .judge_evaluation import measure_clip

        model = open_clip(str(self.weights / "clip"), self.store, self.settings)
        figures = await measure_clip(model, self.store, self.count)
        await close(model)
        return figures

    async def promptcap(self) -> dict[str, float]:
        """What its captions name."""
        from ...tools.vision import open_captioner
        from .captioner_evaluation import measure_captioner

        model = open_captioner(str(self.weights / "promptcap"), self.store, self.settings)
        figures = await measure_captioner(model, self.store, self.count)
        await close(model)
        return figures

    async def answerer(self) -> dict[str, float]:
        """Answers of the answerer and of its base to questions that were not taught."""
        from ...runtime.llm import open_chat
        from ...runtime.serving import serve
        from .answerer_evaluation import measure_answerer

        out: dict[str, float] = {}
        count = min(self.count, 100)
        adapter = f"mini-answerer={self.weights / 'answerer'}"
        for prefix, loras in (("", [adapter]), ("base: ", [])):
            with serve("smollm2", loras=loras, engine="embedded", settings=self.settings) as server:
                chat = open_chat(server.served.llm, self.store, self.settings)
                out |= {prefix + key: value for key, value in (await measure_answerer(chat, count=count)).items()}
                await close(chat)
        return out | {"questions": float(count)}

    async def writer(self) -> dict[str, float]:
        """Each role of the writer, on held-out prompts."""
        from ...runtime.llm import open_chat
        from ...runtime.serving import serve
        from .writer_evaluation import measure_writer

        adapter = f"mini-writer={self.weights / 'writer'}"
        with serve("smollm2", loras=[adapter], engine="embedded", settings=self.settings) as server:
            chat = open_chat(server.served.llm, self.store, self.settings)
            figures = await measure_writer(chat, count=min(self.count, 100))
            await close(chat)
        return figures

    async def verifier(self) -> dict[str, float]:
        """On statements about documents, and on claims, that it was not trained on."""
        from ...tools.entailment import open_nli
        from .verifier import measure_verifier

        judge = open_nli("mini", self.store, self.settings)
        self.work.mkdir(parents=True, exist_ok=True)
        figures = await measure_verifier(judge, self.work, count=self.count)
        await close(judge)
        return figures
