"""Where a model runs, and loading it without chatter."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...runtime.errors import PrerequisiteError

if TYPE_CHECKING:
    import torch

__all__ = ["fast_precision", "hushed", "is_fast_in_bfloat16", "is_processor", "quiet", "torch_device"]

_DEVICES = Path("/dev")
_ACCELERATORS = ("nvidia[0-9]*", "kfd", "dxg", "nvhost*", "nvgpu*")
"""Of NVIDIA, of AMD, of either under Windows (WSL 2), of Jetson boards."""


def torch_device(name: str) -> str:
    """The torch device for the setting `device`; "auto" takes an accelerator where there is one."""
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except Exception as error:
        raise PrerequisiteError(
            f"the device {name!r} cannot be used ({str(error).splitlines()[0]})",
            remedy="set INLOOP_DEVICE to 'auto' or 'cpu'; `inloop doctor` lists the devices.",
        ) from error
    return name


def is_processor(name: str) -> bool:
    """Whether the setting `device` means the processor, as far as can be told without torch: "auto" on Linux where no accelerator shows.

    False where it is not known: on Windows none would show, and a Mac may have Metal.
    """
    if name != "auto":
        return name == "cpu"
    return sys.platform not in ("darwin", "win32") and not any(any(_DEVICES.glob(name)) for name in _ACCELERATORS)


def is_fast_in_bfloat16(device: torch.device) -> bool:
    """A processor without instructions for it emulates bfloat16, ten times slower than float32.

    torch must compute with them, too: kept below AVX-512 by `ATEN_CPU_CAPABILITY`, its attention in bfloat16 raises.
    """
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    used = torch.backends.cpu.get_cpu_capability()
    return device.type != "cpu" or (used.startswith("AVX512") and torch.cpu._is_avx512_bf16_supported())


def fast_precision(device: torch.device) -> Literal["bf16", "fp16", "no"]:
    """The mixed precision in which `device` trains faster than in float32; bfloat16 where it has the choice, for its range."""
    import torch

    if is_fast_in_bfloat16(device):
        return "bf16"
    # tensor cores for float16 came with Volta, a generation before those for bfloat16
    return "fp16" if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0) else "no"


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars and no advice on standard error while a model is loaded; errors still raise."""
    # in a notebook without ipywidgets, of bars that are not shown anyway; transformers imports tqdm
    warnings.filterwarnings("ignore", "IProgress not found")
    from transformers.utils import logging

    # peft asks transformers by a name that it has since changed: nothing that a user could mend
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    with hushed(logging):
        yield


@contextmanager
def hushed(logging: Any) -> Iterator[None]:
    """No progress bars, and of messages only errors, of a library with the `utils.logging` of transformers or diffusers."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
