"""Parts by name: inloop's own, those of installed packages, and any Python object as `module:object`.

A package adds parts by entry points; what it gives is imported when it is first asked for, never to list its name:

    [project.entry-points."inloop.evaluators"]
    brightness = "inloop_brightness:brightness"

The groups are `inloop.evaluators`, `inloop.tools`, `inloop.indexes`, `inloop.loops`, `inloop.commands`, `inloop.engines`,
`inloop.weights` and `inloop.calls`. A script or a notebook adds a part with `Registry.add`, and names an object of its own as `module:object`.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from .errors import BadInput, PrerequisiteError
from .own_code import at_line

__all__ = ["Registry", "import_object", "is_object", "plugins", "source"]

PartT = TypeVar("PartT")
_OBJECT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


class Registry(Generic[PartT]):
    """The parts of one kind by name.

    A name of inloop's own cannot be taken. A name that two packages give is refused when it is asked for.

    Args:
        noun: what messages call such a part, as in "metric".
        group: the group of the entry points, such as "inloop.evaluators".
        own: inloop's own parts: each the part itself, or where it is imported from, as "module:object".
        accept: makes a part of what a package or `module:object` gives under a name; raises `BadInput` that says what
            it lacks. By default it is the part.
    """

    def __init__(
        self,
        noun: str,
        group: str,
        own: Mapping[str, PartT | str],
        *,
        accept: Callable[[str, Any], PartT] = lambda name, given: given,
    ) -> None:
        self.noun, self.group = noun, group
        self._own: dict[str, Any] = dict(own)
        self._accept = accept
        self._accepted: dict[str, PartT] = {}

    def __iter__(self) -> Iterator[str]:
        """The names: inloop's own and those that were added, then those of packages; nothing is imported for them."""
        return iter(dict.fromkeys([*self._own, *self.packages]))

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self.packages

    @property
    def packages(self) -> dict[str, str]:
        """By the name of each part of an installed package, that package with its version."""
        return {name: source(points[0]) for name, points in plugins()[self.group].items() if name not in self._own}

    def add(self, name: str, part: PartT) -> None:
        """Add a part for this process; `BadInput` where the name is taken."""
        if name in self:
            raise BadInput(f"there is a {self.noun} {name!r} already: give yours another name.")
        self._own[name] = part

    def find(self, name: str) -> PartT:
        """The part of that name, or the object that `module:object` names.

        Raises:
            BadInput: no such name; or an object that cannot be imported, or is no such part.
            PrerequisiteError: the package that gives it is broken, or two packages give it.
        """
        own = self._own.get(name)
        if isinstance(own, str):
            own = self._own[name] = import_object(own, self.noun)
        if own is not None:
            return own  # type: ignore[no-any-return]
        if name not in self._accepted:
            self._accepted[name] = self._accept(name, self._given(name))
        return self._accepted[name]

    def unknown(self, name: str) -> BadInput:
        """The error about a name that nobody gives."""
        near = difflib.get_close_matches(name, list(self), n=3)
        hint = f"did you mean {' or '.join(near)}? There are" if near else "there are"
        return BadInput(f"there is no {self.noun} {name!r}: {hint} {', '.join(self)}, and your own as module:object.")

    def _given(self, name: str) -> Any:
        points = plugins()[self.group].get(name, ())
        if len(points) > 1:
            packages = " and ".join(map(source, points))
            raise PrerequisiteError(
                f"the {self.noun} {name!r} is given by {packages}",
                remedy=f"remove one of them, or name the one that you mean: {' or '.join(point.value for point in points)}",
            )
        if points:
            try:
                return points[0].load()
            except Exception as error:  # a package may fail to be imported in any way
                raise PrerequisiteError(
                    f"the {self.noun} {name!r} of {source(points[0])} cannot be imported from {points[0].value!r}"
                    f" ({type(error).__name__}: {error})",
                    remedy=f"mend the package, or remove it: pip uninstall {points[0].dist.name if points[0].dist else name}",
                ) from error
        if is_object(name):
            return import_object(name, self.noun)
        raise self.unknown(name)


def is_object(spec: str) -> bool:
    """Whether `spec` has the form `module:object`, such as `mypackage.paint:painter`."""
    return _OBJECT.fullmatch(spec) is not None


def import_object(spec: str, noun: str) -> Any:
    """The object that `module:object` names; modules of the working folder are found too, after all that is installed.

    Raises:
        BadInput: it cannot be imported; the message says why. `noun` is what it was to be.
    """
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # at the end: no file that lies about takes the place of a library
    module, _, path = spec.partition(":")
    try:
        part = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise BadInput(f"{spec!r} names no {noun}: there is no module {error.name!r}.") from None
        raise BadInput(
            f"{spec!r} cannot be imported: {module!r} needs {error.name!r}, which is not installed."
        ) from error
    except Exception as error:  # a module may fail in any way
        raise BadInput(f"{spec!r} cannot be imported ({type(error).__name__}: {error}{at_line(error)}).") from error
    for name in path.split("."):
        if not hasattr(part, name):
            names = [each for each in vars(part) if not each.startswith("_")] if hasattr(part, "__dict__") else []
            near = difflib.get_close_matches(name, names, n=1)
            raise BadInput(
                f"{spec!r} names no {noun}: {module!r} has no {name!r}{f', but {near[0]!r}' if near else ''}."
            )
        part = getattr(part, name)
    return part


def source(point: EntryPoint) -> str:
    """The package that gives an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unnamed package"


@functools.cache
def plugins() -> Mapping[str, Mapping[str, list[EntryPoint]]]:
    """The entry points of all installed packages by group and name; read once, for that takes tens of milliseconds."""
    plugins: dict[str, dict[str, list[EntryPoint]]] = defaultdict(lambda: defaultdict(list))
    points = entry_points()
    for group in sorted(points.groups):
        for point in points.select(group=group) if group.startswith("inloop.") else ():
            plugins[group][point.name].append(point)
    return plugins
