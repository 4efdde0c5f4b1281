"""A GGUF file as a folder of Hugging Face's format, for engines and trainers that do not read GGUF: made once, kept.

The weights stay as rounded as the GGUF file has them; they are written in bfloat16. A folder is named after the sha256 of
its file and appears under that name when it is whole.
"""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import PrerequisiteError
from ..storage import draft_of
from ..store import file_sha256

__all__ = ["model_folder"]


def model_folder(gguf: Path, cache_dir: Path, say: Callable[[str], None] = lambda text: None) -> Path:
    """The folder with the weights and the tokenizer of the file `gguf` (half a minute per 100 million weights, once).

    Raises `PrerequisiteError`: the package gguf is missing, an architecture that transformers cannot read, no disk.
    """
    folder = cache_dir / "converted" / f"{gguf.stem}-{file_sha256(gguf, cache_dir)[:12]}"
    if (folder / "config.json").is_file():
        return folder
    if importlib.util.find_spec("gguf") is None:
        raise PrerequisiteError(
            f"converting {gguf.name!r} needs the package gguf, which is not installed",
            remedy="pip install 'inloop[serve]', or serve the file as it is: --engine embedded",
        )
    needed = 6 * gguf.stat().st_size  # 4 bits a weight become 16, and both are there for a moment
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if free < needed:
        raise PrerequisiteError(
            f"converting {gguf.name!r} needs {needed / 1e9:.1f} GB in {str(folder.parent)!r}; {free / 1e9:.1f} are free",
            remedy="free some disk space, or set INLOOP_CACHE_DIR to another disk",
        )
    say(f"converting {gguf.name} to Hugging Face's format, once: half a minute or more")
    part = draft_of(folder)
    try:
        with _without_bars():
            _convert(gguf, part)
        part.replace(folder)
    except PrerequisiteError:
        raise
    except Exception as error:  # transformers raises what it likes for a file that it cannot read
        if (folder / "config.json").is_file():  # somebody else was faster
            return folder
        raise PrerequisiteError(
            f"{str(gguf)!r} cannot be converted ({type(error).__name__}: {str(error)[:300]})",
            remedy="serve the file as it is: --engine embedded; or give a folder of Hugging Face's format",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """Transformers draws its bars over whatever else is said."""
    from transformers.utils import logging

    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            logging.enable_progress_bar()


def _convert(gguf: Path, out: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = loaded.config
    if hasattr(config, "quantization_config"):  # it says GGUF, and what is written here is not
        del config.quantization_config
    fresh = AutoModelForCausalLM.from_config(config)  # a model loaded from GGUF refuses to be saved
    fresh.load_state_dict(loaded.state_dict())
    fresh.to(torch.bfloat16).save_pretrained(out)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(out)
