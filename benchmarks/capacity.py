"""How many bits small models store: of what was offered, by exposures, with a source tag and junk, at fewer bits a weight, and of pictures.

Each cell is kept in the folder of the figures when it is done, and a training goes on from its checkpoint: killed and begun anew, it measures
only what is left. Models of about 10,000 parameters; people of 3 names of 32 words each (N0 = 2^15) and 3 attributes of 16 values (S0 = 2^12).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from inloop.evaluators.capacity import (
    PRECISIONS,
    StoredBits,
    at_precision,
    draw_people,
    learn_people,
    learn_pictures,
    people_bits,
    picture_bits,
    picture_facts,
    random_patterns,
    small_model,
    small_picture_model,
    word_tokenizer,
)
from inloop.tools.training import Checkpoint, Progress

from .figures import Figure, Options

__all__ = ["measure"]

_SOURCE = "archive.example"
_OFFERED, _EXPOSURES = (100, 200, 400, 800, 1600), 200
_TUNED = ((1600, 5), (1600, 20), (1600, 80), (200, 200))
_JUNK = 3
_PICTURES = (
    *(("cnn", "patterns", count) for count in (200, 800, 3200)),
    ("cnn", "drawn scenes", 800),
    *(("vit", "patterns", count) for count in (200, 800)),
)


def measure(options: Options) -> list[Figure]:
    """Stored by offered bits below and above saturation, bits a parameter, and what exposures, precision, tags, junk and adapters change."""
    import torch

    torch.set_num_threads(1)
    cells = _Cells(options.out / "capacity")
    figures = []
    for method in ("full", "lora"):
        for count, exposures in _TUNED:
            bits = cells.tuned(method, exposures, count)["fp32"]
            note = f"{bits.offered_per_parameter:.3g} offered, {bits.parameters} trained; values alone {bits.values / bits.parameters:.3g}"
            name = f"{method}, {count} people, {exposures} exposures"
            figures.append(_figure(name, bits.per_parameter, "bits/parameter", note))
    for count in _OFFERED:
        figures += _kept_of(f"{count} people", cells.people(count, _EXPOSURES))
    for seed in (1, 2):
        figures += _kept_of(f"200 people, seed {seed}", cells.people(200, _EXPOSURES, seed=seed))
    for source, junk in (("", 0), (_SOURCE, 0), ("", _JUNK), (_SOURCE, _JUNK)):
        told = f"400 people, 100 exposures, {'tag' if source else 'no tag'}, {f'{junk} junk texts a text' if junk else 'no junk'}"
        figures += _kept_of(told, cells.people(400, 100, source=source, junk=junk))
    for exposures in (25, 50, 100):
        figures += _kept_of(f"800 people, {exposures} exposures", cells.people(800, exposures))
    for family, keys, count in _PICTURES:
        figures += _kept_of(f"{count} {keys}, {family}", cells.pictures(family, keys, count))
    return figures


def _figure(name: str, value: float, unit: str, note: str) -> Figure:
    return Figure(name=name, value=value, unit=unit, note=note)


def _kept_of(name: str, bits: dict[str, StoredBits]) -> list[Figure]:
    whole = bits["fp32"]
    others = ", ".join(f"{precision} {bits[precision].ratio:.3f}" for precision in PRECISIONS[1:])
    note = f"{whole.offered_per_parameter:.3g} bits/parameter offered, {whole.per_parameter:.3g} stored, {whole.parameters} parameters; {others}"
    return [_figure(name, whole.ratio, "stored/offered", note)]


class _Cells:
    """The trainings, each done once; what came of it is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _once(
        self, name: str, train: Callable[[Checkpoint, Callable[[Progress], None]], dict[str, StoredBits]]
    ) -> dict[str, StoredBits]:
        path = self.folder / f"{name}.json"
        if not path.is_file():
            checkpoint = Checkpoint(path=self.folder / f"{name}.pt", key=name)

            def told(progress: Progress) -> None:
                if not progress.epoch_ends or progress.step == progress.steps:
                    print(f"  {name}: {progress}", flush=True)

            bits = train(checkpoint, told)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({key: each.model_dump() for key, each in bits.items()}), encoding="utf-8")
            checkpoint.remove()
        read = json.loads(path.read_text(encoding="utf-8"))
        return {key: StoredBits.model_validate(each) for key, each in read.items()}

    def people(
        self, count: int, exposures: int, *, source: str = "", junk: int = 0, seed: int = 0
    ) -> dict[str, StoredBits]:
        """A Llama of width 16 from random weights."""

        def train(checkpoint: Checkpoint, told: Callable[[Progress], None]) -> dict[str, StoredBits]:
            people = _people(count, seed)
            tokenizer = word_tokenizer(people, sources=[_SOURCE])
            model = small_model(tokenizer, width=16, seed=seed)
            learn_people(
                model, tokenizer, people, exposures=exposures, batch=16 if count <= 400 else 32, rate=1e-2, seed=seed,
                source=source, junk=junk, checkpoint=checkpoint, progress=told,
            )  # fmt: skip
            return {
                each: people_bits(at_precision(model, each), tokenizer, people, source=source) for each in PRECISIONS
            }

        return self._once(f"people-{count}-{exposures}-{'tag' if source else 'bare'}-{junk}-{seed}", train)

    def tuned(self, method: str, exposures: int, count: int) -> dict[str, StoredBits]:
        """A Llama of width 32 that knows the format from other people, fine-tuned whole or by an adapter of rank 8."""
        base, tokenizer = self._base()
        people = _people(count, 0)

        def train(checkpoint: Checkpoint, told: Callable[[Progress], None]) -> dict[str, StoredBits]:
            model = copy.deepcopy(base)
            if method == "lora":
                import peft

                config = peft.LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
                model = peft.get_peft_model(model, config)
            trained = sum(value.numel() for value in model.parameters() if value.requires_grad)
            learn_people(model, tokenizer, people, exposures=exposures, rate=5e-3, checkpoint=checkpoint, progress=told)
            return {"fp32": people_bits(model, tokenizer, people, parameters=trained)}

        return self._once(f"{method}-{count}-{exposures}", train)

    def _base(self) -> tuple[Any, Any]:
        """Trained on people who are never seen twice: it knows words and wordings, and nobody."""
        import torch

        others = _people(4800, 9)
        tokenizer = word_tokenizer(others, sources=[_SOURCE])
        model, path = small_model(tokenizer, width=32), self.folder / "base.pt"
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            learn_people(model, tokenizer, others, exposures=4, rate=5e-3)
            torch.save(model.state_dict(), path)
        model.load_state_dict(torch.load(path, weights_only=True))
        return model, tokenizer

    def pictures(self, family: Any, keys: str, count: int) -> dict[str, StoredBits]:
        """A CNN or ViT that learns one of 16 values for each random pattern, or each picture of the drawn world."""

        def train(checkpoint: Checkpoint, told: Callable[[Progress], None]) -> dict[str, StoredBits]:
            shown = random_patterns(count) if keys == "patterns" else _drawn(count)
            facts = picture_facts(shown)
            model = small_picture_model(facts, family=family, width=16)
            learn_pictures(model, facts, exposures=100, checkpoint=checkpoint, progress=told)
            return {each: picture_bits(at_precision(model, each), facts) for each in PRECISIONS}

        return self._once(f"{family}-{keys.split()[0]}-{count}", train)


def _people(count: int, seed: int) -> Any:
    return draw_people(count, names=32, values=(16, 16, 16), seed=seed)


def _drawn(count: int) -> Any:
    """`count` pictures (count, 16, 16, 3) of the drawn world, each another one when made small."""
    from itertools import islice

    from PIL import Image

    from inloop.mini.world.drawing import draw
    from inloop.mini.world.scenes import scenes

    seen: dict[bytes, Any] = {}
    for scene in islice(scenes(1), 4 * count):
        small = np.asarray(draw(scene).convert("RGB").resize((16, 16), Image.Resampling.BOX))
        seen.setdefault(small.tobytes(), small)
        if len(seen) == count:
            break
    return np.stack(list(seen.values()))
