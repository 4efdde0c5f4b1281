"""`inloop encoders compare` on 5 encoders and 2,000 drawn pictures, beside the plain forward loop over the same; and the same comparison again.

The bundled CLIP and four random models of ViT-Tiny's width at half its depth, at 112 pixels: what they see does not matter for time.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

from inloop.graphs.encoders import encoders
from inloop.mini.world.data import write_set
from inloop.runtime.errors import CallFailed
from inloop.runtime.settings import Settings

from .figures import Figure, Options

__all__ = ["measure"]

_PICTURES, _BATCH = 2000, 8
_VIT = {"hidden_size": 192, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 3}
_SIDE = 112


def measure(options: Options) -> list[Figure]:
    """Seconds of the comparison, of the plain loop, their ratio, and of a second comparison, which makes no forward pass."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        write_set("classes", folder / "drawn", count=_PICTURES)
        table = folder / "drawn" / "train" / "metadata.jsonl"
        specs = ["mini", *(str(_save(kind, folder / kind)) for kind in ("ViT", "Dinov2", "Beit", "RegNet"))]
        settings = Settings(runs_dir=folder / "runs", cache_dir=folder / "cache", device="cpu", threads=1)
        plain = _timed(lambda: _plain(specs, sorted(table.parent.glob("images/*.png"))))[0]
        first, result = _timed(lambda: encoders(*specs, on=str(table), template="a {}", settings=settings))
        second, again = _timed(lambda: encoders(*specs, on=str(table), template="a {}", settings=settings))
    paid = again.calls["embedding"]["paid"]
    if paid or again.tasks != result.tasks:
        raise CallFailed(f"the second comparison made {paid} forward passes, or came to other figures.")
    note = f"5 encoders, {_PICTURES} pictures of 40 classes, one thread"
    return [
        Figure.of("comparison", [first], "s", note),
        Figure.of("plain forward loop", [plain], "s", note),
        Figure.of("comparison by plain loop", [first / plain], "", "goal: 1.2"),
        Figure.of("the comparison again", [second], "s", f"{paid} forward passes"),
    ]


def _timed(work: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def _save(kind: str, folder: Path) -> Path:
    import torch
    import transformers

    torch.manual_seed(3)
    shape = {"hidden_sizes": [64, 128, 256, 512], "depths": [1, 2, 4, 1], "groups_width": 16}
    shape = shape if kind == "RegNet" else {**_VIT, "image_size": _SIDE, "patch_size": 16}
    getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**shape)).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": _SIDE, "width": _SIDE}).save_pretrained(folder)
    return folder


def _plain(specs: list[str], files: list[Path]) -> None:
    """What one would write without inloop: read, prepare and pass in batches, and keep nothing."""
    import torch
    from transformers import AutoImageProcessor, AutoModel, CLIPModel

    from inloop.runtime import models

    torch.set_num_threads(1)
    for spec in specs:
        folder = models.bundled("clip") if spec == "mini" else Path(spec)
        model = (CLIPModel if spec == "mini" else AutoModel).from_pretrained(folder).eval()
        processor = AutoImageProcessor.from_pretrained(folder)
        run = model.get_image_features if spec == "mini" else model
        with torch.inference_mode():
            for start in range(0, len(files), _BATCH):
                images = [Image.open(path).convert("RGB") for path in files[start : start + _BATCH]]
                run(pixel_values=processor(images, return_tensors="pt").pixel_values)
