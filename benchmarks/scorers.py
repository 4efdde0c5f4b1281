"""Answers a second of DSG against the released way, CLIPScore against torchmetrics' on the same model, and a second scoring."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from inloop.agents.scene import Question, SceneGraph
from inloop.evaluators.text_image import DSG, ClipScore
from inloop.runtime.records import BlobRef, Sample
from inloop.runtime.settings import Settings
from inloop.runtime.store import Store

from .figures import Figure, Options, seconds

__all__ = ["measure"]

_PICTURES, _QUESTIONS = 8, 8
_SET = 64  # pictures that CLIPScore is taken of
_TEXT = "a red circle to the left of a blue square"
_WORDS = ("circle", "square", "triangle", "star", "heart", "cat", "dog", "car")


def measure(options: Options) -> list[Figure]:
    """Both sides of each comparison in turn, on the same weights in the same process; memory in a process of its own."""
    figures = []
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        figures += _dsg(options, store)
        figures += _clip(options, store)
    figures += _memory(options)
    return [*figures, *_again(options)]


def _dsg(options: Options, store: Store) -> list[Figure]:
    """Answers a second at 8 questions a picture; the released way asks one at a time and encodes the picture for each."""
    from inloop.tools.vision import open_vqa

    vqa = open_vqa(options.vqa, store, Settings(device=options.device))
    nodes = tuple(
        Question(id=place, tuple=f"entity - whole ({word})", question=f"Is there a {word}?")
        for place, word in enumerate(_WORDS, start=1)
    )
    dsg = DSG(vqa, SceneGraph(text=_TEXT, nodes=nodes, questioner="the benchmark"))
    number = iter(range(10**9))

    def fresh() -> list[BlobRef]:
        return [store.blobs.put_image(_picture(next(number))) for _ in range(_PICTURES)]

    def ours(images: Sequence[BlobRef]) -> None:
        scores = asyncio.run(dsg.score([Sample(id=image.sha256, text=_TEXT, image=image) for image in images]))
        assert all(score.value is not None for score in scores)

    ours(fresh())
    model: Any = vqa._model  # type: ignore[union-attr]  # the same weights on the same device
    processor: Any = vqa._processor  # type: ignore[union-attr]
    longest = min(256, int(model.config.text_config.max_position_embeddings))

    def released(images: Sequence[BlobRef]) -> None:
        import torch

        with torch.inference_mode():
            for image in images:
                picture = store.blobs.get_image(image).convert("RGB")
                for node in nodes:
                    inputs = processor(images=picture, text=node.question, return_tensors="pt").to(model.device)
                    # as LAVIS and the release of DSG decode: five beams (its InstructBLIP too)
                    made = model.generate(**inputs, num_beams=5, max_length=longest)
                    processor.decode(made[0], skip_special_tokens=True)

    def greedy(images: Sequence[BlobRef]) -> None:
        import torch

        with torch.inference_mode():
            for image in images:
                picture = store.blobs.get_image(image).convert("RGB")
                for node in nodes:
                    inputs = processor(images=picture, text=node.question, return_tensors="pt").to(model.device)
                    made = model.generate(**inputs, max_new_tokens=10)
                    processor.decode(made[0], skip_special_tokens=True)

    found: dict[str, list[float]] = {"ours": [], "released": [], "greedy": []}
    count = _PICTURES * _QUESTIONS
    for _ in range(options.repeats):
        images = fresh()
        for name, way in (("ours", ours), ("released", released), ("greedy", greedy)):
            found[name].append(count / seconds(lambda way=way, images=images: way(images)))  # type: ignore[misc]
    note = f"{vqa.model}, {_PICTURES} pictures of {_QUESTIONS} questions each"
    return [
        Figure.of("DSG, ours", found["ours"], "answers/s", note),
        Figure.of("DSG, released way (one at a time, 5 beams)", found["released"], "answers/s"),
        Figure.of("DSG, one at a time, greedy", found["greedy"], "answers/s"),
        Figure.of("DSG, ours over the released way", _ratios(found["ours"], found["released"]), "x", "the goal is 5"),
        Figure.of("DSG, ours over one at a time, greedy", _ratios(found["ours"], found["greedy"]), "x"),
    ]


def _clip(options: Options, store: Store) -> list[Figure]:
    """CLIPScore of a set of stored PNGs a second; torchmetrics takes tensors, so its pictures are decoded for it."""
    if find_spec("torchmetrics") is None:
        print("  CLIPScore against torchmetrics is left out: pip install torchmetrics", file=sys.stderr)
        return []
    from inloop.tools.encoders import open_clip

    clip = open_clip(options.clip, store, Settings(device=options.device))
    score = ClipScore(clip)
    number = iter(range(10**6, 10**9))
    values: dict[str, float] = {}

    def fresh() -> tuple[list[BlobRef], list[str]]:
        images = [store.blobs.put_image(_picture(next(number))) for _ in range(_SET)]
        return images, [f"{_TEXT} {next(number)}" for _ in images]

    def ours(images: Sequence[BlobRef], texts: Sequence[str]) -> None:
        samples = [Sample(id=image.sha256, text=text, image=image) for image, text in zip(images, texts, strict=True)]
        found = [score.value or 0.0 for score in asyncio.run(score.score(samples))]
        values["ours"] = sum(found) / len(found) / 2.5 * 100

    images, texts = fresh()
    ours(images, texts)
    metric = _torchmetrics(clip._model, clip._processor)

    def theirs(images: Sequence[BlobRef], texts: Sequence[str]) -> None:
        pictures = [_tensor(store.blobs.get_image(image).convert("RGB")) for image in images]
        metric.update(pictures, [f"A photo depicts {text}" for text in texts])
        values["theirs"] = float(metric.compute())
        metric.reset()

    theirs(images, texts)
    mine, other = [], []
    for _ in range(options.repeats):
        images, texts = fresh()
        mine.append(_SET / seconds(lambda i=images, t=texts: ours(i, t)))  # type: ignore[misc]
        other.append(_SET / seconds(lambda i=images, t=texts: theirs(i, t)))  # type: ignore[misc]
    note = (
        f"{clip.model}, {_SET} pictures with a text each; 100 x cosine {values['ours']:.4f} and {values['theirs']:.4f}"
    )
    return [
        Figure.of("CLIPScore, ours", mine, "pictures/s", note),
        Figure.of("CLIPScore, torchmetrics", other, "pictures/s"),
        Figure.of("CLIPScore, ours over torchmetrics", _ratios(mine, other), "x", "the goal is 1"),
    ]


def _torchmetrics(model: Any, processor: Any) -> Any:
    """Its `CLIPScore` on a model that is there already; transformers 5 wraps the vectors, which it does not expect."""
    import torch
    from torchmetrics.multimodal import CLIPScore

    class Bare(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.config = model, model.config

        def get_image_features(self, *given: Any) -> Any:
            made = self.inner.get_image_features(*given)
            return getattr(made, "pooler_output", made)

        def get_text_features(self, *given: Any) -> Any:
            made = self.inner.get_text_features(*given)
            return getattr(made, "pooler_output", made)

    bare = Bare().eval()
    return CLIPScore(model_name_or_path=lambda: (bare, processor)).to(next(model.parameters()).device)


def _memory(options: Options) -> list[Figure]:
    """The highest memory of a process that takes CLIPScore of the set, less what it holds with the model loaded."""
    if find_spec("torchmetrics") is None or sys.platform != "linux":
        return []
    figures = []
    for way in ("ours", "torchmetrics"):
        command = [sys.executable, "-c", _ALONE, way, options.clip, options.device, str(_SET)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        if done.returncode:
            print(f"  the memory of {way} is left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            continue
        told = json.loads(done.stdout)
        note = f"{told['before']:.0f} MB with the model loaded"
        figures.append(
            Figure(name=f"CLIPScore of {_SET} pictures, {way}: adds", value=told["adds"], unit="MB", note=note)
        )
    return figures


_ALONE = """
import gc, json, re, sys, tempfile
from pathlib import Path
from benchmarks.scorers import _Alone
way, spec, device, count = sys.argv[1:]

