"""A LoRA adapter of diffusers: one file of safetensors, known by its content before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...runtime.errors import BadInput, PrerequisiteError
from ...runtime.store import file_sha256
from ..models import hub_file, is_hub_id

__all__ = ["Lora", "find_lora"]

_FILE = "pytorch_lora_weights.safetensors"
"""What diffusers calls it where it saves one."""


@dataclass(frozen=True)
class Lora:
    """The file of an adapter, and the sha256 of its content."""

    path: Path
    sha256: str

    def load_into(self, pipe: Any, scale: float, spec: str) -> None:
        """Have `pipe` paint with it, at `scale`.

        Raises:
            BadInput: the pipeline takes none, or the file is made for another model.
            PrerequisiteError: peft is missing.
        """
        try:
            import peft  # noqa: F401
        except ImportError as error:
            raise PrerequisiteError("a LoRA needs peft", remedy="pip install 'inloop[train]'") from error
        if not hasattr(pipe, "load_lora_weights"):
            raise BadInput(f"{spec!r}: {type(pipe).__name__} takes no LoRA in diffusers: leave lora out.")
        try:
            pipe.load_lora_weights(str(self.path.parent), weight_name=self.path.name, adapter_name="lora")
            adapted = "lora" in {name for names in pipe.get_list_adapters().values() for name in names}
        except Exception as error:  # shapes, names of layers and formats each fail in a way of their own
            raise self._unfit(pipe, spec, f"{type(error).__name__}: {str(error)[:200]}") from error
        if not adapted:
            raise self._unfit(pipe, spec, "it names no layer of this model")
        pipe.set_adapters(["lora"], [scale])

    def _unfit(self, pipe: Any, spec: str, why: str) -> BadInput:
        return BadInput(
            f"{spec!r}: the LoRA {str(self.path)!r} cannot be loaded into {type(pipe).__name__} ({why}):"
            " give one that was trained for this model."
        )


def find_lora(given: str, spec: str, cache_dir: Path) -> Lora:
    """The adapter that `given` names: a file of safetensors, a folder with one, or `OWNER/NAME[/FILE]` on the hub.

    Raises:
        BadInput: there is no such file, or several.
        PrerequisiteError: it is not in the local cache and cannot be fetched.
    """
    path = Path(given).expanduser()
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        if len(files) != 1:
            raise BadInput(
                f"{spec!r}: the folder {given!r} holds {len(files)} files of safetensors: name the one that is the LoRA."
            )
        path = files[0]
    elif not path.is_file():
        owner, _, rest = given.partition("/")
        name, _, file = rest.partition("/")
        model = f"{owner}/{name}"
        if path.is_absolute() or not is_hub_id(model) or given.startswith(("./", "../", "~")):
            raise BadInput(
                f"{spec!r}: there is no LoRA {given!r}: give a file, a folder, or OWNER/NAME/FILE on the hub."
            )
        fetched = hub_file(model, file or _FILE, None, given)
        if fetched is None:
            raise BadInput(f"{spec!r}: {model!r} has no {file or _FILE}: name its file, {model}/FILE.safetensors.")
        path = fetched
    if path.suffix != ".safetensors":
        raise BadInput(
            f"{spec!r}: {path.name!r} is no file of safetensors; other formats can run code when they are read."
        )
    return Lora(path, file_sha256(path, cache_dir))
