"""The user's own code: files that are run for what they define, and whose code an error comes from."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from hashlib import sha256
from importlib import util
from pathlib import Path
from types import ModuleType

from .errors import BadInput

__all__ = ["at_line", "run_file", "users_line"]

_INLOOP = Path(__file__).resolve().parent.parent
_INSTALLED = tuple(Path(place).resolve() for place in {*sysconfig.get_paths().values()} if place)


def users_line(error: BaseException) -> str | None:
    """The file and the line of the user's own code that an error was raised in, or that called what raised it; None where there is none.

    The innermost frame that is neither of Python nor of an installed package counts; one of inloop's means that it is inloop's fault.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        if path.is_relative_to(_INLOOP):
            return None
        if path.is_file() and not any(path.is_relative_to(place) for place in _INSTALLED):
            return f"{frame.filename}, line {frame.lineno}"
    return None


def at_line(error: BaseException) -> str:
    """`users_line` as the end of a message; empty where there is none."""
    line = users_line(error)
    return f" ({line})" if line else ""


def run_file(path: Path, what: str) -> ModuleType:
    """The module that a user's Python file makes; `what` names the file in messages.

    It is known to Python under a name of its own, which dataclasses and pickling need.

    Raises:
        BadInput: there is no such file, or it does not run; with the line that raised.
    """
    name = f"inloop_own_{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    spec = util.spec_from_file_location(name, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise BadInput(f"{what} {str(path)!r} does not exist.")
    module = util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a user's own code raises what it likes
        del sys.modules[name]
        raise BadInput(f"{what} {str(path)!r} does not run: {type(error).__name__}: {error}{at_line(error)}") from error
    return module