def held(what):
    return int(re.search(what + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

with tempfile.TemporaryDirectory() as folder:
    alone = _Alone(Path(folder), spec, device, int(count))
    gc.collect()
    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest so far was that of loading
    getattr(alone, way)()
    adds = held("VmHWM") - before
print(json.dumps({"before": before, "adds": adds}))
"""


class _Alone:
    """One way of taking CLIPScore of pictures on the disk, in a process that does nothing else."""

    def __init__(self, folder: Path, spec: str, device: str, count: int) -> None:
        from inloop.tools.encoders import open_clip

        self.store = Store(folder)
        self.images = [self.store.blobs.put_image(_picture(place, 512)) for place in range(count)]
        self.texts = [f"{_TEXT} {place}" for place in range(count)]
        self.clip = open_clip(spec, self.store, Settings(device=device))
        asyncio.run(self.clip.texts(["warm"]))  # loads the model, and every library
        asyncio.run(self.clip.images([self.store.blobs.put_image(_picture(10**8))]))
        self.metric = _torchmetrics(self.clip._model, self.clip._processor)

    def ours(self) -> None:
        rows = zip(self.images, self.texts, strict=True)
        asyncio.run(ClipScore(self.clip).score([Sample(id=i.sha256, text=t, image=i) for i, t in rows]))

    def torchmetrics(self) -> None:
        pictures = [_tensor(self.store.blobs.get_image(image).convert("RGB")) for image in self.images]
        self.metric.update(pictures, self.texts)
        self.metric.compute()


def _again(options: Options) -> list[Figure]:
    """`inloop score` of a folder, twice: how long, and how many model calls the second one makes."""
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        (home / "pics").mkdir()
        for number in range(16):
            _picture(10**7 + number).save(home / "pics" / f"{number}.png")
        (home / "prompts.txt").write_text("\n".join([_TEXT] * 16), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "inloop.app.cli.main",
            "score",
            "pics",
            "prompts.txt",
            "--metric",
            "dsg,clipscore,vqascore",
        ]
        command += [
            "--questioner",
            "simple-english",
            "--vqa",
            options.vqa,
            "--clip",
            options.clip,
            "--device",
            options.device,
        ]
        took, paid = [], []
        for _ in range(2):
            began = time.perf_counter()
            done = subprocess.run([*command, "--json"], cwd=home, capture_output=True, text=True, check=True)
            took.append(time.perf_counter() - began)
            paid.append(sum(calls["paid"] for calls in json.loads(done.stdout)["calls"].values()))
    return [
        Figure(
            name="inloop score of 16 pictures, three metrics", value=took[0], unit="s", note=f"{paid[0]} model calls"
        ),
        Figure(name="the same again", value=took[1], unit="s"),
        Figure(name="the same again, model calls made", value=paid[1], unit="calls", note="the goal is 0"),
    ]


def _picture(number: int, side: int = 64) -> Any:
    """A picture that no other number gives."""
    from PIL import Image

    picture = Image.new("RGB", (side, side), (number % 256, number // 256 % 256, number // 65536 % 256))
    picture.paste((200, 40, 40), (side // 8, side // 4, side // 2, side * 3 // 4))
    return picture


def _tensor(picture: Any) -> Any:
    import numpy as np
    import torch

    return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(ours, theirs, strict=True)]
