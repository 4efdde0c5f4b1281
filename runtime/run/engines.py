"""What carries a run, by the name that `Settings.engine` gives: this process, several of this machine, or what a package brings.

A package adds an engine by an entry point of the group `inloop.engines`: a function that takes what stands behind the colon of its name
(`ray://head:10001`: `//head:10001`) and gives an `Engine`. Whatever carries a run, the work is done by workers (`inloop work`) on one shared run.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import BadInput
from ..registry import Registry, is_object
from .engine import Engine
from .processes import Processes

__all__ = ["ENGINES", "engine_of"]


def _local(number: str) -> Engine | None:
    if number in ("", "1"):
        return None
    if not number.isdecimal() or int(number) < 1:
        raise BadInput(f"engine 'local:{number}': give the number of processes, as in local:4.")
    return Processes(int(number))


def _folder(rest: str) -> Engine | None:
    if rest:
        raise BadInput(
            f"engine 'folder:{rest}': leave {rest!r} out; each `inloop work RUN` that you start is one more process."
        )
    raise BadInput(
        "engine 'folder' begins a run for processes that you start: `inloop work RUN` goes on with one that is there. From Python begin one with"
        " `begin` of the loop, as in inloop.opt2i.begin(...), which gives its folder."
    )


def _ray(rest: str) -> Engine:
    from .ray_tasks import RayTasks

    return RayTasks(rest)


ENGINES: Registry[Callable[[str], Engine | None]] = Registry(
    "engine", "inloop.engines", {"local": _local, "folder": _folder, "ray": _ray}
)


def engine_of(spec: str) -> Engine | None:
    """The engine of a name; None: this process.

    Raises:
        BadInput: there is no such engine, or it cannot be had so.
    """
    name, _, rest = spec.partition(":")
    if name not in ENGINES and is_object(spec):
        return ENGINES.find(spec)("")
    return ENGINES.find(name)(rest)
