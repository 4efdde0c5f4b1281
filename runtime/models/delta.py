"""A fine-tuned model as the difference to weights that are fetched anyway: a few megabytes instead of a whole copy.

`delta.safetensors` holds, for each matrix of the base that was trained, the difference in eight bits with one scale a row
(`NAME.q`, `NAME.scale`), and every other trained or new tensor in half precision under its own name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..storage import disk_problem, draft_of
from ..store import file_sha256
from .cache import bundled, fetch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["DELTA", "whole", "write_delta"]

DELTA = "delta.safetensors"
_WEIGHTS = "model.safetensors"
_OF_BASE = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")


def write_delta(base: Path, tuned: Mapping[str, NDArray[np.float32]], out: Path) -> None:
    """Write what `tuned` has beyond the model folder `base`, to the file `out`. Names are those of the base, without a prefix."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    before = load_file(base / _WEIGHTS)
    parts: dict[str, Any] = {}
    for name, value in tuned.items():
        if name in before and value.ndim == 2:
            difference = value - before[name]
            scale = np.maximum(np.abs(difference).max(1), 1e-12).astype(np.float32) / 127
            parts[f"{name}.q"] = np.round(difference / scale[:, None]).astype(np.int8)
            parts[f"{name}.scale"] = scale
        else:
            parts[name] = value.astype(np.float16)
    save_file(parts, out)


def whole(name: str, cache_dir: Path) -> Path:
    """The folder of the whole model of the bundled delta `name`, put together once and kept in the cache.

    Its `config.json` names the base by `base_model`, as `fetch` knows it.

    Raises:
        PrerequisiteError: a bundled file is altered, or the base cannot be fetched.
    """
    delta = bundled(name)
    config = json.loads((delta / "config.json").read_text(encoding="utf-8"))
    base = fetch(config["base_model"], cache_dir)
    stamp = file_sha256(delta / DELTA, cache_dir)[:8] + file_sha256(delta / "config.json", cache_dir)[:4]
    folder = cache_dir / "converted" / f"mini-{name}-{stamp}"
    if (folder / "config.json").is_file():
        return folder
    part = draft_of(folder)
    try:
        part.mkdir(parents=True)
        _put_together(base, delta, part)
        for file in _OF_BASE:
            shutil.copyfile(base / file, part / file)
        shutil.copyfile(delta / "config.json", part / "config.json")
        part.replace(folder)
    except OSError as error:
        if not (folder / "config.json").is_file():  # else somebody else was faster
            raise disk_problem(error, folder) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _put_together(base: Path, delta: Path, out: Path) -> None:
    import numpy as np
    from safetensors.numpy import load_file, save_file

    weights = load_file(base / _WEIGHTS)
    parts = load_file(delta / DELTA)
    for name, value in parts.items():
        if name.endswith(".q"):
            matrix = name.removesuffix(".q")
            weights[matrix] = weights[matrix] + value.astype(np.float32) * parts[f"{matrix}.scale"][:, None]
        elif not name.endswith(".scale"):
            weights[name] = value.astype(np.float32)
    save_file(weights, out / _WEIGHTS, metadata={"format": "pt"})
